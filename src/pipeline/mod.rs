//! A small build system that knows no medicine: stages, keys, a store, and an executor.

pub mod plan;
pub mod stage;
