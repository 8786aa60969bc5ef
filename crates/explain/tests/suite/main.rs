//! The tests in one program: each program of its own would cost the time to link it.

mod common;
mod glance;
mod groups;
mod latex;
mod page;
mod paths;
mod pictures;
mod readme;
mod reference;
mod requests;
mod responsibility;
mod text;
mod thin;
mod worksheet;
