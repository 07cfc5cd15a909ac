//! Data files that a header names. A header may come from anybody, so what it names must lie in the header's own folder or
//! below it: no absolute path, no `..`, and no symbolic link that leads out. Links that the user's own path goes through
//! are followed.

use std::path::{Component, Path, PathBuf};

use super::input::Input;
use crate::fault::{Fault, Result};

/// Opens the data file that a header names.
///
/// # Errors
/// As [`locate`], and when it cannot be read.
pub(super) fn open(header: &Path, name: &str) -> Result<Input<'static>> {
    // The place of an error is the header; the name is text of the file, so it is not repeated.
    Input::open(&locate(header, name)?).map_err(|fault| Fault { place: None, ..fault })
}

/// Returns where the data file is that a header names.
///
/// # Errors
/// Unfit when the name leads out of the header's folder, or there is no such file.
pub(super) fn locate(header: &Path, name: &str) -> Result<PathBuf> {
    let outside = || {
        Fault::unfit("the header points to a data file outside its own folder")
            .hint("put the data file beside the header and name it without a folder")
    };
    let missing = || Fault::unfit("the data file that the header names is missing").hint("put it beside the header");
    let inside = Path::new(name);
    let plain = inside.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    // Backslashes and drive letters are paths elsewhere, wherever the header is read.
    if !plain || name.is_empty() || name.contains(['\\', ':', '\0']) {
        return Err(outside());
    }
    let folder = match header.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let folder = folder.canonicalize().map_err(|_| missing())?;
    let path = folder.join(inside).canonicalize().map_err(|_| missing())?;
    if !path.starts_with(&folder) {
        return Err(outside());
    }
    if !path.is_file() {
        return Err(missing());
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("in");
        std::fs::create_dir_all(inner.join("sub")).unwrap();
        std::fs::write(folder.path().join("secret"), "outside").unwrap();
        std::fs::write(inner.join("a.raw"), "beside").unwrap();
        std::fs::write(inner.join("sub/b.raw"), "below").unwrap();
        let header = inner.join("a.nhdr");
        let read = |header: &Path, name: &str| open(header, name).map(|input| input.head().to_vec());
        assert_eq!(read(&header, "a.raw").unwrap(), b"beside");
        assert_eq!(read(&header, "./sub/b.raw").unwrap(), b"below");
        let refused = |name: &str| read(&header, name).unwrap_err().what;
        let absolute = folder.path().join("secret").display().to_string();
        for name in ["../secret", "sub/../../secret", &absolute, "", "C:\\secret", "..\\secret", "/etc/passwd"] {
            assert!(refused(name).contains("outside"), "{name}");
        }
        assert!(refused("nothing.raw").contains("missing") && refused("sub").contains("missing"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.path().join("secret"), inner.join("out.raw")).unwrap();
            std::os::unix::fs::symlink("a.raw", inner.join("in.raw")).unwrap();
            assert!(refused("out.raw").contains("outside"), "a link that leads out");
            assert_eq!(read(&header, "in.raw").unwrap(), b"beside", "a link within the folder");
        }
    }
}
