//! What makes bits equal everywhere: counter-based random streams and reductions of a fixed shape.

mod random;
mod sum;

pub use random::{Seed, Stream};
pub use sum::tree_sum;
