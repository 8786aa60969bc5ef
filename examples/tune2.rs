//! t
use chainrule::{data, prelude::*};
fn main() -> chainrule::Result<()> {
    let (train, test) = data::read_idx_directory::<f32>("/work/shared/data/mnist")?;
    for (lr, bs, s, wd, init) in [(0.003,32,"s",0.3,"pytorch"),(0.003,32,"m",0.3,"pytorch"),(0.003,32,"s",0.1,"pytorch"),(0.003,32,"m",0.1,"pytorch"),(0.003,32,"m",0.01,"pytorch")] {
            let mut c = Config::default();
            c.network.hidden=vec![512,512]; c.training.epochs=12; c.training.batch_size=bs;
            c.training.optimizer.set_learning_rate(lr);
            if s=="m" { c.training.scaling = data::Scaling::MinMax; }
            c.training.optimizer.set_weight_decay(wd); c.network.weight_init=init.parse()?; let mut model = Model::new(&c, &train)?;
            let t0=std::time::Instant::now();
            let test_p=model.prepare(&test)?;
            model.train(&c, &train, |t| t.test(&test_p).on_epoch(|e,_| {println!("  {} {:?} {:?} {:.1}", e.epoch, e.train, e.test.unwrap(), e.seconds); Flow::Continue(())}))?;
            println!("lr{lr} b{bs} {s} wd{wd} {init}: {} {:?}",model.evaluate(&test)?.metric, t0.elapsed());
    }
    Ok(())
}
