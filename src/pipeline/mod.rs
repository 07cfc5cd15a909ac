//! A small build system that knows no medicine: stages, keys, a store, and an executor.

pub mod diagnose;
pub mod expand;
pub mod graph;
pub mod plan;
pub mod schema;
pub mod spec;
pub mod stage;

pub use expand::expand;
pub use graph::graph;
pub use schema::schema;
pub use spec::load;
