//! How work is cut: the rows of a slice for threads, the layers of a network into groups.

use std::ops::Range;

use rayon::prelude::*;

use super::worth_splitting;
use crate::model::msdnet::Architecture;

/// Returns the layers of each group of so many maps, in order.
pub(super) fn groups(net: &Architecture, maps: usize) -> impl DoubleEndedIterator<Item = Range<usize>> {
    let together = (maps / net.width).max(1);
    let depth = net.depth;
    (0..depth.div_ceil(together)).map(move |group| group * together..depth.min((group + 1) * together))
}

/// Calls `f` with the ranges into which `n` rows are cut: at most `most` long, equally many for every thread.
pub(super) fn for_pieces(n: usize, most: usize, work: usize, f: impl Fn(Range<usize>) + Sync) {
    let threads = if worth_splitting(work) { rayon::current_num_threads() } else { 1 };
    let length = n.div_ceil(threads * n.div_ceil(threads * most)).max(1);
    let piece = |i: usize| f(i * length..n.min((i + 1) * length));
    let pieces = n.div_ceil(length);
    if threads > 1 { (0..pieces).into_par_iter().for_each(piece) } else { (0..pieces).for_each(piece) }
}
