//! Memory for maps and partial sums: aligned, and used again by the next slice.
//!
//! A training step needs 200 MB. Fresh from the system they cost a page fault for every 4 KiB, which took longer than some
//! of the arithmetic; so a buffer that is dropped is kept for the next request of the same length.

#![expect(unsafe_code, reason = "memory with an alignment of its own, not cleared between uses")]

use std::{
    alloc::{Layout, alloc, dealloc, handle_alloc_error},
    fmt,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    sync::{Mutex, PoisonError},
};

use crate::numeric::{LARGE_PAGE, prefer_large_pages};

/// Alignment of small buffers: a cache line.
const LINE: usize = 64;
/// Buffers that wait for their next use, at most.
const KEPT: usize = 64;

/// Dropped buffers, oldest first.
static WAITING: Mutex<Vec<Buffer>> = Mutex::new(Vec::new());

/// Numbers at an aligned address. What a new buffer holds is left from an earlier use, so its user writes before reading.
pub(super) struct Buffer {
    data: NonNull<f32>,
    length: usize,
    /// Whether dropping it keeps it for the next use.
    returns: bool,
}

// SAFETY: a buffer owns its memory like a `Vec<f32>`.
unsafe impl Send for Buffer {}
// SAFETY: as above; it has no interior mutability.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Returns a buffer of `length` numbers with any content.
    pub(super) fn any(length: usize) -> Self {
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        let found = waiting.iter().rposition(|buffer| buffer.length == length);
        if let Some(at) = found {
            let mut buffer = waiting.remove(at);
            buffer.returns = true;
            return buffer;
        }
        drop(waiting);
        Self::allocate(length)
    }

    /// Returns a buffer of `length` zeros.
    pub(super) fn zeros(length: usize) -> Self {
        let mut buffer = Self::any(length);
        buffer.fill(0.0);
        buffer
    }

    fn layout(length: usize) -> Layout {
        let bytes = length.max(1) * size_of::<f32>();
        let alignment = if bytes >= 2 * LARGE_PAGE { LARGE_PAGE } else { LINE };
        // Neither number can be out of range: alignments are powers of two, and the length is that of maps in memory.
        Layout::from_size_align(bytes, alignment).unwrap_or(Layout::new::<f32>())
    }

    fn allocate(length: usize) -> Self {
        let layout = Self::layout(length);
        // SAFETY: the layout has a size above zero.
        let address = unsafe { alloc(layout) };
        let Some(data) = NonNull::new(address.cast::<f32>()) else { handle_alloc_error(layout) };
        if layout.align() == LARGE_PAGE {
            prefer_large_pages(address, layout.size());
        }
        // SAFETY: the memory of this layout, which holds `length` numbers (or one that nobody asks for).
        unsafe { address.write_bytes(0, layout.size()) };
        Self { data, length, returns: true }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.returns {
            let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
            let oldest = (waiting.len() == KEPT).then(|| waiting.remove(0));
            waiting.push(Self { data: self.data, length: self.length, returns: false });
            drop(waiting);
            drop(oldest);
        } else {
            // SAFETY: allocated with this layout; the only owner, for the one that returned it has given it away.
            unsafe { dealloc(self.data.as_ptr().cast(), Self::layout(self.length)) };
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `length` numbers, set to zero when they were allocated, owned by this buffer.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.length) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and borrowed by nobody else.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.length) }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = Self::any(self.length);
        copy.copy_from_slice(self);
        copy
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer of {} numbers", self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_keep_what_is_written() {
        for length in [1, 17, 2 * LARGE_PAGE / 4, 2 * LARGE_PAGE / 4 + 5] {
            let mut buffer = Buffer::zeros(length);
            assert_eq!((buffer.len(), buffer.as_ptr() as usize % LINE), (length, 0));
            assert!(buffer.iter().all(|&value| value == 0.0));
            buffer.fill(3.0);
            assert_eq!(buffer.clone()[length - 1], 3.0);
            drop(buffer);
            assert_eq!(Buffer::zeros(length)[0], 0.0);
        }
    }
}
