//! The manifest: which cases there are, where their files lie, how to read them, and who is in which split. It gives the
//! pipeline its items, and refuses a scan that is in two splits.
//!
//! Paths in a manifest are relative to its `root`, so that the committed file names no machine.

mod check;
mod field;
mod parse;
pub mod scan;
mod schema;
#[cfg(test)]
mod tests;
mod verify;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Map, Value};

pub use self::schema::schema;
use crate::{
    fault::Result,
    pipeline::{
        diagnose::{Mark, Source},
        plan::{Field, Item},
    },
};

/// Version of the file format that this program reads.
pub const VERSION: u64 = 1;

/// What a case is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Split {
    /// The network sees it with its label.
    Train,
    /// It chooses between epochs or thresholds.
    Validation,
    /// It is measured on, and seen by nothing before.
    Test,
    /// It is left out.
    Exclude,
}

impl Split {
    /// All splits.
    pub const ALL: [Self; 4] = [Self::Train, Self::Validation, Self::Test, Self::Exclude];

    /// Returns the word in the file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
            Self::Exclude => "exclude",
        }
    }
}

/// A manifest, checked as far as that goes without its data.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The file.
    pub source: Arc<Source>,
    /// Where the paths begin: `root:` beside the file, or `--data-root`. Never stored.
    pub root: PathBuf,
    /// All cases in the order of the file, excluded ones too.
    pub cases: Vec<Case>,
}

/// A case as the manifest states it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Chosen id: `c07`.
    pub id: String,
    /// Where the id stands.
    pub mark: Mark,
    /// What it is used for.
    pub split: Split,
    /// Any other scalar of the case, as spelled.
    pub attributes: BTreeMap<String, String>,
    /// `ct`, `gold`, `defect`, `label`, and any other mapping of the case.
    pub fields: BTreeMap<String, CaseField>,
}

/// A field of a case.
#[derive(Clone, Debug, Default)]
pub struct CaseField {
    /// Kind of artifact.
    pub kind: String,
    /// Path below the root, with where it stands.
    pub path: Option<(PathBuf, Mark)>,
    /// How to read it; what would say the default is left out.
    pub options: Map<String, Value>,
    /// Declared digest: blake3 in lower-case hex, possibly shortened.
    pub declared: Option<String>,
    /// Declared number of files of the series.
    pub files: Option<u64>,
    /// Where the field stands.
    pub mark: Mark,
}

impl Manifest {
    /// Reads a manifest. Nothing below its root is looked at; [`Manifest::check_paths`] does that.
    ///
    /// # Errors
    /// Usage, with line and column, when the file is not a manifest of this version, an id or path is not allowed, an id
    /// stands twice, or the same scan is stated in two splits.
    pub fn load(path: &Path, data_root: Option<&Path>) -> Result<Self> {
        Self::parse(Source::read(path, "manifest")?, data_root)
    }

    /// Parses a manifest; touches no file.
    ///
    /// # Errors
    /// As [`Manifest::load`].
    pub fn parse(source: Source, data_root: Option<&Path>) -> Result<Self> {
        let manifest = parse::parse(&Arc::new(source), data_root)?;
        manifest.stated_leaks()?;
        Ok(manifest)
    }

    /// Returns the cases as the pipeline sees them, in the order of the file; excluded ones are not among them.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        self.used().map(|case| self.item(case)).collect()
    }

    fn used(&self) -> impl Iterator<Item = &Case> {
        self.cases.iter().filter(|case| case.split != Split::Exclude)
    }

    fn item(&self, case: &Case) -> Item {
        let mut attributes = case.attributes.clone();
        attributes.insert("split".to_owned(), case.split.word().to_owned());
        Item {
            id: case.id.clone(),
            attributes,
            fields: case.fields.iter().map(|(name, field)| (name.clone(), self.field(field))).collect(),
            place: self.source.place(case.mark),
        }
    }

    fn field(&self, field: &CaseField) -> Field {
        Field {
            kind: field.kind.clone(),
            path: field.path.as_ref().map(|(path, _)| self.below_root(path)),
            options: field.options.clone(),
            declared: field.declared.clone(),
            place: self.source.place(field.mark),
        }
    }

    /// Returns the absolute path of something below the root.
    fn below_root(&self, path: &Path) -> PathBuf {
        let joined = self.root.join(path);
        std::path::absolute(&joined).unwrap_or(joined)
    }
}
