//! The tests in one program: each program of its own would cost the time to link it. Apart are those
//! that are run by name or count what the whole process does.

mod atomic_files;
#[path = "../common/mod.rs"]
mod common;
mod config;
mod damaged_files;
mod divergence;
mod model;
mod model_files;
mod pytorch_files;
mod readme;
mod stopping;
mod training;
