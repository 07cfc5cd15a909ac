//! The dilation of each layer, which is what makes the network mixed-scale.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which historical form of the network: the paper does not say which of the two it used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Preset {
    /// Dilations 1, 2, …, 10, repeated; one standard deviation for all initial weights. As in the public sources.
    #[default]
    #[serde(rename = "public")]
    Public,
    /// Dilations 2, …, 10, 1, repeated; the standard deviation falls with the layer. Probably the one of 2018.
    #[serde(rename = "v0.5")]
    V05,
}

impl Preset {
    /// Number of different dilations; they repeat with the layers.
    pub const PERIOD: usize = 10;

    /// Returns the dilation of a layer, counted from 0.
    #[must_use]
    pub const fn dilation(self, layer: usize) -> usize {
        match self {
            Self::Public => layer % Self::PERIOD + 1,
            Self::V05 => (layer + 1) % Self::PERIOD + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dilations_repeat_after_ten_layers() {
        let first = |preset: Preset| (0..12).map(|layer| preset.dilation(layer)).collect::<Vec<_>>();
        assert_eq!(first(Preset::Public), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2]);
        assert_eq!(first(Preset::V05), [2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3]);
    }
}
