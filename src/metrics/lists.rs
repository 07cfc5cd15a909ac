//! Values in the order in which several threads made them, in lists that are not copied into one.

use std::ops::Range;

use rayon::prelude::*;

/// Lists behind each other.
#[derive(Debug)]
pub(super) struct Lists<T> {
    lists: Vec<Vec<T>>,
    /// How many values stand before each list, and in all.
    starts: Vec<usize>,
}

impl<T: Sync> Lists<T> {
    pub(super) fn new(lists: Vec<Vec<T>>) -> Self {
        let mut starts = vec![0];
        let mut count = 0;
        starts.extend(lists.iter().map(|list| {
            count += list.len();
            count
        }));
        Self { lists, starts }
    }

    pub(super) fn len(&self) -> usize {
        self.starts[self.lists.len()]
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        let list = self.starts.partition_point(|&start| start <= at) - 1;
        self.lists.get(list)?.get(at - self.starts[list])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.lists.iter().flatten()
    }

    pub(super) fn par_iter(&self) -> impl ParallelIterator<Item = &T>
    where
        T: Send,
    {
        self.lists.par_iter().flat_map(|list| list.par_iter())
    }

    /// Returns the values in chunks of the same size, whatever lists they stand in.
    pub(super) fn par_chunks(
        &self,
        size: usize,
    ) -> impl IndexedParallelIterator<Item = impl Iterator<Item = &T> + use<'_, T>> + use<'_, T> {
        let chunks = self.len().div_ceil(size);
        (0..chunks).into_par_iter().map(move |chunk| self.range(chunk * size..self.len().min((chunk + 1) * size)))
    }

    fn range(&self, range: Range<usize>) -> impl Iterator<Item = &T> + use<'_, T> {
        let first = self.starts.partition_point(|&start| start <= range.start) - 1;
        let (head, rest) =
            self.lists.get(first..).and_then(<[_]>::split_first).map_or((&[][..], &[][..]), |(a, b)| (a, b));
        let head = head.get(range.start - self.starts[first]..).unwrap_or_default();
        head.iter().chain(rest.iter().flatten()).take(range.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_one_list() {
        let count = 57;
        let one: Vec<u32> = (0..count).collect();
        for cuts in [vec![], vec![0, 0, 13, 13, 20, 57], vec![1, 2, 3, 56, 57, 57]] {
            let ends = cuts.iter().copied().chain([one.len()]);
            let starts = [0].into_iter().chain(cuts.iter().copied());
            let lists = Lists::new(starts.zip(ends).map(|(start, end)| one[start..end].to_vec()).collect());
            assert_eq!(lists.len(), one.len());
            assert_eq!(lists.iter().copied().collect::<Vec<_>>(), one);
            assert_eq!(lists.par_iter().copied().collect::<Vec<_>>(), one);
            assert!((0..60).all(|at| lists.get(at) == one.get(at)));
            for size in [1, 5, 16, 100] {
                let chunks: Vec<Vec<u32>> = lists.par_chunks(size).map(|chunk| chunk.copied().collect()).collect();
                assert_eq!(chunks, one.chunks(size).map(<[u32]>::to_vec).collect::<Vec<_>>(), "{cuts:?} {size}");
            }
        }
        let none = Lists::<u32>::new(Vec::new());
        assert_eq!((none.len(), none.get(0), none.par_chunks(3).count()), (0, None, 0));
    }
}
