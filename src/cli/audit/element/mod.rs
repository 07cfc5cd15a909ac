//! Where two files begin to differ, in the words of their format: which voxel, coordinate, weight or cell, and by how much.
//!
//! Only as much of a format is understood as is needed to say what a byte belongs to; a file of an unknown format, or a
//! damaged one, differs at a byte.

mod binary;
mod scalar;
mod text;

use std::fmt;

use serde::Serialize;

use self::scalar::Scalar;

/// The first element that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::cli) struct Element {
    /// Offset of the first byte that differs; the length of the shorter file when it is the beginning of the other.
    pub(in crate::cli) offset: u64,
    /// `voxel (3, 4, 5)`, `vertex 12 y`, `tensor weights [7]`, `line 3, column 14`.
    pub(in crate::cli) element: String,
    /// The element in the first file.
    pub(in crate::cli) before: String,
    /// The element in the second file.
    pub(in crate::cli) after: String,
    /// How many numbers of that type lie between the two, plus one: 1 for neighbours. None for what is no number.
    pub(in crate::cli) ulps: Option<u64>,
    /// Bytes that differ, where the files are equally long.
    pub(in crate::cli) bytes: Option<u64>,
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {} -> {}", self.element, self.offset, self.before, self.after)?;
        if let Some(ulps) = self.ulps {
            write!(f, " ({ulps} ULP)")?;
        }
        if let Some(bytes) = self.bytes {
            write!(f, "; {bytes} bytes differ in all")?;
        }
        Ok(())
    }
}

/// What a byte of a binary file belongs to.
struct Spot {
    start: usize,
    scalar: Scalar,
    name: String,
}

/// Returns the first difference of two files; none when they are equal. The name tells the format by its extension.
pub(in crate::cli) fn first_difference(name: &str, before: &[u8], after: &[u8]) -> Option<Element> {
    let at = before.iter().zip(after).position(|(a, b)| a != b);
    let at = at.or_else(|| (before.len() != after.len()).then(|| before.len().min(after.len())))?;
    let bytes = (before.len() == after.len())
        .then(|| before.iter().zip(after).filter(|(before, after)| before != after).count() as u64);
    let element = |element: String, before: String, after: String, ulps| Element {
        offset: at as u64,
        element,
        before,
        after,
        ulps,
        bytes,
    };
    if let Some(spot) = spot_in_both(name, before, after, at)
        && let (Some(a), Some(b)) = (spot.scalar.read(before, spot.start), spot.scalar.read(after, spot.start))
    {
        return Some(element(spot.name, a.to_string(), b.to_string(), a.ulps(b)));
    }
    if let Some(place) = text::place(name, before, after, at) {
        return Some(element(place.name, place.before, place.after, place.ulps));
    }
    let byte = |bytes: &[u8]| bytes.get(at).map_or_else(|| "the end".to_owned(), |byte| format!("{byte:#04x}"));
    Some(element("byte".to_owned(), byte(before), byte(after), None))
}

/// Returns what the byte is, if both files say the same of it.
fn spot_in_both(name: &str, before: &[u8], after: &[u8], at: usize) -> Option<Spot> {
    let (first, second) = (binary::spot(name, before, at)?, binary::spot(name, after, at)?);
    (first.start == second.start && first.scalar == second.scalar).then_some(first)
}

#[cfg(test)]
mod tests;
