//! Completing layers that follow one after the other.

#![expect(unsafe_code, reason = "threads write different rows of the maps")]

use std::ops::Range;

use super::{Simd, block::Block, convolve::Team, head::Logits, maps::finish_row, wave::Wave};

/// Adds to the layers `to` all maps from the start of `from` on, rectifies them, sets their borders, and adds them to the
/// logits.
pub(super) fn finish(block: &Block<'_>, logits: &Logits<'_>, simd: Simd) {
    let (net, size) = (block.net, block.maps.size);
    let work = 9 * net.width * block.to.len() * size.pixels();
    let mut left = block.to.clone();
    while !left.is_empty() {
        let reaches = left.clone().map(|layer| if layer == left.start { 0 } else { net.dilation(layer) });
        let wave = Wave::new(size.rows, work, reaches);
        let layers = left.start..left.start + wave.len();
        left.start = layers.end;
        let channels = if layers.start == 0 { 0 } else { net.inputs(layers.start) }..net.inputs(layers.end);
        let layers: Vec<_> = layers.map(|layer| Layer::new(block, layer)).collect();
        wave.run(|number, rows| {
            // SAFETY: the wave calls with these rows once, when those are complete that the layer reads.
            unsafe { layers[number].finish(rows.clone(), simd) };
            if number + 1 == layers.len() {
                // SAFETY: so are all layers in these rows; nobody else has them.
                rows.for_each(|y| unsafe { logits.add(block.maps, channels.clone(), y, simd) });
            }
        });
    }
}

/// A layer to be completed.
struct Layer<'a> {
    /// What is added to it.
    block: Block<'a>,
    teams: Vec<Team>,
}

impl<'a> Layer<'a> {
    fn new(block: &Block<'a>, layer: usize) -> Self {
        let block = Block { from: block.from.start..block.net.inputs(layer), to: layer..layer + 1, ..*block };
        Self { teams: block.teams(), block }
    }

    /// Completes the layer in some rows.
    ///
    /// # Safety
    /// Nobody else uses these rows of the layer meanwhile. The layers before are complete where its taps reach, and nobody
    /// writes them there.
    unsafe fn finish(&self, rows: Range<usize>, simd: Simd) {
        let Block { maps, net, ref from, ref to, .. } = self.block;
        if !from.is_empty() {
            // SAFETY: the caller's promise, here and below.
            unsafe { self.block.add_to_rows(&self.teams, from.clone(), rows.clone(), simd) };
        }
        for y in rows {
            for channel in net.inputs(to.start)..net.inputs(to.end) {
                // SAFETY: as above.
                unsafe { finish_row(simd, maps, y, channel, net.border) };
            }
        }
    }
}
