//! The forward pass: each map from all earlier ones, in place, without a copy of any.
//!
//! Layers are taken in groups. First all maps before the group are added to all of the group's maps, in blocks ([`Block`]).
//! Then, ten layers at a time, the group's own maps follow: these ten in a wave over the rows ([`finish()`]), and what they give
//! to the rest of the group in another block. So nearly all the work is done for as many maps at once as have the same
//! dilation. Every sum still takes the maps in ascending order.

use super::{
    Simd,
    block::Block,
    finish::finish,
    head::Logits,
    in_pool,
    maps::{Maps, Size},
    pieces::groups,
};
use crate::model::{dilations::Preset, msdnet::Architecture};

/// Maps of a group, unless a layer has more: five times the dilations that there are.
const GROUP: usize = 50;

/// Returns all maps and the logits (`[class][y][x]`) of one slice, `image` being `[channel][y][x]`.
///
/// The caller has checked that the slice is large enough for the dilations ([`Architecture::check_size`]).
#[must_use]
pub fn forward(image: &[f32], size: Size, parameters: &[f32], net: &Architecture, simd: Simd) -> (Maps, Vec<f32>) {
    in_pool(net.multiply_adds_per_pixel() * size.pixels(), || pass(image, size, parameters, net, simd))
}

/// As [`forward`].
fn pass(image: &[f32], size: Size, parameters: &[f32], net: &Architecture, simd: Simd) -> (Maps, Vec<f32>) {
    let mut maps = Maps::new(size, net.channels());
    for (channel, plane) in image.chunks_exact(size.pixels()).enumerate() {
        maps.set(channel, plane, net.border);
    }
    let logits = Logits::new(size, parameters, net);
    let view = maps.view_mut();
    for group in groups(net, GROUP) {
        let block = |from, to| Block { maps: view, net, parameters, from, to };
        // The first group has nothing but the image before it: too little for a block of its own.
        let mut first = if group.start > 0 { net.inputs(group.start) } else { 0 };
        if first > 0 {
            block(0..first, group.clone()).add(simd);
        }
        for start in group.clone().step_by(Preset::PERIOD) {
            let end = group.end.min(start + Preset::PERIOD);
            finish(&block(first..first, start..end), &logits, simd);
            let complete = net.inputs(end);
            if end < group.end {
                block(first..complete, end..group.end).add(simd);
            }
            first = complete;
        }
    }
    (maps, logits.finish())
}
