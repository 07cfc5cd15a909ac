//! The nine weights of a pair of maps, and the reflected coordinate that they read.

use cubecl::prelude::*;

/// Four numbers that one instruction loads.
pub(in crate::model::cuda) type Four = Vector<f32, Const<4>>;

/// Copies nine weights an entry into twelve places, so that three wide loads fetch them.
#[cube(launch_unchecked)]
pub(crate) fn pack(parameters: &Array<f32>, taps: &mut Array<f32>, entries: usize) {
    let entry = ABSOLUTE_POS_X as usize;
    if entry < entries {
        #[unroll]
        for tap in 0..9usize {
            taps[12 * entry + tap] = parameters[9 * entry + tap];
        }
        #[unroll]
        for tap in 9..12usize {
            taps[12 * entry + tap] = 0.0f32;
        }
    }
}

/// Loads the weights of an entry to places `at..at + 9` of `weights`.
#[cube]
pub(crate) fn load_taps(taps: &Array<Four>, entry: usize, weights: &mut Array<f32>, at: usize) {
    let (a, b, c) = (taps[3 * entry], taps[3 * entry + 1], taps[3 * entry + 2]);
    #[unroll]
    for i in 0..4usize {
        weights[at + i] = a[i];
        weights[at + 4 + i] = b[i];
    }
    weights[at + 8] = c[0];
}

/// Returns the index inside `0..n` that stands for `i`, reflected once; beyond that, the nearest edge.
#[cube]
pub(crate) fn source(i: i32, n: i32, repeated: i32) -> i32 {
    let low = select(i < 0i32, -i - repeated, i);
    let high = select(low >= n, 2i32 * n - 2i32 + repeated - low, low);
    let below = select(high >= n, n - 1i32, high);
    select(below < 0i32, 0i32, below)
}
