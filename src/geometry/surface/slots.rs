//! A list written in parallel, slab by slab, into memory taken once.

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// The unwritten part of a slab.
pub(super) struct Slots<'a, T>(std::slice::IterMut<'a, MaybeUninit<T>>);

impl<T> Slots<'_, T> {
    /// Writes the next slot. What goes beyond the slab is dropped.
    pub(super) fn push(&mut self, value: T) {
        if let Some(slot) = self.0.next() {
            slot.write(value);
        }
    }
}

/// Returns the list of slabs of given lengths, one after another, each written by `fill`.
///
/// The memory is touched for the first time by the thread that fills it. Slots that `fill` leaves over hold the default.
#[expect(unsafe_code, reason = "filling memory with zeros first would cost as much as the surface itself")]
pub(super) fn filled<T: Copy + Default + Send>(
    lengths: &[usize],
    fill: impl Fn(usize, &mut Slots<'_, T>) + Sync,
) -> Vec<T> {
    let total = lengths.iter().sum();
    let mut list = Vec::with_capacity(total);
    let mut rest = &mut list.spare_capacity_mut()[..total];
    let mut slabs = Vec::with_capacity(lengths.len());
    for &length in lengths {
        let (slab, after) = rest.split_at_mut(length);
        slabs.push(slab);
        rest = after;
    }
    slabs.into_par_iter().enumerate().for_each(|(number, slab)| {
        let mut slots = Slots(slab.iter_mut());
        fill(number, &mut slots);
        debug_assert_eq!(slots.0.len(), 0, "slab {number} was counted and filled by the same rule");
        for slot in slots.0 {
            slot.write(T::default());
        }
    });
    // SAFETY: the slabs are disjoint and cover the first `total` slots; `Slots` writes them in order, and the line above
    // writes those left over, so each of the first `total` elements, within the capacity, is initialised.
    unsafe { list.set_len(total) };
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slabs_follow_each_other() {
        let lengths = [3, 0, 1, 2];
        let list = filled(&lengths, |number, slots| (0..lengths[number]).for_each(|i| slots.push(10 * number + i)));
        assert_eq!(list, [0, 1, 2, 20, 30, 31]);
        assert!(filled::<u8>(&[], |_, _| {}).is_empty());
    }
}
