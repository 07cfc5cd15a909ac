//! The bits of a JPEG-LS scan: after a byte of ones the next byte gives seven bits only (A.1, C.3), and Golomb codes on top.

use super::{damaged, header::Header};
use crate::fault::Result;

pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The bits that were loaded, at the top.
    held: u64,
    count: u32,
    after_ones: bool,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, held: 0, count: 0, after_ones: false }
    }

    /// Loads whole bytes while there is room; stops before a marker.
    fn fill(&mut self) {
        while self.count <= 56 {
            let Some(&byte) = self.bytes.get(self.at) else { return };
            let width = if self.after_ones { 7 } else { 8 };
            if self.after_ones && byte >= 0x80 {
                return;
            }
            self.held |= u64::from(byte) << (64 - width - self.count);
            self.count += width;
            self.after_ones = byte == 0xFF;
            self.at += 1;
        }
    }

    pub(super) fn bit(&mut self) -> Result<u32> {
        self.take(1)
    }

    /// Returns the next `count` bits, at most 32.
    pub(super) fn take(&mut self, count: u32) -> Result<u32> {
        if count == 0 {
            return Ok(0);
        }
        if self.count < count {
            self.fill();
        }
        if self.count < count {
            return Err(damaged());
        }
        let value = (self.held >> (64 - count)) as u32;
        self.drop(count);
        Ok(value)
    }

    fn drop(&mut self, count: u32) {
        self.held = if count < 64 { self.held << count } else { 0 };
        self.count -= count;
    }

    /// Returns a number in a Golomb code of parameter `k` whose unary part is limited (A.5.3).
    pub(super) fn golomb(&mut self, k: u32, limit: u32, header: &Header) -> Result<i32> {
        let most = limit - header.error_bits - 1;
        let mut zeros = 0;
        loop {
            if self.count == 0 {
                self.fill();
            }
            let run = self.held.leading_zeros().min(self.count);
            zeros += run;
            if zeros > most {
                return Err(damaged());
            }
            if run < self.count {
                self.drop(run + 1);
                break;
            }
            self.drop(run);
            if self.at >= self.bytes.len() || (self.after_ones && self.bytes[self.at] >= 0x80) {
                return Err(damaged());
            }
        }
        let number = if zeros < most {
            i64::from(zeros) << k | i64::from(self.take(k)?)
        } else {
            i64::from(self.take(header.error_bits)?) + 1
        };
        // Errors are taken modulo their range, so no number is larger than this.
        i32::try_from(number).ok().filter(|&number| number <= header.range + 1).ok_or_else(damaged)
    }
}
