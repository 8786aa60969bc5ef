//! One network, many threads: each predicts with a workspace of its own, no locks, no copies of θ.
//!
//! A `Network` never changes while it predicts; everything that does is in the `Workspace`.
//!
//! `cargo run -p chainrule-examples --example 09_many_threads`

use std::thread;

use chainrule::metrics::argmax;
use chainrule::{Stream, data, prelude::*, rng};

const THREADS: usize = 4;

fn main() -> chainrule::Result<()> {
    let (train, test) = data::digits::<f32>().split(0.25, &mut rng(0, Stream::Split))?;
    let config = Config::default();
    let mut model = Model::new(&config, &train)?;
    model.train(&config, &train, |trainer| trainer)?;

    // Scaled as in training.
    let prepared = model.prepare(&test)?;
    let (network, x) = (model.network(), prepared.features());
    let share = x.rows().div_ceil(THREADS);

    // Batches of different sizes may be rounded differently, so all go one example at a time.
    let predict = |rows: std::ops::Range<usize>| -> chainrule::Result<Vec<f32>> {
        let mut workspace = Workspace::new(network, 1)?;
        let mut outputs = Vec::with_capacity(rows.len() * network.outputs());
        for row in rows {
            outputs.extend_from_slice(network.predict_one(x.row(row), &mut workspace)?);
        }
        Ok(outputs)
    };
    let parts = thread::scope(|scope| {
        let start = |part: usize| {
            let rows = part * share..((part + 1) * share).min(x.rows());
            scope.spawn(|| predict(rows))
        };
        let running: Vec<_> = (0..THREADS).map(start).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join().expect("no panic");
        running.into_iter().map(join).collect::<chainrule::Result<Vec<_>>>()
    })?;
    for (part, outputs) in parts.iter().enumerate() {
        println!("thread {}: {} predictions", part + 1, outputs.len() / network.outputs());
    }

    let outputs = parts.concat();
    assert_eq!(outputs, predict(0..x.rows())?, "the same bits as on one thread");
    println!("together the same bits as from one thread");

    let data::Target::Classes { labels, names } = test.target() else {
        unreachable!("digits are classes");
    };
    let rows = outputs.chunks(names.len()).zip(labels);
    let correct = rows.filter(|(row, label)| argmax(row) == Some(**label)).count();
    println!("{correct} of {} right", labels.len());
    assert!(correct as f64 > 0.9 * labels.len() as f64);
    Ok(())
}
