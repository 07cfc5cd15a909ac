//! What the file system says of a file without opening it.

use std::{fs, io, path::Path};

/// Identity, size and times of a file: while none of them changes, its content is taken not to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileStat {
    /// Device.
    pub(super) device: u64,
    /// Inode.
    pub(super) inode: u64,
    /// Size in bytes.
    pub(super) size: u64,
    /// Last change of the content, nanoseconds since 1970.
    pub(super) mtime_ns: i128,
    /// Last change of the content or the inode, nanoseconds since 1970.
    pub(super) ctime_ns: i128,
}

impl FileStat {
    /// Looks at a file or folder, through links.
    ///
    /// # Errors
    /// When it is not there.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::of_metadata(&fs::metadata(path)?, path))
    }

    #[cfg(unix)]
    fn of_metadata(meta: &fs::Metadata, _: &Path) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            mtime_ns: nanoseconds(meta.mtime(), meta.mtime_nsec()),
            ctime_ns: nanoseconds(meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// Where the system gives no inode, the path stands for it.
    #[cfg(not(unix))]
    fn of_metadata(meta: &fs::Metadata, path: &Path) -> Self {
        let since_1970 = |time: io::Result<std::time::SystemTime>| {
            let time = time.ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
            time.map_or(0, |time| i128::try_from(time.as_nanos()).unwrap_or(i128::MAX))
        };
        let name = blake3::hash(path.to_string_lossy().as_bytes());
        let inode = name.as_bytes()[..8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let mtime_ns = since_1970(meta.modified());
        Self { device: 0, inode, size: meta.len(), mtime_ns, ctime_ns: since_1970(meta.created()) }
    }
}
