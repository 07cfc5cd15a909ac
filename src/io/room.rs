//! Memory for the values of an image, in large pages where the system has them.

use crate::numeric::prefer_large_pages;

/// Returns so many zeros.
pub(super) fn zeros(count: usize) -> Vec<f32> {
    let mut values = vec![0.0; count];
    in_large_pages(&mut values);
    values
}

/// Returns an empty vector with room for so many values.
pub(super) fn with_capacity(count: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(count);
    in_large_pages(&mut values);
    values
}

fn in_large_pages(values: &mut Vec<f32>) {
    prefer_large_pages(values.as_mut_ptr().cast(), values.capacity() * size_of::<f32>());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_room_of_any_size() {
        for count in [0, 1, 1 << 19, 5 << 19, (5 << 19) + 1] {
            assert!(zeros(count).iter().all(|&v| v == 0.0) && zeros(count).len() == count);
            let mut values = with_capacity(count);
            values.resize(2 * count, 7.0);
            assert!(values.iter().all(|&v| v == 7.0));
        }
    }
}
