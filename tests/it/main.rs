//! The one integration-test binary: each module is one door into the program.

#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "helpers of tests are tests, too")]

mod acceptance;
mod align;
mod architecture;
mod bad_input;
mod cohort;
mod commands;
mod compare;
mod door;
mod exchange;
mod golden;
mod privacy;
mod readers;
mod scanner;
mod study;
mod surface;
mod training;
mod voxelize;
mod world;
