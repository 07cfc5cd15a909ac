//! The adjoint of the reflected shift at one pixel: the sum of a plane over the pixels whose tap reads it.
//!
//! Along an axis at most two pixels read one pixel through a tap, the direct reader and one whose reading was reflected
//! there; rows are added first, then columns, the direct reader first.

use cubecl::prelude::*;

/// Writes the readers of `q` through the three taps along an axis of `n`; -1 where there is none.
#[cube]
fn readers(q: i32, n: i32, d: i32, repeated: i32, direct: &mut Array<i32>, reflected: &mut Array<i32>) {
    direct[0] = select(q + d < n, q + d, -1i32);
    direct[1] = q;
    direct[2] = select(q >= d, q - d, -1i32);
    let low = d - repeated - q;
    let high = 2i32 * n + repeated - 2i32 - d - q;
    reflected[0] = select(low < d, low, -1i32);
    reflected[1] = -1i32;
    reflected[2] = select(high < n && high + d >= n, high, -1i32);
}

/// Returns the image of one tap at a pixel, given who reads its row and its column.
#[cube]
fn image(
    planes: &Array<f32>,
    plane: usize,
    columns: i32,
    row: i32,
    reflected_row: i32,
    column: i32,
    reflected_column: i32,
) -> f32 {
    let mut sum = 0.0f32;
    if column >= 0i32 {
        sum = row_sum(planes, plane, columns, row, reflected_row, column);
    }
    if reflected_column >= 0i32 {
        sum += row_sum(planes, plane, columns, row, reflected_row, reflected_column);
    }
    sum
}

#[cube]
fn row_sum(planes: &Array<f32>, plane: usize, columns: i32, row: i32, reflected_row: i32, column: i32) -> f32 {
    let mut sum = 0.0f32;
    if row >= 0i32 {
        sum = planes[plane + (row * columns + column) as usize];
        if reflected_row >= 0i32 {
            sum += planes[plane + (reflected_row * columns + column) as usize];
        }
    } else if reflected_row >= 0i32 {
        sum = planes[plane + (reflected_row * columns + column) as usize];
    }
    sum
}

/// Writes the images of all nine taps at a pixel to places `at..at + 9`.
#[cube]
pub(crate) fn images(
    planes: &Array<f32>,
    plane: usize,
    y: i32,
    x: i32,
    rows: i32,
    columns: i32,
    d: i32,
    repeated: i32,
    to: &mut Array<f32>,
    at: usize,
) {
    let (mut row, mut reflected_row) = (Array::<i32>::new(3usize), Array::<i32>::new(3usize));
    let (mut column, mut reflected_column) = (Array::<i32>::new(3usize), Array::<i32>::new(3usize));
    readers(y, rows, d, repeated, &mut row, &mut reflected_row);
    readers(x, columns, d, repeated, &mut column, &mut reflected_column);
    #[unroll]
    for tap in 0..9usize {
        let (ky, kx) = (tap / 3, tap % 3);
        to[at + tap] = image(planes, plane, columns, row[ky], reflected_row[ky], column[kx], reflected_column[kx]);
    }
}
