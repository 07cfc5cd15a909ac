//! The bytes of a file that is read in parts: the head first, then the samples straight to where they belong, so that an
//! uncompressed image is never in memory twice.

use std::{borrow::Cow, fs::File, ops::Range, path::Path};

use super::file::{self, MOST_BYTES};
use crate::fault::{Fault, Result};

/// Headers are a few hundred bytes; what follows this is samples.
const HEAD_BYTES: usize = 1 << 20;

/// A file, or bytes in memory.
#[derive(Debug)]
pub(super) struct Input<'a> {
    /// All bytes in memory; of a file the first.
    head: Cow<'a, [u8]>,
    /// The file and its length.
    disk: Option<(File, usize)>,
}

/// Some bytes of an input.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'a> {
    /// In memory.
    Memory(&'a [u8]),
    /// In a file, from an offset, so many.
    Disk(&'a File, u64, usize),
}

impl<'a> Input<'a> {
    /// Returns bytes in memory as an input.
    pub(super) fn memory(bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { head: bytes.into(), disk: None }
    }

    /// Opens a file.
    ///
    /// # Errors
    /// As [`file::read`].
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| Fault::file("read the file", path, &error);
        let file = File::open(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        // Small files, and where no part of a file can be read on its own, are read whole.
        if !cfg!(unix) || !about.is_file() || about.len() <= HEAD_BYTES as u64 || about.len() > MOST_BYTES {
            return Ok(Self { head: Cow::Owned(file::read(path)?), disk: None });
        }
        Ok(Self { head: Cow::Owned(file::head(path, HEAD_BYTES)?), disk: Some((file, about.len() as usize)) })
    }

    /// Returns the first bytes: all, or a mebibyte.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Returns the number of bytes.
    pub(super) fn len(&self) -> usize {
        self.disk.as_ref().map_or(self.head.len(), |(_, length)| *length)
    }

    /// Returns all bytes.
    ///
    /// # Errors
    /// Unfit when the file cannot be read.
    pub(super) fn all(&self) -> Result<Cow<'_, [u8]>> {
        let Some((file, length)) = &self.disk else { return Ok(Cow::Borrowed(&self.head)) };
        let mut bytes = vec![0; *length];
        Part::Disk(file, 0, *length).read(&mut bytes)?;
        Ok(Cow::Owned(bytes))
    }

    /// Returns some of the bytes, or nothing where there are not so many.
    pub(super) fn part(&self, range: Range<usize>) -> Option<Part<'_>> {
        match &self.disk {
            None => self.head.get(range).map(Part::Memory),
            Some((file, length)) => (range.start <= range.end && range.end <= *length)
                .then(|| Part::Disk(file, range.start as u64, range.len())),
        }
    }
}

impl<'a> Part<'a> {
    /// Returns the number of bytes.
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::Disk(_, _, length) => length,
        }
    }

    /// Returns a piece of it; a range beyond the end is cut.
    pub(super) fn piece(self, range: Range<usize>) -> Self {
        let (start, end) = (range.start.min(self.len()), range.end.min(self.len()));
        match self {
            Self::Memory(bytes) => Self::Memory(&bytes[start..end]),
            Self::Disk(file, from, _) => Self::Disk(file, from + start as u64, end - start),
        }
    }

    /// Returns it as a stream.
    pub(super) const fn reader(self) -> Reader<'a> {
        Reader { part: self, at: 0 }
    }

    /// Fills `out`, which must be as long.
    ///
    /// # Errors
    /// Unfit when the file cannot be read, or has become shorter.
    pub(super) fn read(self, out: &mut [u8]) -> Result<()> {
        match self {
            Self::Memory(bytes) => {
                out.copy_from_slice(bytes);
                Ok(())
            }
            Self::Disk(file, from, _) => read_at(file, out, from)
                .map_err(|error| Fault::unfit(format!("cannot read the file: {error}")).hint("copy the file again")),
        }
    }
}

/// A part from its beginning to its end.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    part: Part<'a>,
    at: usize,
}

impl std::io::Read for Reader<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let piece = self.part.piece(self.at..self.at.saturating_add(out.len()));
        piece.read(&mut out[..piece.len()]).map_err(|fault| std::io::Error::other(fault.what))?;
        self.at += piece.len();
        Ok(piece.len())
    }
}

#[cfg(unix)]
fn read_at(file: &File, out: &mut [u8], from: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, from)
}

#[cfg(not(unix))]
fn read_at(_: &File, _: &mut [u8], _: u64) -> std::io::Result<()> {
    // No input of this system has a part on disk.
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_large_file_and_its_bytes_in_memory_have_the_same_parts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let bytes: Vec<u8> = (0..3 << 19).map(|v: u32| ((v * 7) >> 3) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let (disk, memory) = (Input::open(&path).unwrap(), Input::memory(&bytes));
        assert_eq!((disk.len(), memory.len(), disk.head().len()), (bytes.len(), bytes.len(), HEAD_BYTES));
        assert!(disk.all().unwrap() == memory.all().unwrap());
        for input in [&disk, &memory] {
            let part = input.part(HEAD_BYTES - 3..HEAD_BYTES + 5).unwrap();
            let mut out = [0; 4];
            part.piece(2..6).read(&mut out).unwrap();
            assert_eq!((part.len(), out.as_slice()), (8, &bytes[HEAD_BYTES - 1..HEAD_BYTES + 3]));
            assert_eq!(part.piece(6..99).len(), 2);
            assert!(input.part(0..bytes.len() + 1).is_none());
            let mut all = Vec::new();
            input.part(5..bytes.len()).unwrap().reader().read_to_end(&mut all).unwrap();
            assert!(all == bytes[5..]);
        }
        assert!(Input::open(folder.path()).is_err());
    }
}
