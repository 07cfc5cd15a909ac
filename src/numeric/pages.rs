//! Large pages for long arrays of numbers. A scan has 200 MB of them: in pages of 4 kB the system is asked 50,000 times, which
//! takes as long as reading them, and rows that lie far apart cost a walk through page tables each.

/// The size of a large page; where the system's are larger, the advice is merely of no use.
pub const LARGE_PAGE: usize = 2 << 20;

/// Asks the system for large pages in a range of memory. This changes nothing of what is in it, and may be refused.
pub fn prefer_large_pages(start: *mut u8, bytes: usize) {
    let before = start.align_offset(LARGE_PAGE);
    let whole = bytes.saturating_sub(before) / LARGE_PAGE * LARGE_PAGE;
    if whole > LARGE_PAGE {
        advise(start.wrapping_add(before), whole);
    }
}

/// Returns an empty vector with room for so many values, in large pages where the system has them.
#[must_use]
pub fn with_room_for<T>(count: usize) -> Vec<T> {
    let mut values: Vec<T> = Vec::with_capacity(count);
    prefer_large_pages(values.as_mut_ptr().cast(), values.capacity() * size_of::<T>());
    values
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the standard library has no word for this advice to the system")]
fn advise(start: *mut u8, bytes: usize) {
    use std::ffi::{c_int, c_void};

    /// `MADV_HUGEPAGE` of `madvise(2)`.
    const HUGE_PAGE: c_int = 14;
    // SAFETY: the signature is that of madvise(2) in the C library that the standard library is linked to.
    unsafe extern "C" {
        fn madvise(start: *mut c_void, length: usize, advice: c_int) -> c_int;
    }
    // SAFETY: this advice neither reads nor writes the bytes; memory that is not there is refused, as is the whole advice by a
    // system that does not know it.
    let _ = unsafe { madvise(start.cast(), bytes, HUGE_PAGE) };
}

#[cfg(not(target_os = "linux"))]
const fn advise(_: *mut u8, _: usize) {}
