//! The state of a training after an epoch, on disk: complete or absent, and never another training's.
//!
//! The file is safetensors followed by 32 bytes of blake3 over it. It is written beside, synced and renamed; one that is
//! damaged or belongs to other data, parameters or seed is ignored with a warning, and training starts anew.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::{Epoch, TrainParams};
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
const KEY: &str = "calvaria";
const DIGEST: usize = blake3::OUT_LEN;

/// Everything that the next epoch depends on, the data and the seed apart.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) parameters: Vec<f32>,
    pub(super) adam: Adam,
    pub(super) history: Vec<Epoch>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    identity: String,
    learning_rate_bits: u64,
    step: u64,
    history: Vec<PastEpoch>,
}

/// An epoch with its loss as bits: text would not bring them all back.
#[derive(Serialize, Deserialize)]
struct PastEpoch {
    steps: u64,
    loss_bits: u64,
    weights_chain: String,
}

/// Returns what makes a training this training: program, device, parameters, seed and the content of all cases.
pub(super) fn identity(cases: &[TrainingCase<'_>], params: &TrainParams, seed: Seed, device: Device) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("calvaria v1 training");
    // Debug output names every field, and is compared on the same program only.
    hasher.update(format!("{} {params:?} {device:?} {seed:?}", env!("CARGO_PKG_VERSION")).as_bytes());
    let mut bytes = Vec::new();
    for case in cases {
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

/// Returns the digest of the weights after an epoch, chained to the epoch before.
pub(super) fn chain(before: Option<&Epoch>, parameters: &[f32]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("calvaria v1 weights");
    hasher.update(before.map_or("", |epoch| &epoch.weights_chain).as_bytes());
    hasher.update(&parameters.iter().flat_map(|parameter| parameter.to_le_bytes()).collect::<Vec<u8>>());
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
        fs::rename(&beside, &path)?;
        #[cfg(unix)]
        File::open(scratch)?.sync_all()?;
        Ok(())
    };
    write().map_err(|error| Fault::file("write the checkpoint", &path, &error))
}

/// Returns the state that was saved, if there is one and it belongs to this training.
pub(super) fn load(scratch: &Path, identity: &str, net: &Architecture) -> Option<State> {
    let bytes = fs::read(scratch.join(FILE)).ok()?;
    let state = from_bytes(&bytes, identity, net);
    if let Err(why) = &state {
        tracing::warn!("the checkpoint is not used, training starts anew: {why}");
    }
    state.ok()
}

fn to_bytes(identity: &str, state: &State) -> Result<Vec<u8>> {
    let past = |epoch: &Epoch| PastEpoch {
        steps: epoch.steps,
        loss_bits: epoch.loss.to_bits(),
        weights_chain: epoch.weights_chain.clone(),
    };
    let header = Header {
        identity: identity.to_owned(),
        learning_rate_bits: state.adam.learning_rate.to_bits(),
        step: state.adam.step,
        history: state.history.iter().map(past).collect(),
    };
    let failed = |error: &dyn std::fmt::Display| Fault::unfit(format!("the checkpoint cannot be written: {error}"));
    let header = serde_json::to_string(&header).map_err(|error| failed(&error))?;
    let tensors = [("parameters", &state.parameters), ("first", &state.adam.first), ("second", &state.adam.second)]
        .map(|(name, values)| (name, Named { shape: vec![values.len()], values }));
    let mut bytes = safetensors::serialize(tensors, Some(HashMap::from([(KEY.to_owned(), header)])))
        .map_err(|error| failed(&error))?;
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
    let values = |name: &str| -> std::result::Result<Vec<f32>, String> {
        let values: Vec<f32> = floats(tensors.tensor(name).map_err(|error| error.to_string())?.data()).collect();
        (values.len() == net.parameter_count()).then_some(values).ok_or_else(|| "its size is wrong".to_owned())
    };
    let epoch = |(index, past): (usize, PastEpoch)| Epoch {
        epoch: index as u64 + 1,
        steps: past.steps,
        loss: f64::from_bits(past.loss_bits),
        weights_chain: past.weights_chain,
    };
    Ok(State {
        parameters: values("parameters")?,
        adam: Adam {
            learning_rate: f64::from_bits(header.learning_rate_bits),
            step: header.step,
            first: values("first")?,
            second: values("second")?,
        },
        history: header.history.into_iter().enumerate().map(epoch).collect(),
    })
}
