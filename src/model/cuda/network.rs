//! The numbers of a network and a batch that every launch needs.

use super::{
    kernels::TABLE,
    launch::{Kernel, Machine},
};
use crate::model::{kernels::Size, msdnet::Architecture};

/// A batch of slices going through a network.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch<'a> {
    pub(super) net: &'a Architecture,
    pub(super) size: Size,
    pub(super) slices: usize,
}

/// Elements that an index of 32 bits reaches.
pub(super) const INDEXABLE: u64 = 1 << 32;
/// Cubes along y or z that a launch may have.
const CUBES: usize = 65_535;
/// Bytes of maps that one part of a batch may take.
const PART_BYTES: u64 = 8 << 30;

impl<'a> Batch<'a> {
    /// Returns the number of pixels of a slice.
    pub(super) const fn plane(&self) -> usize {
        self.size.pixels()
    }

    /// Returns the largest number of slices that can go together, 0 if not even one fits the kernels' indices.
    pub(super) fn slices_together(net: &Architecture, size: Size) -> usize {
        let planes = net.channels().max(net.classes) as u64;
        let elements = planes.saturating_mul(size.rows as u64).saturating_mul(size.columns as u64).max(1);
        let indexable = (INDEXABLE - 1) / elements;
        let geometry = CUBES / net.width.max(1);
        let fits = net.channels() <= CUBES && size.rows <= CUBES;
        let wanted = (PART_BYTES / (4 * elements)).max(1);
        if fits { wanted.min(indexable).min(geometry as u64) as usize } else { 0 }
    }

    /// Returns the table of maps: dilation, first entry, number of maps read.
    pub(super) fn table(&self) -> Vec<u32> {
        let row = |map: usize| -> [u32; TABLE] {
            let layer = map / self.net.width;
            [self.net.dilation(layer), self.net.weight_range(map).start / 9, self.net.inputs(layer)].map(|n| n as u32)
        };
        (0..self.net.maps()).flat_map(row).collect()
    }

    /// Returns the number of pairs of a map and an earlier one.
    pub(super) fn entries(&self) -> usize {
        self.net.bias_range().start / 9
    }

    /// Returns the packed weights.
    pub(super) fn taps<M: Machine>(&self, machine: &M, parameters: &M::Buffer) -> M::Buffer {
        let taps = machine.floats(12 * self.entries());
        machine.flat(Kernel::Pack, (self.entries(), 1, 1), &[parameters, &taps], &[self.entries()]);
        taps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{border::Border, dilations::Preset};

    fn net(depth: usize, width: usize) -> Architecture {
        Architecture { preset: Preset::Public, depth, width, input_channels: 1, classes: 2, border: Border::Symmetric }
    }

    #[test]
    fn a_part_fits_the_indices_or_there_is_none() {
        let size = |side| Size { rows: side, columns: side };
        assert_eq!(Batch::slices_together(&net(100, 1), size(512)), 81);
        assert_eq!(Batch::slices_together(&net(1000, 4), size(1024)), 1);
        assert_eq!(Batch::slices_together(&net(1000, 100), size(512)), 0);
    }

    #[test]
    fn the_table_follows_the_layers() {
        let net = Architecture { input_channels: 2, ..net(2, 2) };
        let batch = Batch { net: &net, size: Size { rows: 9, columns: 9 }, slices: 1 };
        assert_eq!(batch.table(), [1, 0, 2, 1, 2, 2, 2, 4, 4, 2, 8, 4]);
        assert_eq!(batch.entries(), 12);
    }
}
