//! Calvaria reruns a CT skull-segmentation study from a pipeline file, to the same bytes.
//!
//! ```text
//! rank 6  cli         one file a command, exit codes, progress
//! rank 5  stages      one file a stage: load, call, save
//! rank 4  report      tables and figures
//! rank 3  io  metrics  model  phantom  baselines
//! rank 2  geometry  manifest
//! rank 1  volume  mesh  pipeline
//! rank 0  space  numeric  fault
//! ```
//! Arrows only go down, never sideways within a rank; `tests/architecture.rs` reads the `use` lines and holds this
//! table true. World coordinates are LPS millimetres everywhere: frames and units are settled in [`io`] and nowhere else.

pub mod fault;
pub mod numeric;
pub mod space;

pub mod mesh;
pub mod pipeline;
pub mod volume;

pub mod geometry;
pub mod manifest;

pub mod baselines;
pub mod io;
pub mod metrics;
pub mod model;
pub mod phantom;

pub mod report;

pub mod stages;

pub mod cli;
