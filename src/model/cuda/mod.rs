//! The network on an NVIDIA card: the chains of [`super::kernels`], number by number, so that the bits should be the same.
//!
//! ```text
//! backend ─ forward, loss, backward (launches as data) ─ launch::Machine ─┬─ card     cubecl, the real thing
//!                                                    kernels (cubecl) ────┴─ emulate  C++ on the processor, in tests
//! ```
//! That the bits are the same is shown on the processor for every kernel and every launch (`emulate`), and on a card by the
//! tests in `on_card`; it has not been seen on a card yet, and neither have times.
//!
//! # Design, on paper
//!
//! One slice of 512 x 512, depth 100, one map a layer: a plane has 1.05 MB, all 101 maps 106 MB; forward, gradients of maps
//! and gradients of weights are 12 G multiply-adds = 24 GFLOP each. For an H200: 67 TFLOP/s, 4.8 TB/s, four multiply-adds
//! for each load that an SM can issue.
//!
//! | pass | launches | flops | read + written, least | multiply-adds a load | bound by |
//! |---|---|---|---|---|---|
//! | `convolve`, layer k (from 0) | 1 a layer | 4.7 M (k + 1) | 1.05 MB (k + 1) + 1.05 MB | 1.7 short, 2.2 tall | loads |
//! | all layers | 100 | 24 G | 5.3 GB | | 1.3 ms by memory, 0.8 ms by loads |
//! | `finish`, `push`: groups of 8 maps | 113 | 24 G | 1.5 GB | 2.8 | 0.5 ms by loads, 0.4 ms by memory |
//! | `weight_lanes`: all pairs at once | 1 | 24 G | 0.7 GB + 46 MB of lanes | 2.8 | 0.5 ms by loads |
//! | output layer, loss, sums | 26 | 0.3 G | 0.6 GB | | 0.2 ms by memory |
//!
//! - *Forward* is bound by the memory that holds earlier maps. Each thread computes 4 (one slice) or 8 (several) pixels one
//!   dilation apart in a column, so that 18 loads feed 36 multiply-adds and 30 feed 72; the three columns of a tap and the
//!   halo rows of the next strip are in the first-level cache. Blocking over layers would save memory traffic and not one
//!   load, since layers read different pixels.
//! - *Gradients of maps* would be read and written once a map, 10.6 GB; a group of 8 maps is pushed at once, which is what 72
//!   registers of adjoint images allow, and 1.5 GB remain.
//! - *Gradients of weights* keep 36 sums in registers and are launched for all maps together, because 16 lanes x 16 bands of
//!   one layer are too few threads for 132 SMs. Their traffic counts a δ once and each earlier map once for 32 of them in a
//!   cube's reach; the caches see the rest.
//! - Index arithmetic costs about two integer instructions a load, so a third to a half of the peak is what can be hoped for:
//!   forward 1.5-2.5 ms, a step 4-7 ms, 200 slices 0.4-0.6 s with their way over the bus (0.63 GB).
mod backend;
mod backward;
pub mod bench;
mod card;
mod forward;
mod kernels;
mod launch;
mod list;
mod loss;
mod network;
mod probe;

#[cfg(test)]
mod emulate;
#[cfg(test)]
mod on_card;

pub(super) use probe::{check_alive, why_not};
