//! A team of threads that all run one closure, then wait for the next.
//!
//! A fork and join per matrix product through a general work-stealing pool allocates and costs
//! more than a small product; here a job is published by one atomic increment, and members spin
//! for a moment before they sleep.

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// What the members run; the leader keeps the closure alive until all have finished.
type Job = *const (dyn Fn(usize) + Sync);

/// Looks at the clock while spinning, each after this many checks.
const CHECKS: usize = 64;
/// How long a thread spins before it sleeps: longer than the serial parts between two products.
const SPIN: Duration = if cfg!(miri) { Duration::ZERO } else { Duration::from_micros(200) };

struct Shared {
    /// Written by the leader while no member runs, read by members after `epoch` has moved.
    job: UnsafeCell<Option<Job>>,
    /// Number of jobs published.
    epoch: AtomicUsize,
    /// Members that have not finished the job.
    running: AtomicUsize,
    /// Members asleep on `wake`, and whether the leader sleeps on `done`.
    sleeping: AtomicUsize,
    leader_sleeps: AtomicBool,
    stop: AtomicBool,
    /// A member's panic, to be raised again by the leader.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    gate: Mutex<()>,
    wake: Condvar,
    done: Condvar,
}

// SAFETY: `job` is written only by the leader between jobs (`running == 0`) and read only by
// members between an increment of `epoch` and their decrement of `running`, both sequentially
// consistent, so writes and reads are ordered; the closure it points to is `Sync`.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer in `job` is not followed outside a job.
unsafe impl Send for Shared {}

/// A fixed number of threads that run closures together.
pub(super) struct Team {
    shared: Arc<Shared>,
    members: Vec<JoinHandle<()>>,
    leader: Mutex<()>,
    spin: Duration,
}

/// Spins until `ready` or the time is over; whether it became ready.
fn spin_until(time: Duration, ready: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    loop {
        for _ in 0..CHECKS {
            if ready() {
                return true;
            }
            std::hint::spin_loop();
        }
        if start.elapsed() >= time {
            return false;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Team {
    /// Starts `count - 1` members; the caller of [`Team::run`] is the first.
    pub(super) fn new(count: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            job: UnsafeCell::new(None),
            epoch: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            sleeping: AtomicUsize::new(0),
            leader_sleeps: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            panic: Mutex::new(None),
            gate: Mutex::new(()),
            wake: Condvar::new(),
            done: Condvar::new(),
        });
        // More members than cores would keep each other from running by spinning.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let spin = if count <= cores { SPIN } else { Duration::ZERO };
        let mut team = Self { shared, members: Vec::new(), leader: Mutex::new(()), spin };
        for member in 1..count {
            let shared = Arc::clone(&team.shared);
            let name = format!("chainrule-{member}");
            let thread = Builder::new().name(name).spawn(move || shared.serve(member, spin))?;
            team.members.push(thread);
        }
        // A thread allocates while it starts; not later, in the middle of a step.
        team.run(&|_| ());
        Ok(team)
    }

    pub(super) fn count(&self) -> usize {
        self.members.len() + 1
    }

    /// Runs `job(0)`, ..., `job(count - 1)`, one on each thread, and waits for all. If the team
    /// is busy, the caller runs them all.
    pub(super) fn run(&self, job: &(dyn Fn(usize) + Sync)) {
        let _leader = match self.leader.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return (0..self.count()).for_each(job),
        };
        let shared = &*self.shared;
        // SAFETY: only the lifetime is erased; `finish` below returns after every member has
        // finished with the closure, nothing before it unwinds, and the borrow outlives it.
        let erased = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(job) };
        // SAFETY: the leader lock is held and no member runs, so nobody else touches `job`.
        unsafe { *shared.job.get() = Some(erased) };
        shared.running.store(self.members.len(), SeqCst);
        shared.epoch.fetch_add(1, SeqCst);
        if shared.sleeping.load(SeqCst) > 0 {
            drop(lock(&shared.gate));
            shared.wake.notify_all();
        }
        let own = catch_unwind(AssertUnwindSafe(|| job(0)));
        shared.finish(self.spin);
        let members = lock(&shared.panic).take();
        if let Some(panic) = own.err().or(members) {
            resume_unwind(panic);
        }
    }
}

impl Shared {
    /// A member's life.
    fn serve(&self, member: usize, spin: Duration) {
        let mut seen = 0;
        loop {
            self.await_epoch_after(seen, spin);
            if self.stop.load(SeqCst) {
                return;
            }
            seen += 1;
            // SAFETY: `epoch` has moved and this member has not yet decremented `running`, so
            // the leader does not write `job`.
            let job = unsafe { *self.job.get() };
            if let Some(job) = job {
                // SAFETY: the leader keeps the closure alive until `running` is 0.
                let job = unsafe { &*job };
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| job(member))) {
                    let mut first = lock(&self.panic);
                    if first.is_none() {
                        *first = Some(panic);
                    } else {
                        // Dropping it could panic outside of `catch_unwind`.
                        std::mem::forget(panic);
                    }
                }
            }
            if self.running.fetch_sub(1, SeqCst) == 1 && self.leader_sleeps.load(SeqCst) {
                drop(lock(&self.gate));
                self.done.notify_one();
            }
        }
    }

    /// Waits until more than `seen` jobs have been published. Between "asleep" and the last look
    /// at `epoch` the gate is held, so that no wake-up is missed.
    fn await_epoch_after(&self, seen: usize, spin: Duration) {
        if spin_until(spin, || self.epoch.load(SeqCst) != seen) {
            return;
        }
        let mut gate = lock(&self.gate);
        self.sleeping.fetch_add(1, SeqCst);
        while self.epoch.load(SeqCst) == seen {
            gate = self.wake.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleeping.fetch_sub(1, SeqCst);
    }

    /// The leader's wait for the members.
    fn finish(&self, spin: Duration) {
        if spin_until(spin, || self.running.load(SeqCst) == 0) {
            return;
        }
        let mut gate = lock(&self.gate);
        self.leader_sleeps.store(true, SeqCst);
        while self.running.load(SeqCst) > 0 {
            gate = self.done.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
        self.leader_sleeps.store(false, SeqCst);
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        self.shared.epoch.fetch_add(1, SeqCst);
        drop(lock(&self.shared.gate));
        self.shared.wake.notify_all();
        for member in self.members.drain(..) {
            // A member catches the panics of its jobs; there is nothing left to report.
            let _ = member.join();
        }
    }
}
