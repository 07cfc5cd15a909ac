//! What the network sees beyond the edge of a slice: the slice reflected, never zeros.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a slice goes on beyond its edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Border {
    /// The edge pixel is repeated: `… b a | a b c … y z | z y …`, as in the study.
    #[default]
    Symmetric,
    /// The edge pixel is not repeated: `… c b | a b c … y z | y x …`.
    Reflect,
}

impl Border {
    /// Returns the index inside `0..n` that stands for `i`, which lies at most [`Self::reach`] outside.
    #[inline(always)]
    #[must_use]
    pub const fn source(self, i: isize, n: usize) -> usize {
        let repeated = self.repeated() as isize;
        if i < 0 {
            (-i - repeated) as usize
        } else if i as usize >= n {
            (2 * n as isize - 2 + repeated - i) as usize
        } else {
            i as usize
        }
    }

    /// Returns 1 when the edge pixel is repeated, else 0.
    pub(super) const fn repeated(self) -> usize {
        match self {
            Self::Symmetric => 1,
            Self::Reflect => 0,
        }
    }

    /// Returns how far beyond the edge of `n` pixels one reflection reaches.
    #[must_use]
    pub const fn reach(self, n: usize) -> usize {
        n - 1 + self.repeated()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_pixel_is_repeated_or_not() {
        let seen = |border: Border| (-3..7).map(|i| border.source(i, 4)).collect::<Vec<_>>();
        assert_eq!(seen(Border::Symmetric), [2, 1, 0, 0, 1, 2, 3, 3, 2, 1]);
        assert_eq!(seen(Border::Reflect), [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]);
        assert_eq!((Border::Symmetric.reach(4), Border::Reflect.reach(4)), (4, 3));
    }
}
