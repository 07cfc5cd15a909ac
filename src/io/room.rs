//! Memory for the values of an image. A scan has 200 MB of them: in pages of 4 kB the system is asked 50,000 times, which takes
//! as long as reading them; large pages are asked for where the system has them.

/// Returns so many zeros.
pub(super) fn zeros(count: usize) -> Vec<f32> {
    let mut values = vec![0.0; count];
    prefer_large_pages(&mut values);
    values
}

/// Returns an empty vector with room for so many values.
pub(super) fn with_capacity(count: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(count);
    prefer_large_pages(&mut values);
    values
}

/// The size of a large page; where the system's are larger, the advice is merely of no use.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
const PAGE: usize = 2 << 20;

/// Asks for large pages for a vector's memory, which changes nothing of what is in it.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[expect(unsafe_code, reason = "the standard library has no word for this advice to the system")]
fn prefer_large_pages(values: &mut Vec<f32>) {
    use std::ffi::c_int;

    /// `MADV_HUGEPAGE` of <linux/mman.h>.
    const HUGE_PAGE: c_int = 14;
    // SAFETY: the signature is that of madvise(2) in the C library that the standard library is linked to.
    unsafe extern "C" {
        fn madvise(start: *mut u8, length: usize, advice: c_int) -> c_int;
    }
    let start = values.as_mut_ptr().cast::<u8>();
    let before = start.align_offset(PAGE);
    let bytes = (values.capacity() * size_of::<f32>()).saturating_sub(before) / PAGE * PAGE;
    if bytes > PAGE {
        // SAFETY: these bytes are within the vector's allocation, and this advice neither reads nor writes them. A system
        // that does not know it refuses, and all is as it was.
        unsafe { madvise(start.wrapping_add(before), bytes, HUGE_PAGE) };
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn prefer_large_pages(_: &mut Vec<f32>) {}

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
