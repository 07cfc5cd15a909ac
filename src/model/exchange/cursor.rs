//! Reads numbers from bytes that nobody vouches for: every read is checked, every error says at which byte.

use crate::fault::{Fault, Result};

/// A place in a piece of a file.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What the bytes are, for errors: `data.pkl`.
    what: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8], what: &'a str) -> Self {
        Self { bytes, at: 0, what }
    }

    /// Returns the bytes read so far.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Returns what has not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Moves to a place of the same bytes.
    pub(super) fn seek(&mut self, at: usize) {
        self.at = at.min(self.bytes.len());
    }

    /// Returns an error of the bytes at `at`.
    pub(super) fn fault(&self, at: usize, why: impl AsRef<str>) -> Fault {
        Fault::unfit(format!("{} (byte {at} of {})", why.as_ref(), self.what))
    }

    /// Returns the next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let taken = self.rest().get(..count).ok_or_else(|| {
            self.fault(self.at, format!("cut short: {count} bytes are announced, {} are left", self.rest().len()))
        })?;
        self.at += count;
        Ok(taken)
    }

    /// Returns the next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let at = self.at;
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| self.fault(at, "cut short"))
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Returns a length of four bytes.
    pub(super) fn length(&mut self) -> Result<usize> {
        Ok(self.u32()? as usize)
    }

    /// Returns a length of eight bytes; one that no memory holds is an error of its own.
    pub(super) fn long_length(&mut self) -> Result<usize> {
        let (at, length) = (self.at, self.u64()?);
        usize::try_from(length).map_err(|_| self.fault(at, format!("an impossible length: {length}")))
    }

    /// Returns the text up to the next end of line, which is read too.
    pub(super) fn line(&mut self) -> Result<&'a str> {
        let at = self.at;
        let end = self.rest().iter().position(|&byte| byte == b'\n').ok_or_else(|| self.fault(at, "cut short"))?;
        let line = self.take(end)?;
        self.at += 1;
        self.text(line, at)
    }

    /// Returns bytes as text.
    pub(super) fn text(&self, bytes: &'a [u8], at: usize) -> Result<&'a str> {
        std::str::from_utf8(bytes).map_err(|_| self.fault(at, "a name is not UTF-8 text"))
    }
}

/// Returns a name from a file that is fit to be shown: printable, and not long.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(80).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stop_at_the_end() {
        let mut cursor = Cursor::new(b"ab\nc\xff\x01", "test");
        assert_eq!(cursor.line(), Ok("ab"));
        assert_eq!(cursor.u8(), Ok(b'c'));
        assert_eq!(cursor.u32().unwrap_err().what, "cut short: 4 bytes are announced, 2 are left (byte 4 of test)");
        assert_eq!((cursor.at(), cursor.u16()), (4, Ok(0x01ff)));
        assert!(cursor.u8().is_err() && cursor.line().is_err());
    }
}
