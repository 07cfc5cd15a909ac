//! Writes a pack: file after file, then the list of their digests.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Write},
    path::Path,
};

use super::{
    TREE, TREE_CONTEXT, TREE_FORMAT,
    header::{BLOCK, Header},
    name::Names,
};
use crate::{
    fault::{Fault, Result},
    pipeline::digest::Digest,
};

/// A pack being written.
pub struct Writer<W: Write> {
    sink: W,
    names: Names,
    tree: String,
}

impl<W: Write> Writer<W> {
    /// Begins a pack.
    pub fn new(sink: W) -> Self {
        Self { sink, names: Names::default(), tree: format!("{TREE_FORMAT}\n") }
    }

    /// Adds a file of these bytes.
    ///
    /// # Errors
    /// Unfit when the name may not be in a pack, or writing fails.
    pub fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.begin(name, bytes.len() as u64, false)?;
        self.put(bytes)?;
        self.end(name, bytes.len() as u64, false, Digest::of_bytes(bytes))
    }

    /// Adds a copy of a file.
    ///
    /// # Errors
    /// As [`Self::bytes`]; when the file cannot be read, or changes meanwhile.
    pub fn file(&mut self, name: &str, path: &Path, executable: bool) -> Result<()> {
        let cannot = |error: &io::Error| Fault::file("read", path, error);
        let mut file = File::open(path).map_err(|error| cannot(&error))?;
        let length = file.metadata().map_err(|error| cannot(&error))?.len();
        self.begin(name, length, executable)?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = io::Read::read(&mut file, &mut buffer).map_err(|error| cannot(&error))?;
            let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { break };
            hasher.update(part);
            self.put(part)?;
        }
        if hasher.count() != length {
            return Err(Fault::unfit("a file changed while it was packed").at(path.display()).hint("pack again"));
        }
        self.end(name, length, executable, Digest(*hasher.finalize().as_bytes()))
    }

    /// Ends the pack with the list of what it holds; returns the digest of that list, which stands for all bytes.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(mut self) -> Result<Digest> {
        let digest = Digest::derive(TREE_CONTEXT, self.tree.as_bytes());
        let text = format!("{}tree {digest}\n", self.tree);
        self.begin(TREE, text.len() as u64, false)?;
        self.put(text.as_bytes())?;
        self.pad(text.len() as u64)?;
        self.put(&[0; 2 * BLOCK])?;
        self.sink.flush().map_err(|error| cannot_write(&error))?;
        Ok(digest)
    }

    fn begin(&mut self, name: &str, bytes: u64, executable: bool) -> Result<()> {
        self.names.add(name).map_err(|why| Fault::unfit(format!("`{name}` cannot be packed: {why}")))?;
        let header = Header { name: name.to_owned(), bytes, executable };
        let block = header.encode().ok_or_else(|| {
            Fault::unfit(format!("`{name}` cannot be packed: its name is too long, or it is larger than 8 GiB"))
        })?;
        self.put(&block)
    }

    fn end(&mut self, name: &str, bytes: u64, executable: bool, digest: Digest) -> Result<()> {
        self.pad(bytes)?;
        // Writing to a string cannot fail.
        let _infallible = writeln!(self.tree, "{digest} {bytes} {} {name}", if executable { 'x' } else { '-' });
        Ok(())
    }

    fn pad(&mut self, bytes: u64) -> Result<()> {
        let padding = Header { name: String::new(), bytes, executable: false }.padding();
        self.put(&[0; BLOCK][..padding])
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.sink.write_all(bytes).map_err(|error| cannot_write(&error))
    }
}

fn cannot_write(error: &io::Error) -> Fault {
    Fault::unfit(format!("cannot write the pack: {error}"))
}
