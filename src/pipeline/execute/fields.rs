//! The content of the manifest's files and folders: there before anything runs, hashed once in a run, as declared.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use serde_json::json;

use super::Context;
use crate::{
    fault::{Fault, Kind, Result},
    pipeline::{
        canonical,
        digest::Digest,
        lockfile::Lock,
        origin::label_of,
        plan::{Field, Plan, Source},
    },
};

type Slot = Arc<OnceLock<Result<Digest>>>;

/// Digests of fields by case and name, each computed once.
pub(in crate::pipeline) struct Fields<'a> {
    context: &'a Context<'a>,
    known: Mutex<BTreeMap<(&'a str, &'a str), Slot>>,
}

impl<'a> Fields<'a> {
    pub(in crate::pipeline) fn new(context: &'a Context<'a>) -> Self {
        Self { context, known: Mutex::default() }
    }

    /// Returns the digests that a lock file has of the fields of a plan; those that it has not are a fault. Reads nothing.
    pub(in crate::pipeline) fn locked(context: &'a Context<'a>, plan: &'a Plan, lock: &Lock) -> Self {
        let fields = Self::new(context);
        let mut known = BTreeMap::new();
        for node in &plan.nodes {
            for source in node.inputs.values().flatten() {
                let Source::Field { case, name, field } = source else { continue };
                let entry = lock.entries.get(&node.id);
                let digest = entry.and_then(|entry| entry.digest_of(&label_of(source, plan)));
                let locked = digest
                    .ok_or_else(|| {
                        Fault::new(Kind::Differs, format!("the lock file does not have {}", label_of(source, plan)))
                    })
                    .and_then(|digest| declared_as(digest, case, name, field));
                known.insert((case.as_str(), name.as_str()), Arc::new(OnceLock::from(locked)));
            }
        }
        *fields.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
        fields
    }

    /// Returns the digest of a field, checked against what the manifest declares.
    pub(in crate::pipeline) fn digest(&self, case: &'a str, name: &'a str, field: &Field) -> Result<Digest> {
        let slot = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry((case, name)).or_default())
        };
        slot.get_or_init(|| {
            let digest = self.fresh(field)?;
            declared_as(digest, case, name, field)
        })
        .clone()
    }

    /// Returns the digest of a field as it is now.
    pub(super) fn fresh(&self, field: &Field) -> Result<Digest> {
        if field.path.is_some() {
            return self.context.fingerprint.digest(field, self.context.cache);
        }
        // A value that lives in the manifest alone is its own content.
        let value = canonical::encode(&json!({"kind": field.kind, "options": field.options}))?;
        Ok(Digest::derive("calvaria v1 value", value.as_bytes()))
    }
}

fn declared_as(digest: Digest, case: &str, name: &str, field: &Field) -> Result<Digest> {
    let Some(declared) = &field.declared else { return Ok(digest) };
    let found = digest.to_string();
    if found.starts_with(&declared.to_ascii_lowercase()) {
        return Ok(digest);
    }
    let shown = &found[..declared.len().clamp(6, found.len())];
    Err(Fault::unfit(format!("case {case}: `{name}` is not what the manifest declares: {shown}, not {declared}"))
        .at(&field.place)
        .hint(format!("restore the file, or write `blake3: {shown}` if the new content is meant")))
}

/// Checks that every file and folder that the nodes need is there, before anything is executed.
///
/// # Errors
/// Usage, with the path and the line of the manifest.
pub fn check_inputs(plan: &Plan, only: Option<&BTreeSet<usize>>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for (index, node) in plan.nodes.iter().enumerate() {
        if only.is_some_and(|only| !only.contains(&index)) {
            continue;
        }
        for source in node.inputs.values().flatten() {
            let Source::Field { case, name, field } = source else { continue };
            let Some(path) = field.path.as_deref().filter(|_| seen.insert((case, name))) else { continue };
            if let Err(error) = std::fs::metadata(path) {
                if case.is_empty() {
                    return Err(Fault::file("read", path, &error)
                        .within(format!("{}: `{name}`", node.id))
                        .hint("a program is looked for in PATH, or beside the pipeline if its name has a `/`"));
                }
                return Err(Fault::file("read", path, &error)
                    .within(format!("case {case}: `{name}`"))
                    .hint(format!("it is named at {}; --data-root DIR puts the data elsewhere", field.place)));
            }
        }
    }
    Ok(())
}
