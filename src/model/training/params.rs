//! What a pipeline may say about training.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    model::{border::Border, dilations::Preset, kernels::IGNORED, msdnet::Architecture},
    pipeline::stage::Params,
};

/// Parameters of a training; the defaults are the study's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainParams {
    /// Dilations and initial weights: `public` (1-10 repeated) or `v0.5` (2-10, 1 repeated).
    pub preset: Preset,
    /// Number of layers, 1 to 1000.
    pub depth: usize,
    /// Maps a layer, 1 to 100.
    pub width: usize,
    /// Number of classes, background included, 2 to 200. With two, a label has one value beside 0; with more, each voxel
    /// holds its class.
    pub classes: usize,
    /// Neighbouring slices on either side that become input channels, 0 to 50; 0 shows the slice alone. The scan is
    /// mirrored at its ends.
    pub slab: usize,
    /// What lies beyond a slice's edge: `symmetric` (edge pixel repeated) or `reflect`.
    pub border: Border,
    /// How often every slice is visited.
    pub epochs: u64,
    /// Stop after so many steps, inside an epoch if need be; 0 goes on to the last epoch. For trials.
    pub max_steps: u64,
    /// Slices a step.
    pub batch: usize,
    /// Learning rate of Adam, above 0, at most 1.
    pub lr: f64,
    /// Learning rate at the last step, to which it changes step by step along a straight line; constant when absent, as in
    /// the study. Falling to 0 ends in weights that no longer follow the last few slices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr_end: Option<f64>,
    /// Show each slice in one of its eight orientations (flips and quarter turns), drawn anew in each epoch. Slices that are
    /// not square keep their shape in batches of several.
    pub augment: bool,
    /// A label value that says "unknown": such voxels have no loss and no gradient. With it, or with more than two classes,
    /// label values are classes as they stand in the file.
    pub ignore_label: Option<u8>,
    /// Number of cases, the last by item id, that are held out for validation; 0 trains on all that are given.
    pub validate_last: usize,
    /// What validation is judged by: `loss` (the lowest) or `dice` (the highest).
    pub monitor: Monitor,
    /// Which weights become the model: those of the `last` epoch, as in the study, or of the `best` by validation.
    pub keep: Keep,
    /// Stop when so many epochs brought no better validation than the best before; 0 never stops early.
    pub patience: u64,
    /// Also note a digest of the weights every so many steps, so that two histories tell at which step they part; 0 notes
    /// one an epoch.
    pub digest_every: u64,
}

/// By which number of the validation one epoch is better than another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Monitor {
    /// Mean negative log-likelihood: lower is better.
    #[default]
    Loss,
    /// Mean Dice coefficient: higher is better.
    Dice,
}

/// Which weights become the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Those of the last epoch.
    #[default]
    Last,
    /// Those of the epoch with the best validation; of equals the first.
    Best,
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
            max_steps: 0,
            batch: 1,
            lr: 1e-3,
            lr_end: None,
            augment: false,
            ignore_label: None,
            validate_last: 0,
            monitor: Monitor::Loss,
            keep: Keep::Last,
            patience: 0,
            digest_every: 0,
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

    /// Returns the option that has no meaning without validation cases, if one is set.
    #[must_use]
    pub fn needs_validation(&self) -> Option<&'static str> {
        match (self.keep, self.patience) {
            (Keep::Best, _) => Some("keep: best"),
            (_, 1..) => Some("patience"),
            _ => None,
        }
    }

    /// Returns whether a voxel with that label counts for nothing.
    #[must_use]
    pub fn ignores(&self, label: u8) -> bool {
        label == IGNORED || Some(label) == self.ignore_label
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
            ("validate_last", self.validate_last, 0..=100_000),
            ("patience", self.patience as usize, 0..=100_000),
        ];
        for (name, value, range) in whole {
            if !range.contains(&value) {
                return Err((name, format!("{value} is not between {} and {}", range.start(), range.end())));
            }
        }
        if !(self.lr > 0.0 && self.lr <= 1.0) {
            return Err(("lr", format!("{} is not between 0 and 1", self.lr)));
        }
        if let Some(end) = self.lr_end
            && !(0.0..=1.0).contains(&end)
        {
            return Err(("lr_end", format!("{end} is not from 0 to 1")));
        }
        match self.ignore_label {
            Some(label) if usize::from(label) < self.classes => {
                let last = self.classes - 1;
                Err(("ignore_label", format!("{label} is one of the classes 0 to {last} that the network learns")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_pipeline() {
        let text =
            r#"{"preset": "v0.5", "depth": 20, "border": "reflect", "lr": 0.002, "keep": "best", "monitor": "dice"}"#;
        let params: TrainParams = serde_json::from_str(text).unwrap();
        assert_eq!((params.preset, params.border, params.epochs), (Preset::V05, Border::Reflect, 10));
        assert_eq!(
            (params.keep, params.monitor, params.needs_validation()),
            (Keep::Best, Monitor::Dice, Some("keep: best"))
        );
        assert_eq!(params.check(), Ok(()));
        assert!(serde_json::from_str::<TrainParams>(r#"{"dept": 20}"#).is_err());
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let at_fault = |params: TrainParams| params.check().unwrap_err().0;
        let default = TrainParams::default;
        assert_eq!(at_fault(TrainParams { lr: f64::NAN, ..default() }), "lr");
        assert_eq!(at_fault(TrainParams { lr_end: Some(-1e-9), ..default() }), "lr_end");
        assert_eq!(TrainParams { lr_end: Some(0.0), ..default() }.check(), Ok(()));
        assert_eq!(at_fault(TrainParams { depth: 0, ..default() }), "depth");
        assert_eq!(at_fault(TrainParams { ignore_label: Some(1), ..default() }), "ignore_label");
        assert_eq!(TrainParams { ignore_label: Some(2), ..default() }.check(), Ok(()));
        assert_eq!(TrainParams { patience: 3, ..default() }.needs_validation(), Some("patience"));
        assert_eq!(default().needs_validation(), None);
    }
}
