//! A run as a file: network and training from TOML, then train, save, load and predict.
//!
//! Whatever the file leaves out has its default; an unknown name is an error.
//!
//! `cargo run -p chainrule-examples --example 08_config_file`

use std::fs;

use chainrule::{Answer, Stream, data, prelude::*, rng};

const CONFIG: &str = r#"
[network]
hidden = [48, 24]
activation = "tanh"
weight_init = "xavier_uniform"

[training]
epochs = 8
batch_size = 32
optimizer = { name = "sgd", learning_rate = 0.1, momentum = 0.9, nesterov = true }
schedule = { name = "cosine" }
seed = 7
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let config_file = folder.path().join("run.toml");
    fs::write(&config_file, CONFIG)?;

    let config = Config::from_toml(&fs::read_to_string(&config_file)?)?;
    let seed = config.training.seed;
    let (train, test) = data::digits::<f32>().split(0.25, &mut rng(seed, Stream::Split))?;

    let mut model = Model::new(&config, &train)?;
    for layer in model.network().layers() {
        println!("{}", layer.name());
    }
    println!("{} parameters\n", model.network().parameter_count());
    model.train(&config, &train, |trainer| {
        trainer.on_epoch(|epoch, _| {
            println!("epoch {}: loss {:.4}, {}", epoch.epoch, epoch.train.loss, epoch.train.metric);
            Flow::Continue(())
        })
    })?;

    // One file holds θ, the scaling, the classes and the configuration.
    let model_file = folder.path().join("digits.safetensors");
    model.save(&model_file)?;
    let loaded = Model::<f32>::load(&model_file)?;
    println!("\n{} bytes saved and loaded", fs::metadata(&model_file)?.len());
    assert_eq!(loaded.network().theta(), model.network().theta());
    assert_eq!(loaded.info().training.as_ref().map(|training| &training.config), Some(&config));

    let scores = loaded.evaluate(&test)?;
    println!("test {}", scores.metric);
    assert!(scores.metric.value() > 0.95);

    // Raw pixels in, a class and its probability out.
    let pixels = test.features().row(0);
    let Answer::Class { class, probabilities } = loaded.predict_one(pixels)? else {
        unreachable!("digits are classes");
    };
    let probability = probabilities.iter().copied().fold(0.0, f64::max);
    println!("the first test example:");
    for row in pixels.chunks(8) {
        let shade = |pixel: &f32| [' ', '·', '+', '#'][(*pixel / 4.1) as usize];
        println!("  {}", row.iter().flat_map(|pixel| [shade(pixel); 2]).collect::<String>());
    }
    println!("is a {class}, with probability {probability:.3}");
    assert_eq!(loaded.predict_one(pixels)?, model.predict_one(pixels)?);
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-6);

    // A mistake in the file is found before anything runs.
    let error = Config::from_toml(&CONFIG.replace("epochs", "epoch")).unwrap_err();
    println!("\na misspelt file:\n{error}");
    assert!(error.to_string().contains("epoch"));
    Ok(())
}
