//! The loss and its gradient as launches.

use super::{
    kernels::LEAF,
    launch::{Kernel, Machine},
};
use crate::model::kernels::IGNORED;

/// Returns the mean loss (one number) and its gradient, `[slice][class][pixel]`, for slices of `plane` pixels.
pub(super) fn loss_and_gradient<M: Machine>(
    machine: &M,
    logits: &M::Buffer,
    target: &[u8],
    (classes, plane): (usize, usize),
) -> (M::Buffer, M::Buffer) {
    let pixels = target.len();
    let counted = target.iter().filter(|&&class| class != IGNORED).count();
    let scale = if counted == 0 { 0.0 } else { 1.0 / counted as f32 };
    let packed = machine.words(&pack_target(target));
    let gradient = machine.poisoned(classes * pixels);
    let losses = machine.poisoned(pixels);
    machine.flat(
        Kernel::Nll,
        (pixels, 1, 1),
        &[logits, &packed, &gradient, &losses],
        &[plane, classes, pixels, scale.to_bits() as usize],
    );
    let leaves = pixels.div_ceil(LEAF);
    let sums = machine.doubles(leaves);
    machine.flat(Kernel::LeafSums, (leaves, 1, 1), &[&losses, &sums], &[pixels]);
    for depth in (0..leaves.next_power_of_two().trailing_zeros() as usize).rev() {
        machine.flat(Kernel::PairSums, (1 << depth, 1, 1), &[&sums], &[leaves, depth]);
    }
    let loss = machine.poisoned(1);
    machine.flat(Kernel::Mean, (1, 1, 1), &[&sums, &loss], &[counted]);
    (loss, gradient)
}

/// Returns four classes a word, lowest byte first.
fn pack_target(target: &[u8]) -> Vec<u32> {
    let word = |classes: &[u8]| classes.iter().rev().fold(0, |word, &class| word << 8 | u32::from(class));
    target.chunks(4).map(word).collect()
}

#[test]
fn four_classes_share_a_word() {
    assert_eq!(pack_target(&[1, 2, 3, 255, 7]), [0xff03_0201, 7]);
    assert!(pack_target(&[]).is_empty());
}
