//! Execution records: the commit point of a stage. A record keeps the whole pre-image of its key, so that every later
//! question (why, what changed, prove it) can be answered from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{canonical, digest::Digest, key::StageKey};
use crate::fault::{Fault, Result};

/// Version of the form of a record.
const RECORD_SCHEMA: u32 = 1;

/// One output in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blob {
    /// Digest of the file, or of the folder.
    pub digest: Digest,
    /// Bytes of all files.
    pub bytes: u64,
    /// Whether it is a folder.
    pub folder: bool,
}

/// Outputs by port.
pub type Outputs = BTreeMap<String, Blob>;

/// How many members of a collected input there were, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Members that were there.
    pub have: usize,
    /// Members that the plan asks for.
    pub of: usize,
}

/// What one execution did. Holds no path, host or user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Version of this form.
    pub record_schema: u32,
    /// Key.
    pub key: StageKey,
    /// The document whose digest the key is.
    pub pre_image: Value,
    /// Outputs by port.
    pub outputs: Outputs,
    /// Node id at that time, for people and for estimates of time.
    pub node: String,
    /// Op, for estimates of time.
    pub op: String,
    /// Duration of the stage alone.
    pub seconds: f64,
    /// When it was committed, Unix time.
    pub finished_unix_s: u64,
    /// Collected ports that were incomplete.
    pub incomplete: BTreeMap<String, Share>,
    /// Version of the program.
    pub program: String,
}

impl Record {
    /// Returns a record of the present form and program.
    #[must_use]
    pub fn new(key: StageKey, pre_image: Value, node: &str, op: &str) -> Self {
        Self {
            record_schema: RECORD_SCHEMA,
            key,
            pre_image,
            outputs: Outputs::new(),
            node: node.to_owned(),
            op: op.to_owned(),
            seconds: 0.0,
            finished_unix_s: 0,
            incomplete: BTreeMap::new(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Returns the text of the record: canonical JSON with a digest of itself under `check`.
    ///
    /// # Errors
    /// When it has no canonical form.
    pub fn encode(&self) -> Result<String> {
        let mut document = serde_json::to_value(self).map_err(|error| Fault::unfit(format!("record: {error}")))?;
        document["check"] = Value::String(check_of(&document)?);
        canonical::encode(&document)
    }

    /// Returns the record of a text, if it is whole: its check, its schema and its key agree with its content.
    #[must_use]
    pub fn decode(text: &[u8]) -> Option<Self> {
        let mut document: Value = serde_json::from_slice(text).ok()?;
        let check = document.as_object_mut()?.remove("check")?;
        if check.as_str()? != check_of(&document).ok()? {
            return None;
        }
        let record: Self = serde_json::from_value(document).ok()?;
        let whole = record.record_schema == RECORD_SCHEMA && StageKey::of(&record.pre_image).ok()? == record.key;
        whole.then_some(record)
    }
}

fn check_of(document: &Value) -> Result<String> {
    Ok(Digest::derive("calvaria v1 record", canonical::encode(document)?.as_bytes()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_record_round_trips_and_no_flipped_byte_changes_it() {
        let pre_image = json!({"op": "voxelize", "params": {"x": 0.1}});
        let mut record = Record::new(StageKey::of(&pre_image).unwrap(), pre_image, "voxelize@p01", "voxelize");
        record.seconds = 1.25;
        let blob = Blob { digest: Digest::of_bytes(b"label"), bytes: 5, folder: false };
        record.outputs.insert("label".into(), blob);
        let text = record.encode().unwrap();
        assert_eq!(Record::decode(text.as_bytes()), Some(record.clone()));
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let read = Record::decode(&bytes);
            assert!(read.is_none() || read.as_ref() == Some(&record), "byte {at} changed the record");
        }
    }
}
