//! Tuning.
use chainrule::{Stream, data, prelude::*, rng};
fn main() -> chainrule::Result<()> {
    let digits = data::digits::<f32>();
    for (hidden, epochs, bs, lr, scaling, wd, act, drop, init) in [(vec![64],47,32,0.003,"m",0.01,"relu",0.0,"pytorch"),
(vec![64],47,32,0.003,"m",0.3,"relu",0.0,"pytorch"),
(vec![64],47,32,0.003,"s",0.01,"relu",0.0,"pytorch"),
(vec![64],47,32,0.003,"s",0.3,"relu",0.0,"pytorch"),
(vec![128],47,32,0.003,"m",0.01,"relu",0.0,"pytorch"),
(vec![128],47,32,0.003,"m",0.3,"relu",0.0,"pytorch"),
(vec![128],47,32,0.003,"s",0.01,"relu",0.0,"pytorch"),
(vec![128],47,32,0.003,"s",0.3,"relu",0.0,"pytorch")] {
        let mut acc=vec![];
        for seed in 0..20 {
            let (train, test) = digits.split(0.25, &mut rng(seed, Stream::Split))?;
            let mut c = Config::default();
            c.network.hidden=hidden.clone(); c.training.epochs=epochs; c.training.batch_size=bs; c.training.seed=seed; c.network.activation=act.parse()?; c.network.dropout=drop; c.network.weight_init=init.parse()?;
            c.training.optimizer.set_learning_rate(lr); c.training.optimizer.set_weight_decay(wd);
            if scaling=="m" { c.training.scaling = data::Scaling::MinMax; }
            let mut model = Model::new(&c, &train)?;
            model.train(&c, &train, |t| t)?;
            acc.push(model.evaluate(&test)?.metric.value());
        }
        let m=acc.iter().sum::<f64>()/acc.len() as f64; let m5=acc[..5].iter().sum::<f64>()/5.0;
        println!("{hidden:?} ep{epochs} b{bs} lr{lr} {scaling} wd{wd} {act} {drop} {init}: mean20 {:.2} mean5 {:.2} min {:.2}", 100.*m,100.*m5, 100.*acc.iter().cloned().fold(1.0,f64::min));
    }
    Ok(())
}
