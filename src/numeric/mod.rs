//! What makes bits equal everywhere: counter-based random streams and reductions of a fixed shape.

mod elementary;
mod random;
mod sum;

pub use elementary::{exp_f32, ln_f32};
pub use random::{Seed, Stream};
pub use sum::tree_sum;
