//! The tests in one program: each program of its own would cost the time to link it.

mod browser;
mod common;
mod errors;
mod explain;
mod models;
mod signals;
mod train;
mod worksheet;
