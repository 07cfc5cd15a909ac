//! The state of a training on disk, at any step: complete or absent, and never another training's.
//!
//! The file is safetensors followed by 32 bytes of blake3 over it. It is written beside and synced; then the one before is
//! kept under another name and the new one takes its place. A file that is damaged or belongs to other data, parameters or
//! seed is ignored with a warning; the one before it is tried, and without it training starts anew.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::{
    TrainParams,
    history::{Epoch, StepDigest, Validation},
};
use crate::{
    fault::{Fault, Result},
    model::{
        adam::Adam,
        data::TrainingCase,
        device::Device,
        file::{Named, floats},
        msdnet::Architecture,
    },
    numeric::Seed,
};

const FILE: &str = "checkpoint.safetensors";
const BEFORE: &str = "checkpoint.before.safetensors";
const KEY: &str = "calvaria";
const DIGEST: usize = blake3::OUT_LEN;

/// Everything that the next step depends on, the data and the seed apart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    pub(super) parameters: Vec<f32>,
    pub(super) adam: Adam,
    /// Finished epochs.
    pub(super) epochs: Vec<Epoch>,
    pub(super) digests: Vec<StepDigest>,
    /// Losses of the steps of the unfinished epoch: their number says where it stands.
    pub(super) losses: Vec<f32>,
    /// Weights of the best epoch, where they may become the model.
    pub(super) best: Option<Vec<f32>>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    identity: String,
    learning_rate_bits: u64,
    step: u64,
    epochs: Vec<PastEpoch>,
    digests: Vec<(u64, String)>,
}

/// An epoch with its numbers as bits: text would not bring them all back.
#[derive(Serialize, Deserialize)]
struct PastEpoch {
    steps: u64,
    loss_bits: u64,
    validation_bits: [Option<u64>; 2],
    weights_chain: String,
}

