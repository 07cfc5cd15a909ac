//! The eight flips and rotations of a slice: the symmetries of the square.
//!
//! A symmetry first flips columns, then rows, then exchanges rows with columns, each or not:
//!
//! ```text
//! bit 0: a b → b a      bit 1: a b → c d      bit 2: a b → a c
//!        c d   d c             c d   a b             c d   b d
//! ```

use super::kernels::Size;

/// One of the eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symmetry(u8);

impl Symmetry {
    /// Leaves a slice as it is.
    pub const IDENTITY: Self = Self(0);
    /// All eight; the first four keep the shape of a slice that is not square.
    pub const ALL: [Self; 8] = [Self(0), Self(1), Self(2), Self(3), Self(4), Self(5), Self(6), Self(7)];
    /// How many of [`Self::ALL`] keep the shape of every slice.
    pub const KEEP_SHAPE: usize = 4;

    const fn flips_columns(self) -> bool {
        self.0 & 1 != 0
    }

    const fn flips_rows(self) -> bool {
        self.0 & 2 != 0
    }

    const fn transposes(self) -> bool {
        self.0 & 4 != 0
    }

    /// Returns the symmetry that takes a slice back.
    #[must_use]
    pub const fn inverse(self) -> Self {
        // After a transposition what flipped columns has to flip rows.
        if self.transposes() { Self(4 | ((self.0 & 1) << 1) | ((self.0 & 2) >> 1)) } else { self }
    }

    /// Returns the size of a slice after the symmetry.
    #[must_use]
    pub const fn size(self, size: Size) -> Size {
        if self.transposes() { Size { rows: size.columns, columns: size.rows } } else { size }
    }

    /// Returns a plane `[y][x]` of that size after the symmetry.
    #[must_use]
    pub fn apply<T: Copy>(self, plane: &[T], size: Size) -> Vec<T> {
        let mut turned = Vec::with_capacity(plane.len());
        self.append(plane, size, &mut turned);
        turned
    }

    /// As [`Self::apply`], behind what is in `turned` already.
    pub fn append<T: Copy>(self, plane: &[T], size: Size, turned: &mut Vec<T>) {
        let Size { rows, columns } = size;
        let row_of = |y: usize| if self.flips_rows() { rows - 1 - y } else { y };
        if self.transposes() {
            for x in 0..columns {
                let column = if self.flips_columns() { columns - 1 - x } else { x };
                turned.extend((0..rows).map(|y| plane[row_of(y) * columns + column]));
            }
        } else {
            for y in 0..rows {
                let row = &plane[row_of(y) * columns..][..columns];
                if self.flips_columns() {
                    turned.extend(row.iter().rev());
                } else {
                    turned.extend_from_slice(row);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { rows: 3, columns: 4 };

    fn turned(symmetry: Symmetry) -> Vec<u8> {
        symmetry.apply(&(0..12).collect::<Vec<u8>>(), SIZE)
    }

    #[test]
    fn pictures_of_all_eight() {
        let pictures = Symmetry::ALL.map(|symmetry| symmetry.apply(b"abcd", Size { rows: 2, columns: 2 }));
        assert_eq!(
            pictures.map(|p| String::from_utf8(p).unwrap()).join(" "),
            "abcd badc cdab dcba acbd bdac cadb dbca"
        );
    }

    #[test]
    fn the_eight_are_a_group() {
        for first in Symmetry::ALL {
            assert_eq!(
                first.inverse().apply(&turned(first), first.size(SIZE)),
                turned(Symmetry::IDENTITY),
                "{first:?}"
            );
            let mut products = Vec::new();
            for second in Symmetry::ALL {
                let both = second.apply(&turned(first), first.size(SIZE));
                let alike = Symmetry::ALL.into_iter().filter(|&one| turned(one) == both).collect::<Vec<_>>();
                assert_eq!(alike.len(), 1, "{second:?} after {first:?} is one of the eight");
                assert_eq!(second.size(first.size(SIZE)), alike[0].size(SIZE));
                assert!(!products.contains(&alike[0]), "{second:?} after {first:?} came twice");
                products.extend(alike);
            }
        }
        assert!(Symmetry::ALL[..Symmetry::KEEP_SHAPE].iter().all(|symmetry| symmetry.size(SIZE) == SIZE));
    }
}
