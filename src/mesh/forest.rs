//! Sets that merge: union-find with the smallest member as root, so numbering never depends on the order of merging.

/// A forest over the numbers below a count; every tree is a set.
pub(crate) struct Forest(Vec<u32>);

impl Forest {
    /// Returns a forest in which every number is a set of its own.
    pub(crate) fn new(count: usize) -> Self {
        Self((0..count as u32).collect())
    }

    /// Returns the smallest member of the set.
    pub(crate) fn root(&mut self, mut at: u32) -> u32 {
        while self.0[at as usize] != at {
            // path halving
            let parent = self.0[self.0[at as usize] as usize];
            self.0[at as usize] = parent;
            at = parent;
        }
        at
    }

    /// Merges two sets.
    pub(crate) fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b) as usize] = a.min(b);
    }
}
