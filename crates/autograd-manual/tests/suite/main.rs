//! The tests in one program: each program of its own would cost the time to link it. Apart are those
//! that count what the whole process does, and those that other crates and documents name.

mod bf16;
mod borrows;
mod casts;
mod common;
mod descent;
mod errors;
mod names;
mod nonlinear_layers;
mod own_layers;
mod properties;
mod scikit_learn;
