//! What a training did, epoch by epoch: losses, validation, and digests by which two histories are compared.

use std::fmt::Write as _;

use serde::Serialize;

use super::params::Monitor;

/// What one epoch did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Epoch {
    /// Number, from 1.
    pub epoch: u64,
    /// Steps taken so far.
    pub steps: u64,
    /// Mean over the epoch's batches of the loss before each step.
    pub loss: f64,
    /// Loss and Dice of the validation cases with the weights after it; none without such cases.
    #[serde(flatten)]
    pub validation: Validation,
    /// blake3 over the weights after it and the digest of the epoch before: equal digests mean equal histories.
    pub weights_chain: String,
}

/// What the validation cases say of the weights after an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Validation {
    /// Mean negative log-likelihood over all voxels that count.
    #[serde(rename = "validation_loss")]
    pub loss: Option<f64>,
    /// Mean over cases and classes (the background apart) of the Dice coefficient; 1 where a class is in neither label.
    #[serde(rename = "validation_dice")]
    pub dice: Option<f64>,
}

/// The weights after a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepDigest {
    /// Steps taken so far.
    pub step: u64,
    /// blake3 over the weights and the digest noted before.
    pub weights_chain: String,
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stop {
    /// All epochs were done.
    Completed,
    /// So many epochs as `patience` says brought no better validation.
    Patience,
    /// So many steps as `max_steps` says were done.
    Steps,
}

/// What a training did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct History {
    /// Why it ended.
    pub stopped: Stop,
    /// The epoch whose weights became the model.
    pub kept_epoch: u64,
    /// One entry an epoch.
    pub epochs: Vec<Epoch>,
    /// One entry every `digest_every` steps.
    pub digests: Vec<StepDigest>,
}

impl History {
    /// Returns the epochs as a table of comma-separated values with a header; what does not exist is empty.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut text = "epoch,steps,loss,validation_loss,validation_dice,weights_chain\n".to_owned();
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        for epoch in &self.epochs {
            let (loss, dice) = (number(epoch.validation.loss), number(epoch.validation.dice));
            // Writing to a string cannot fail.
            let _infallible =
                writeln!(text, "{},{},{},{loss},{dice},{}", epoch.epoch, epoch.steps, epoch.loss, epoch.weights_chain);
        }
        text
    }
}

/// Returns the index of the epoch with the best validation, of equals the first; none where nothing was validated.
pub(super) fn best(epochs: &[Epoch], monitor: Monitor) -> Option<usize> {
    // Larger is better.
    let score = |epoch: &Epoch| match monitor {
        Monitor::Loss => epoch.validation.loss.map(|loss| -loss),
        Monitor::Dice => epoch.validation.dice,
    };
    let scores = epochs.iter().enumerate().filter_map(|(index, epoch)| Some((index, score(epoch)?)));
    scores.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(index, _)| index)
}

/// Returns the digest of the weights, chained to the digest before.
pub(super) fn chain(before: Option<&str>, parameters: &[f32]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("calvaria v1 weights");
    hasher.update(before.unwrap_or("").as_bytes());
    hasher.update(&parameters.iter().flat_map(|parameter| parameter.to_le_bytes()).collect::<Vec<u8>>());
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: u64, loss: f64, dice: f64) -> Epoch {
        let validation = Validation { loss: Some(loss), dice: Some(dice) };
        Epoch { epoch, steps: 10 * epoch, loss: 0.5, validation, weights_chain: "ab".to_owned() }
    }

    #[test]
    fn the_first_of_the_best_is_the_best() {
        let epochs = [epoch(1, 0.4, 0.5), epoch(2, 0.2, 0.9), epoch(3, 0.2, 0.95), epoch(4, 0.3, 0.95)];
        assert_eq!(best(&epochs, Monitor::Loss), Some(1));
        assert_eq!(best(&epochs, Monitor::Dice), Some(2));
        let unvalidated = Epoch { validation: Validation::default(), ..epoch(1, 0.0, 0.0) };
        assert_eq!(best(&[unvalidated], Monitor::Loss), None);
    }

    #[test]
    fn tables_leave_empty_what_does_not_exist() {
        let unvalidated = Epoch { validation: Validation::default(), ..epoch(2, 0.0, 0.0) };
        let epochs = vec![epoch(1, 0.25, 0.75), unvalidated];
        let history = History { stopped: Stop::Patience, kept_epoch: 1, epochs, digests: Vec::new() };
        let lines: Vec<String> = history.to_csv().lines().map(str::to_owned).collect();
        assert_eq!(lines[1..], ["1,10,0.5,0.25,0.75,ab", "2,20,0.5,,,ab"]);
        let json = serde_json::to_value(&history).unwrap();
        assert_eq!(json["stopped"], "patience");
        assert_eq!(json["epochs"][0]["validation_dice"], 0.75);
        assert!(json["epochs"][1]["validation_loss"].is_null());
    }
}
