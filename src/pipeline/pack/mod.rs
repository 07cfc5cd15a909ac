//! A study in one file: what a stranger needs to make its tables again, offline, and to see that they are the same.
//!
//! ```text
//! pack.json                  what this is, and how the study was asked for
//! pipelines/<name>.yaml      the pipeline, and its lock file beside it
//! pipelines/<name>.lock
//! <manifest>                 where the pipeline names it
//! store/ac/<key>/<n>.json    all execution records
//! store/cas/ab/<blake3>      the inputs of what is published, or everything
//! results/<name>/*           the published results: what a replay has to give again
//! data/*                     the manifest's files, on request
//! bin/calvaria               the program
//! TREE                       digest and length of each file above, and one of them all
//! ```
//! The file is a plain tar (`tar tf` lists it) with nothing in it that depends on when, where or by whom it was made; a
//! reader takes each header only if it is, byte for byte, the one that would be written, so no byte can change unseen.

pub mod contents;
mod header;
pub mod name;
mod read;
mod write;

pub use read::unpack;
pub use write::Writer;

/// Name of the last file of a pack.
pub const TREE: &str = "TREE";
/// First line of [`TREE`].
const TREE_FORMAT: &str = "calvaria-pack-tree 1";
/// What the digest of [`TREE`] is derived in.
const TREE_CONTEXT: &str = "calvaria v1 pack";

#[cfg(test)]
mod tests;
