//! The mixed-scale dense network (Pelt & Sethian, PNAS 2018): its shape, and where each parameter lies in one flat list.
//!
//! Layer i = 0 .. depth - 1 computes `width` maps, each `relu(b + Σ over all earlier maps of a 3 x 3 convolution with
//! dilation s_i)`; the output is a 1 x 1 layer over all maps, the input's included.
//!
//! ```text
//! parameters = [ weights of map 0: inputs x 3 x 3 | … | of map (depth·width - 1) | biases of all maps
//!              | output weights: classes x maps | output biases ]
//! ```

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{border::Border, dilations::Preset, kernels::Size};
use crate::fault::{Fault, Result};

/// Everything that fixes the network but its weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Dilations and initial weights.
    pub preset: Preset,
    /// Number of layers.
    pub depth: usize,
    /// Maps a layer.
    pub width: usize,
    /// Channels of the input: 1, or 2n + 1 neighbouring slices.
    pub input_channels: usize,
    /// Number of classes.
    pub classes: usize,
    /// What lies beyond the edge.
    pub border: Border,
}

impl Architecture {
    /// Upper limits that a model file must respect, far above any use.
    const LIMITS: [usize; 4] = [1000, 100, 101, 200];

    /// Checks that the numbers make a network.
    ///
    /// # Errors
    /// Unfit when a number is zero or beyond any use, or there are fewer than two classes.
    pub fn check(&self) -> Result<()> {
        let numbers = [self.depth, self.width, self.input_channels, self.classes];
        let fine = numbers.iter().zip(Self::LIMITS).all(|(&n, limit)| (1..=limit).contains(&n)) && self.classes >= 2;
        fine.then_some(()).ok_or_else(|| {
            Fault::unfit(format!(
                "no network has depth {}, width {}, {} input channels and {} classes",
                self.depth, self.width, self.input_channels, self.classes
            ))
        })
    }

    /// Returns the number of maps that the layers compute.
    #[must_use]
    pub const fn maps(&self) -> usize {
        self.depth * self.width
    }

    /// Returns the number of all maps, the input's included.
    #[must_use]
    pub const fn channels(&self) -> usize {
        self.input_channels + self.maps()
    }

    /// Returns the number of maps that a layer reads.
    #[must_use]
    pub const fn inputs(&self, layer: usize) -> usize {
        self.input_channels + self.width * layer
    }

    /// Returns the dilation of a layer.
    #[must_use]
    pub const fn dilation(&self, layer: usize) -> usize {
        self.preset.dilation(layer)
    }

    /// Returns the largest dilation of all layers.
    #[must_use]
    pub fn largest_dilation(&self) -> usize {
        (0..self.depth).map(|layer| self.dilation(layer)).max().unwrap_or(0)
    }

    /// Returns where the weights of a map (counted over all layers) lie: `[input][3][3]`.
    #[must_use]
    pub fn weight_range(&self, map: usize) -> Range<usize> {
        let (layer, member) = (map / self.width, map % self.width);
        let before =
            self.width * layer * self.input_channels + self.width * self.width * layer * layer.saturating_sub(1) / 2;
        let start = 9 * (before + member * self.inputs(layer));
        start..start + 9 * self.inputs(layer)
    }

    /// Returns where the biases of all maps lie.
    #[must_use]
    pub fn bias_range(&self) -> Range<usize> {
        let start = self.weight_range(self.maps()).start;
        start..start + self.maps()
    }

    /// Returns where the output weights lie: `[class][map]`.
    #[must_use]
    pub fn head_weight_range(&self) -> Range<usize> {
        let start = self.bias_range().end;
        start..start + self.classes * self.channels()
    }

    /// Returns where the output biases lie.
    #[must_use]
    pub fn head_bias_range(&self) -> Range<usize> {
        let start = self.head_weight_range().end;
        start..start + self.classes
    }

    /// Returns where all of the output layer's parameters lie.
    #[must_use]
    pub fn head_range(&self) -> Range<usize> {
        self.head_weight_range().start..self.head_bias_range().end
    }

    /// Returns the number of trainable parameters.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.head_range().end
    }

    /// Checks that a slice is large enough for one reflection at its edges.
    ///
    /// # Errors
    /// Unfit, with the numbers, when a side is shorter than the largest dilation (or than one more, without repetition).
    pub fn check_size(&self, size: Size) -> Result<()> {
        let (side, dilation) = (size.rows.min(size.columns), self.largest_dilation());
        if side == 0 || self.border.reach(side) < dilation {
            let needed = dilation + 1 - self.border.repeated();
            return Err(Fault::unfit(format!(
                "slices of {} x {} pixels are too small: dilation {dilation} needs {needed} pixels on each side",
                size.columns, size.rows
            ))
            .hint("use a smaller depth (its layer number is the dilation up to 10), or a finer grid"));
        }
        Ok(())
    }

    /// Returns the multiply-adds of one forward pass per pixel; a training step needs three times as many.
    #[must_use]
    pub fn multiply_adds_per_pixel(&self) -> usize {
        self.bias_range().start + self.classes * self.channels()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(depth: usize, width: usize, input_channels: usize) -> Architecture {
        Architecture { preset: Preset::Public, depth, width, input_channels, classes: 2, border: Border::Symmetric }
    }

    #[test]
    fn parameters_are_as_many_as_published() {
        let count = |depth, width, channels| network(depth, width, channels).parameter_count();
        assert_eq!(count(100, 1, 1), 45_754);
        assert_eq!(count(30, 1, 1), 4_279);
        assert_eq!(count(80, 1, 1), 29_404);
        assert_eq!(count(100, 2, 1), 180_604);
        assert_eq!(count(100, 1, 3), 47_558);
        assert_eq!(count(100, 1, 5), 49_362);
        assert_eq!(network(100, 1, 1).multiply_adds_per_pixel(), 45_652);
    }

    #[test]
    fn ranges_follow_each_other() {
        let net = network(7, 3, 2);
        let mut end = 0;
        for map in 0..net.maps() {
            assert_eq!(net.weight_range(map).start, end);
            end = net.weight_range(map).end;
        }
        assert_eq!(net.bias_range().start, end);
    }

    #[test]
    fn a_slice_must_hold_the_dilation() {
        let size = |side| Size { rows: side, columns: 64 };
        assert!(network(20, 1, 1).check_size(size(10)).is_ok());
        assert!(network(20, 1, 1).check_size(size(9)).is_err());
        let reflect = Architecture { border: Border::Reflect, ..network(20, 1, 1) };
        assert!(reflect.check_size(size(11)).is_ok());
        let fault = reflect.check_size(size(10)).unwrap_err();
        assert!(fault.what.contains("64 x 10") && fault.what.contains("needs 11 pixels"), "{fault}");
    }
}
