//! HTML in a headless Chromium.
//!
//! Skipped with a message where Chromium or its driver is not installed.

mod clicks;
mod driver;
mod numbers;
