//! The arithmetic of an MSDnet on the CPU, in one documented order per number, so that it gives the same bits for any
//! number of threads and any vector width.
//!
//! Maps are numbered with the input first: `f_0 .. f_(c_in - 1)` are the image's channels, then `width` maps a layer. Every
//! `fma` rounds once; every chain below is evaluated from left to right.
//!
//! ```text
//! forward    z_k(y, x) = b_k, then for each earlier map c, row tap ky, column tap kx:
//!                        z = fma(f_c(y + (ky - 1) d, x + (kx - 1) d), w_k[c][ky][kx], z)     border reflected
//!            f_k       = z > 0 ? z : 0
//!            logit_o   = b_o, then for each map c: fma(f_c, w_o[c], logit)
//! loss       Σ over pixels in f64, `numeric::tree_sum`
//! backward   g_c       = 0, then for each class o: fma(w_o[c], dlogit_o, g)
//!            for k from the last map to the first:
//!              δ_k = f_k > 0 ? g_k : 0
//!              E_t(q) = Σ δ_k over the pixels whose tap t reads pixel q: rows first (direct + reflected), then columns
//!              for each earlier map c, tap t: g_c(q) = fma(E_t(q), w_k[c][t], g_c(q))
//! weights    dw_k[c][t] = Σ_q E_t(q) f_c(q): bands of 32 rows (the last may be shorter). In a band, lane x mod 16 is one f32
//!            chain from 0 over its rows, and in a row over its columns: s = fma(E_t(q), f_c(q), s). Then in f64: lane l's
//!            total is the sum over the bands from 0, first band first; the 16 totals are halved four times,
//!            v_l = v_l + v_(l + n) for n = 8, 4, 2, 1; v_0 is rounded to f32 once. db_k: the same with f = 1.
//! head       dw_o[c], db_o: the same with dlogit_o in the place of E_t.
//! ```
//! Gathering through `E`, the adjoint of the reflected shift, makes the backward pass a product of small dense matrices
//! over whole rows: no border case and no padded gradient is left in the hot loop.

mod adjoint;
mod ahead;
mod backward;
mod block;
mod buffer;
mod convolve;
mod finish;
mod forward;
mod head;
mod lanes;
mod maps;
#[cfg(target_arch = "aarch64")]
mod neon;
mod peak;
mod pieces;
mod push;
mod rows;
mod simd;
mod softmax;
mod tile;
mod wave;

#[cfg(test)]
mod check;
#[cfg(test)]
mod composed;
#[cfg(test)]
mod plain;

pub use backward::{Gradients, InputGradient, backward};
pub use forward::forward;
pub use maps::{Maps, Size};
pub use peak::fma_peak;
pub use simd::{Simd, active, force};
pub use softmax::{IGNORED, nll, probabilities};

/// Multiply-adds below which a loop stays on its thread: about 50 µs of work. Tests split everything.
const WORTH_SPLITTING: usize = if cfg!(test) { 1 } else { 1_000_000 };

/// Runs `f` on a thread of the pool if any of its loops is worth more than one, the largest having that many multiply-adds.
/// Each loop that another thread hands over to the pool, and waits for, costs some 20 µs; a pass has a hundred of them.
fn in_pool<T: Send>(multiply_adds: usize, f: impl FnOnce() -> T + Send) -> T {
    if worth_splitting(multiply_adds) { rayon::scope(|_| f()) } else { f() }
}

/// Returns whether a loop of that many multiply-adds is worth more than one thread.
fn worth_splitting(multiply_adds: usize) -> bool {
    multiply_adds >= WORTH_SPLITTING && rayon::current_num_threads() > 1
}
