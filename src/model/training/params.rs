//! What a pipeline may say about training.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    model::{border::Border, dilations::Preset, msdnet::Architecture},
    pipeline::stage::Params,
};

/// Parameters of a training; the defaults are the study's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainParams {
    /// Dilations and initial weights: `public` (1-10 repeated) or `v0.5` (2-10, 1 repeated).
    pub preset: Preset,
    /// Number of layers.
    pub depth: usize,
    /// Maps a layer.
    pub width: usize,
    /// Number of classes, background included.
    pub classes: usize,
    /// Neighbouring slices on either side that become input channels; 0 shows the slice alone.
    pub slab: usize,
    /// What lies beyond a slice's edge: `symmetric` (edge pixel repeated) or `reflect`.
    pub border: Border,
    /// How often every slice is visited.
    pub epochs: u64,
    /// Slices a step.
    pub batch: usize,
    /// Learning rate of Adam.
    pub lr: f64,
}

impl Default for TrainParams {
    fn default() -> Self {
        Self {
            preset: Preset::Public,
            depth: 100,
            width: 1,
            classes: 2,
            slab: 0,
            border: Border::Symmetric,
            epochs: 10,
            batch: 1,
            lr: 1e-3,
        }
    }
}

impl TrainParams {
    /// Returns the network that the parameters describe.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        Architecture {
            preset: self.preset,
            depth: self.depth,
            width: self.width,
            input_channels: 2 * self.slab + 1,
            classes: self.classes,
            border: self.border,
        }
    }
}

impl Params for TrainParams {
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        let whole = [
            ("depth", self.depth, 1..=1000),
            ("width", self.width, 1..=100),
            ("classes", self.classes, 2..=200),
            ("slab", self.slab, 0..=50),
            ("epochs", self.epochs as usize, 1..=100_000),
            ("batch", self.batch, 1..=4096),
        ];
        for (name, value, range) in whole {
            if !range.contains(&value) {
                return Err((name, format!("{value} is not between {} and {}", range.start(), range.end())));
            }
        }
        if !(self.lr > 0.0 && self.lr <= 1.0) {
            return Err(("lr", format!("{} is not between 0 and 1", self.lr)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_pipeline() {
        let text = r#"{"preset": "v0.5", "depth": 20, "border": "reflect", "lr": 0.002}"#;
        let params: TrainParams = serde_json::from_str(text).unwrap();
        assert_eq!((params.preset, params.border, params.epochs), (Preset::V05, Border::Reflect, 10));
        assert_eq!(params.check(), Ok(()));
        assert!(serde_json::from_str::<TrainParams>(r#"{"dept": 20}"#).is_err());
        assert_eq!(TrainParams { lr: f64::NAN, ..TrainParams::default() }.check().unwrap_err().0, "lr");
        assert_eq!(TrainParams { depth: 0, ..TrainParams::default() }.check().unwrap_err().0, "depth");
    }
}
