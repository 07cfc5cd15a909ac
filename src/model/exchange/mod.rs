//! Networks from and for other programs: PyTorch checkpoints in and out, ONNX out.
//!
//! ```text
//! FILE.pt  zip | legacy ─▶ pickle (nothing is executed) ─▶ named tensors ─┐
//! FILE.safetensors with a state dict's names ─────────────▶ named tensors ┴▶ state ─▶ Model
//! Model ─▶ state ─▶ FILE.pt, FILE.safetensors with those names            Model ─▶ onnx ─▶ FILE.onnx
//! ```

mod cursor;
mod named;
mod onnx;
mod pickle;
mod scaling;
mod state;
mod torch;
mod zip;

#[cfg(test)]
mod tests;

pub use onnx::to_onnx;
pub use state::{ImportOptions, Imported};

use super::Model;
use crate::fault::{Fault, Result};

/// Returns the network in the bytes of a PyTorch checkpoint, or of a safetensors file with a state dict's names.
///
/// # Errors
/// Unfit, saying where and why, when the bytes are broken, ask for anything but data, or hold no segmentation MSDnet; usage
/// when an option makes no sense.
pub fn import(bytes: &[u8], options: &ImportOptions) -> Result<Imported> {
    if let Some([scale, offset]) = options.from_hu
        && !(scale.is_finite() && offset.is_finite() && scale != 0.0)
    {
        return Err(Fault::usage(format!(
            "the way from HU needs two numbers, the first not zero: not {scale}, {offset}"
        )));
    }
    if torch::looks_like_one(bytes) {
        return state::import(&torch::Checkpoint::open(bytes)?, options, bytes.len());
    }
    state::import(&named::Named::open(bytes)?, options, bytes.len())
}

/// Returns a checkpoint that `torch.load(weights_only=True)` opens, with the names of `msd_pytorch`.
///
/// What its state dict does not hold (dilations, border, clamping, exact constants) stands beside it under `calvaria`.
///
/// # Errors
/// Unfit when the model's parameters do not fit its architecture.
pub fn to_torch(model: &Model) -> Result<Vec<u8>> {
    check(model)?;
    torch::write(&state::tensors(model), &state::header_of(model)?, state::FROZEN)
}

/// Returns a safetensors file with the names of `msd_pytorch`.
///
/// # Errors
/// Unfit when the model's parameters do not fit its architecture.
pub fn to_named_safetensors(model: &Model) -> Result<Vec<u8>> {
    check(model)?;
    named::write(&state::tensors(model), state::header_of(model)?)
}

fn check(model: &Model) -> Result<()> {
    model.architecture.check()?;
    model.normalisation.check()?;
    (model.parameters.len() == model.architecture.parameter_count())
        .then_some(())
        .ok_or_else(|| Fault::unfit("the model's parameters do not fit its architecture"))
}
