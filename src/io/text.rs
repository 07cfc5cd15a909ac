//! Samples written as decimal numbers: NRRD's encoding `ascii`, MetaImage without `BinaryData`.

use crate::{
    fault::{Fault, Result},
    io::raw::Scalar,
};

/// Returns the first `count` numbers of a text, each in the range of the type.
///
/// # Errors
/// Unfit when there are fewer, or one is no number of the type; the place counts samples from 0.
pub(super) fn decode(text: &[u8], scalar: Scalar, count: usize) -> Result<Vec<f32>> {
    let short = |found: usize| {
        Fault::unfit(format!("the header declares {count} numbers, the text holds {found}"))
            .hint("the file is truncated: copy it again")
    };
    // A number and what parts it from the next take two bytes at least, so the length bounds what is allocated.
    if count > text.len() / 2 + 1 {
        return Err(short(text.len() / 2 + 1));
    }
    let mut values = Vec::with_capacity(count);
    let words = text.split(|byte| byte.is_ascii_whitespace() || *byte == b',').filter(|word| !word.is_empty());
    for (index, word) in words.take(count).enumerate() {
        let value = std::str::from_utf8(word).ok().and_then(|word| number(word, scalar));
        let value = value.ok_or_else(|| {
            Fault::unfit(format!("sample {index} (from 0) is no number of the type {}", scalar.name()))
        })?;
        values.push(value);
    }
    if values.len() < count { Err(short(values.len())) } else { Ok(values) }
}

fn number(word: &str, scalar: Scalar) -> Option<f32> {
    let value: f64 = word.parse().ok()?;
    let fits = scalar.range().is_none_or(|(low, high)| value.fract() == 0.0 && (low..=high).contains(&value));
    fits.then_some(value as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_counted_and_held_to_their_type() {
        assert_eq!(decode(b"1 2\n3,4 5", Scalar::U8, 4).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(decode(b"-1.5 nan", Scalar::F32, 1).unwrap(), [-1.5]);
        assert!(decode(b"1 2", Scalar::U8, 3).unwrap_err().what.contains("holds 2"));
        assert!(decode(b"1 2", Scalar::U8, 1 << 40).is_err());
        for bad in ["256 0 0", "-1 0 0", "1.5 0 0", "x 0 0", "nan 0 0"] {
            assert!(decode(bad.as_bytes(), Scalar::U8, 2).unwrap_err().what.contains("sample 0"), "{bad}");
        }
    }
}