/// Returns what makes a training this training: program, device, parameters, seed and the content of all cases.
pub(super) fn identity(
    training: &[TrainingCase<'_>],
    validation: &[TrainingCase<'_>],
    params: &TrainParams,
    seed: Seed,
    device: Device,
) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("calvaria v1 training");
    // Debug output names every field, and is compared on the same program only.
    hasher
        .update(format!("{} {params:?} {device:?} {seed:?} {}", env!("CARGO_PKG_VERSION"), training.len()).as_bytes());
    let mut bytes = Vec::new();
    for case in training.iter().chain(validation) {
        hasher.update(format!("{:?}", case.ct.grid).as_bytes());
        for voxels in case.ct.data.chunks(1 << 16) {
            bytes.clear();
            bytes.extend(voxels.iter().flat_map(|hu| hu.to_le_bytes()));
            hasher.update(&bytes);
        }
        hasher.update(&case.label.data);
    }
    hasher.finalize().to_hex().to_string()
}

/// Writes the state: beside, synced, renamed, and the folder synced.
pub(super) fn save(scratch: &Path, identity: &str, state: &State) -> Result<()> {
    let bytes = to_bytes(identity, state)?;
    let (path, beside) = (scratch.join(FILE), scratch.join(format!("{FILE}.new")));
    let write = || -> io::Result<()> {
        fs::create_dir_all(scratch)?;
        let mut file = File::create(&beside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        // Killed between the two renames, the next run finds the state before.
        if path.exists() {
            fs::rename(&path, scratch.join(BEFORE))?;
        }
        fs::rename(&beside, &path)?;
        #[cfg(unix)]
        File::open(scratch)?.sync_all()?;
        Ok(())
    };
    write().map_err(|error| Fault::file("write the checkpoint", &path, &error))
}

/// Returns the state that was saved, if there is one and it belongs to this training.
pub(super) fn load(scratch: &Path, identity: &str, net: &Architecture) -> Option<State> {
    [FILE, BEFORE].into_iter().find_map(|name| {
        let bytes = fs::read(scratch.join(name)).ok()?;
        let state = from_bytes(&bytes, identity, net);
        if let Err(why) = &state {
            tracing::warn!("{name} is not used: {why}");
        }
        state.ok()
    })
}

fn to_bytes(identity: &str, state: &State) -> Result<Vec<u8>> {
    let past = |epoch: &Epoch| PastEpoch {
        steps: epoch.steps,
        loss_bits: epoch.loss.to_bits(),
        validation_bits: [epoch.validation.loss, epoch.validation.dice].map(|value| value.map(f64::to_bits)),
        weights_chain: epoch.weights_chain.clone(),
    };
    let header = Header {
        identity: identity.to_owned(),
        learning_rate_bits: state.adam.learning_rate.to_bits(),
        step: state.adam.step,
        epochs: state.epochs.iter().map(past).collect(),
        digests: state.digests.iter().map(|digest| (digest.step, digest.weights_chain.clone())).collect(),
    };
    let failed = |error: &dyn std::fmt::Display| Fault::unfit(format!("the checkpoint cannot be written: {error}"));
    let header = serde_json::to_string(&header).map_err(|error| failed(&error))?;
    let tensors = [
        ("parameters", Some(&state.parameters)),
        ("first", Some(&state.adam.first)),
        ("second", Some(&state.adam.second)),
        ("best", state.best.as_ref()),
        ("losses", Some(&state.losses)),
    ];
    let tensors = tensors.into_iter().filter_map(|(name, values)| {
        let values = values.filter(|values| !values.is_empty())?;
        Some((name, Named { shape: vec![values.len()], values }))
    });
    let metadata = Some(HashMap::from([(KEY.to_owned(), header)]));
    let mut bytes = safetensors::serialize(tensors, metadata).map_err(|error| failed(&error))?;
    let digest = blake3::hash(&bytes);
    bytes.extend(digest.as_bytes());
    Ok(bytes)
}

fn from_bytes(bytes: &[u8], identity: &str, net: &Architecture) -> std::result::Result<State, String> {
    let (bytes, digest) = bytes.split_at(bytes.len().saturating_sub(DIGEST));
    if blake3::hash(bytes).as_bytes() != digest {
        return Err("it is damaged".to_owned());
    }
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let header = metadata.metadata().as_ref().and_then(|map| map.get(KEY)).ok_or("it has no header")?;
    let header: Header = serde_json::from_str(header).map_err(|error| error.to_string())?;
    if header.identity != identity {
        return Err("it belongs to other data, parameters or another seed".to_owned());
    }
    let optional = |name: &str| tensors.tensor(name).ok().map(|tensor| floats(tensor.data()).collect::<Vec<f32>>());
    let fitting = |values: Vec<f32>| {
        (values.len() == net.parameter_count()).then_some(values).ok_or_else(|| "its size is wrong".to_owned())
    };
    let values = |name: &str| fitting(optional(name).ok_or_else(|| format!("it has no `{name}`"))?);
    let epoch = |(number, past): (u64, PastEpoch)| {
        let [loss, dice] = past.validation_bits.map(|bits| bits.map(f64::from_bits));
        Epoch {
            epoch: number,
            steps: past.steps,
            loss: f64::from_bits(past.loss_bits),
            validation: Validation { loss, dice },
            weights_chain: past.weights_chain,
        }
    };
    let digest = |(step, weights_chain)| StepDigest { step, weights_chain };
    Ok(State {
        parameters: values("parameters")?,
        adam: Adam {
            learning_rate: f64::from_bits(header.learning_rate_bits),
            step: header.step,
            first: values("first")?,
            second: values("second")?,
        },
        epochs: (1..).zip(header.epochs).map(epoch).collect(),
        digests: header.digests.into_iter().map(digest).collect(),
        losses: optional("losses").unwrap_or_default(),
        best: optional("best").map(fitting).transpose()?,
    })
}
