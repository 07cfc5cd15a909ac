//! One slice through every network in every orientation.

use std::sync::Arc;

use crate::{
    fault::Result,
    model::{
        axial::Axial,
        data::slab_image,
        file::Model,
        kernels,
        lanes::{largest, logits},
        msdnet::Architecture,
        op::MsdBackend,
        symmetry::Symmetry,
    },
    volume::Volume,
};

/// Returns the neighbouring slices on either side that a network sees.
pub(super) const fn slab(model: &Model) -> usize {
    (model.architecture.input_channels - 1) / 2
}

/// A network of the ensemble.
pub(super) struct Member<'a> {
    model: &'a Model,
    net: Arc<Architecture>,
}

impl<'a> Member<'a> {
    pub(super) fn new(model: &'a Model) -> Self {
        Self { model, net: Arc::new(model.architecture.clone()) }
    }
}

/// What is averaged, and over which scan.
pub(super) struct Mean<'a> {
    pub(super) members: Vec<Member<'a>>,
    pub(super) symmetries: &'a [Symmetry],
    pub(super) ct: &'a Volume<f32>,
    pub(super) axial: Axial,
}

/// What is said of a slice, `[y][x]`.
pub(super) struct Slice {
    pub(super) label: Vec<u8>,
    pub(super) probability: Option<Vec<f32>>,
}

impl Mean<'_> {
    /// Returns what the networks say of a slice; `go_on` is asked before each pass.
    pub(super) fn slice<B: MsdBackend>(
        &self,
        slice: usize,
        with_probability: bool,
        device: &B::Device,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<Slice> {
        let size = self.axial.slice_size();
        let pixels = size.pixels();
        let pass = |member: &Member<'_>, image: Vec<f32>, symmetry: Symmetry| -> Result<Vec<f32>> {
            go_on()?;
            logits::<B>(&member.net, image, symmetry.size(size), &member.model.parameters, device)
        };
        let image = |member: &Member<'_>| {
            slab_image(self.ct, self.axial, slice, slab(member.model), &member.model.normalisation)
        };
        if let ([only], [symmetry]) = (self.members.as_slice(), self.symmetries) {
            let logits = pass(only, image(only), *symmetry)?;
            let probability = with_probability
                .then(|| not_background(&kernels::probabilities(&logits, only.net.classes, kernels::active()), pixels));
            return Ok(Slice { label: largest(&logits, pixels), probability });
        }
        let mut sums = vec![0.0_f64; self.members.first().map_or(0, |member| member.net.classes) * pixels];
        for member in &self.members {
            let image = image(member);
            for &symmetry in self.symmetries {
                let mut turned = Vec::with_capacity(image.len());
                image.chunks_exact(pixels).for_each(|plane| symmetry.append(plane, size, &mut turned));
                let logits = pass(member, turned, symmetry)?;
                let turned = kernels::probabilities(&logits, member.net.classes, kernels::active());
                for (sums, plane) in sums.chunks_exact_mut(pixels).zip(turned.chunks_exact(pixels)) {
                    let upright = symmetry.inverse().apply(plane, symmetry.size(size));
                    sums.iter_mut().zip(upright).for_each(|(sum, p)| *sum += f64::from(p));
                }
            }
        }
        let count = (self.members.len() * self.symmetries.len()) as f64;
        let probabilities: Vec<f32> = sums.iter().map(|sum| (sum / count) as f32).collect();
        let probability = with_probability.then(|| not_background(&probabilities, pixels));
        Ok(Slice { label: largest(&sums, pixels), probability })
    }
}

/// Returns the probability that a pixel is not background.
fn not_background(probabilities: &[f32], pixels: usize) -> Vec<f32> {
    match probabilities.len() / pixels {
        2 => probabilities[pixels..].to_vec(),
        _ => probabilities[..pixels].iter().map(|background| 1.0 - background).collect(),
    }
}
