//! Reads a pack into a folder: all of it and exactly it, or nothing.

use std::{
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::{Read, Write as _},
    path::{Path, PathBuf},
};

use super::{
    TREE, TREE_CONTEXT, TREE_FORMAT,
    header::{BLOCK, Header},
    name::Names,
};
use crate::{
    fault::{Fault, Kind, Result},
    pipeline::digest::Digest,
};

/// Longest list of digests: a hundred thousand files.
const LONGEST_TREE: u64 = 40 << 20;

/// Unpacks into a folder that must not exist yet; returns the digest of the pack's list.
///
/// The files are written into a folder beside it, which takes the name when every byte has been checked: a pack that is
/// damaged leaves nothing.
///
/// # Errors
/// Mismatch (4) when the pack is cut off, changed, or holds a name that leads elsewhere; usage when the folder exists; unfit
/// when it cannot be written.
pub fn unpack(pack: impl Read, folder: &Path) -> Result<Digest> {
    if fs::symlink_metadata(folder).is_ok() {
        return Err(Fault::usage("the folder exists").at(folder.display()).hint("name one that does not"));
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = tempfile::Builder::new()
        .prefix(".unpack-")
        .tempdir_in(parent)
        .map_err(|error| Fault::file("write in the folder", parent, &error))?;
    let digest = Reader { pack, names: Names::default(), tree: format!("{TREE_FORMAT}\n") }.all(beside.path())?;
    let beside = beside.keep();
    fs::rename(&beside, folder).map_err(|error| {
        drop(fs::remove_dir_all(&beside));
        Fault::file("name the folder", folder, &error)
    })?;
    Ok(digest)
}

struct Reader<R: Read> {
    pack: R,
    names: Names,
    tree: String,
}

impl<R: Read> Reader<R> {
    fn all(mut self, folder: &Path) -> Result<Digest> {
        loop {
            let block = self.block()?;
            let header = Header::decode(&block).ok_or_else(|| damaged("a header is not as this program writes it"))?;
            self.names.add(&header.name).map_err(|why| damaged(&format!("`{}`: {why}", header.name)))?;
            if header.name == TREE {
                return self.end(&header);
            }
            let digest = self.contents(&header, &place(folder, &header.name)?)?;
            let kind = if header.executable { 'x' } else { '-' };
            // Writing to a string cannot fail.
            let _infallible = writeln!(self.tree, "{digest} {} {kind} {}", header.bytes, header.name);
        }
    }

    fn contents(&mut self, header: &Header, path: &Path) -> Result<Digest> {
        let cannot = |error: &std::io::Error| Fault::file("write", path, error);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, if header.executable { 0o755 } else { 0o644 });
        let mut file: File = options.open(path).map_err(|error| cannot(&error))?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; 1 << 16];
        let mut left = header.bytes;
        while left > 0 {
            let length = left.min(buffer.len() as u64) as usize;
            let Some(part) = buffer.get_mut(..length) else { break };
            self.pack.read_exact(part).map_err(|_| cut_off())?;
            hasher.update(part);
            file.write_all(part).map_err(|error| cannot(&error))?;
            left -= length as u64;
        }
        self.zeros(header.padding())?;
        Ok(Digest(*hasher.finalize().as_bytes()))
    }

    /// The list must be that of what was read, and nothing may follow it.
    fn end(mut self, header: &Header) -> Result<Digest> {
        if header.bytes > LONGEST_TREE || header.executable {
            return Err(damaged("the list of its files is not as this program writes it"));
        }
        let mut text = vec![0; header.bytes as usize];
        self.pack.read_exact(&mut text).map_err(|_| cut_off())?;
        self.zeros(header.padding())?;
        self.zeros(2 * BLOCK)?;
        let digest = Digest::derive(TREE_CONTEXT, self.tree.as_bytes());
        if text != format!("{}tree {digest}\n", self.tree).as_bytes() {
            let read = self.tree.lines();
            let listed = String::from_utf8_lossy(&text).into_owned();
            let first = read.zip(listed.lines()).find(|(read, listed)| read != listed);
            let name = first.and_then(|(read, _)| read.splitn(4, ' ').nth(3)).unwrap_or(TREE);
            return Err(damaged(&format!("`{name}` is not what was packed")));
        }
        match self.pack.read(&mut [0]) {
            Ok(0) => Ok(digest),
            _ => Err(damaged("something follows its end")),
        }
    }

    fn block(&mut self) -> Result<[u8; BLOCK]> {
        let mut block = [0; BLOCK];
        self.pack.read_exact(&mut block).map_err(|_| cut_off())?;
        Ok(block)
    }

    fn zeros(&mut self, count: usize) -> Result<()> {
        let mut bytes = vec![1; count];
        self.pack.read_exact(&mut bytes).map_err(|_| cut_off())?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(damaged("there are bytes between its files"));
        }
        Ok(())
    }
}

/// Returns where a file goes; its name has been checked, so that is below the folder.
fn place(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent).map_err(|error| Fault::file("create the folder", parent, &error))?;
    Ok(path)
}

fn damaged(why: &str) -> Fault {
    Fault::new(Kind::Mismatch, format!("this is no whole pack: {why}")).hint("nothing was unpacked; get the file again")
}

fn cut_off() -> Fault {
    damaged("it is cut off")
}
