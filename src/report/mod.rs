//! What a person looks at in the end: result tables and figures, as bytes that repeat.
//!
//! [`table`] turns the rows of `compare` into the paper's layout, [`statistics`] holds the numbers under it, [`paper`] the
//! published ones, and [`figure`] draws slices and surfaces. Nothing here reads a file or knows a pipeline.

pub mod figure;
pub mod paper;
pub mod statistics;
pub mod table;
