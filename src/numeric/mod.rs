//! What makes bits equal everywhere: counter-based random streams and reductions of a fixed shape. And large pages for long
//! arrays.

mod elementary;
mod pages;
mod random;
mod sum;

pub use elementary::{exp_f32, ln_f32};
pub use pages::{LARGE_PAGE, prefer_large_pages, with_room_for};
pub use random::{Seed, Stream};
pub use sum::tree_sum;
