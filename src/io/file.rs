//! Whole files in and out of memory: reading below a limit, writing beside and renaming.

use std::{
    fs::File,
    io::{BufWriter, Read as _, Write as _},
    path::Path,
};

use crate::fault::{Fault, Result};

/// No single file may be larger than this, nor any image in memory (as `f32`).
pub(super) const MOST_BYTES: u64 = 4 << 30;

/// Returns the fault with the file before the place in it: `head.nrrd, header line 7`.
pub(super) fn in_file(fault: Fault, path: &Path) -> Fault {
    let place = match &fault.place {
        Some(inner) => format!("{}, {inner}", path.display()),
        None => path.display().to_string(),
    };
    Fault { place: Some(place), ..fault }
}

/// Returns the first bytes of a file, at most `count`.
pub(super) fn head(path: &Path, count: usize) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|error| Fault::file("read the file", path, &error))?;
    let mut bytes = Vec::with_capacity(count);
    file.take(count as u64).read_to_end(&mut bytes).map_err(|error| Fault::file("read the file", path, &error))?;
    Ok(bytes)
}

/// Returns a file's bytes.
///
/// # Errors
/// Usage when it does not exist; unfit when it is no regular file, too large, or cannot be read.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Fault::file("read the file", path, &error);
    let file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() {
        return Err(Fault::unfit("this is not a regular file").at(path.display()));
    }
    if about.len() > MOST_BYTES {
        return Err(Fault::unfit(format!("the file has {} bytes, more than the limit of {MOST_BYTES}", about.len()))
            .at(path.display()));
    }
    let mut bytes = Vec::with_capacity(about.len() as usize);
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Writes a file beside its place and renames it, so that nobody sees half of it and a failure leaves nothing.
///
/// # Errors
/// Usage when the folder does not exist; unfit when writing fails.
pub(super) fn write(path: &Path, parts: &[&[u8]]) -> Result<()> {
    let failed = |error: &std::io::Error| Fault::file("write the file", path, error);
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The user's umask applies to this; the crate's default would hide results from the group.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let beside = builder.prefix(".calvaria-").tempfile_in(folder).map_err(|error| failed(&error))?;
    let mut to = BufWriter::with_capacity(1 << 20, beside);
    for part in parts {
        to.write_all(part).map_err(|error| failed(&error))?;
    }
    let beside = to.into_inner().map_err(|error| failed(error.error()))?;
    beside.persist(path).map_err(|error| failed(&error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write(&path, &[b"first"]).unwrap();
        write(&path, &[b"se", b"cond"]).unwrap();
        assert_eq!(read(&path).unwrap(), b"second");
        assert_eq!(head(&path, 3).unwrap(), b"sec");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn a_missing_file_is_the_commands_fault_and_a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&folder.path().join("no")).unwrap_err().kind.exit_code(), 2);
        assert_eq!(read(folder.path()).unwrap_err().kind.exit_code(), 3);
        assert!(write(&folder.path().join("no/a"), &[b"x"]).is_err());
    }
}
