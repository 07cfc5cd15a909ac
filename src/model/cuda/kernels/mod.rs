//! What runs on the card, one thread a chain: every multiply-add is written as `fma` and no bare product feeds a sum, because
//! the run-time compiler would contract the two into one rounding.
//!
//! These files know cubecl only, so that they can be turned into CUDA C++ and checked on a machine without a card. There is
//! no barrier, no shared memory and no atomic: a result depends on the order written here and on nothing else.
//!
//! ```text
//! buffer      layout
//! maps        [slice][channel][y][x]      input channels first
//! gradients   the same; a map's plane holds its gradient until it is finished, then its δ
//! taps        [entry][12]                 nine weights of one earlier map for one map, then three zeros
//! table       [map][3]                    dilation, first entry, number of maps read
//! lanes       [weight][band][16]          f32 sums, added up in f64 in that order
//! ```

pub(super) mod adjoint;
pub(super) mod convolve;
pub(super) mod copy;
pub(super) mod elementary;
pub(super) mod head;
pub(super) mod lanes;
pub(super) mod loss;
pub(super) mod push;
pub(super) mod taps;

/// Lanes of a weight gradient: column x belongs to lane x mod 16.
pub(super) const LANES: usize = 16;
/// Rows whose lanes are one chain.
pub(super) const BAND: usize = 32;
/// Earlier maps of one thread of a weight gradient, which share the loads of the adjoint image.
pub(super) const MAPS_A_THREAD: usize = 4;
/// Classes of one thread of the output layer.
pub(super) const CLASSES_A_THREAD: usize = 2;
/// Losses added from left to right before the tree begins, as in `numeric::tree_sum`.
pub(super) const LEAF: usize = 256;
/// Numbers a map in the table.
pub(super) const TABLE: usize = 3;
