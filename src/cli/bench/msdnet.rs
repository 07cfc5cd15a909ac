//! The network's rows: one slice forward, one training step, one whole scan from disk to disk.

use std::{path::Path, time::Instant};

use rayon::prelude::*;
use serde_json::Map;

use super::work::Work;
use crate::{
    cli::{Context, alone::Alone},
    fault::Result,
    io::dicom,
    model::{
        Architecture, Model,
        adam::Adam,
        border::Border,
        dilations::Preset,
        init::initial_parameters,
        kernels::{self, InputGradient, Size},
        normalise::Normalisation,
    },
    numeric::Seed,
    space::{DVec3, Grid},
    stages::{Infer, InferParams},
    volume::Volume,
};

/// Operations of a training step over those of a forward pass: forward, gradients of maps, gradients of weights.
const STEP: f64 = 3.0;

fn network(depth: usize) -> Architecture {
    Architecture { preset: Preset::Public, depth, width: 1, input_channels: 1, classes: 2, border: Border::Symmetric }
}

/// Weights as before the first step, with an output layer that is not zero, so that nothing can be left out.
fn parameters(net: &Architecture) -> Vec<f32> {
    let mut parameters = initial_parameters(net, Seed([1; 32]));
    let mut stream = Seed([2; 32]).stream("output", 0);
    for parameter in &mut parameters[net.bias_range().start..] {
        *parameter = (0.05 * stream.normal()) as f32;
    }
    parameters
}

fn noise(count: usize) -> Vec<f32> {
    let mut stream = Seed([3; 32]).stream("image", 0);
    (0..count).map(|_| stream.normal() as f32).collect()
}

/// What the rows of a single slice share.
struct Slice {
    net: Architecture,
    size: Size,
    image: Vec<f32>,
    parameters: Vec<f32>,
}

impl Slice {
    fn new(side: usize, depth: usize) -> Result<Self> {
        let (net, size) = (network(depth), Size { rows: side, columns: side });
        net.check_size(size)?;
        Ok(Self { size, image: noise(size.pixels()), parameters: parameters(&net), net })
    }

    fn shape(&self) -> String {
        format!("{} x {}, depth {}", self.size.columns, self.size.rows, self.net.depth)
    }

    fn flop(&self) -> f64 {
        2.0 * (self.net.multiply_adds_per_pixel() * self.size.pixels()) as f64
    }
}

/// `msdnet.forward`.
pub(super) struct Forward(Slice);

impl Forward {
    pub(super) fn new(side: usize, depth: usize) -> Result<Self> {
        Slice::new(side, depth).map(Self)
    }
}

impl Work for Forward {
    fn shape(&self) -> String {
        self.0.shape()
    }

    fn flop(&self) -> Option<f64> {
        Some(self.0.flop())
    }

    fn run(&mut self) -> Result<()> {
        let Slice { net, size, image, parameters } = &self.0;
        std::hint::black_box(kernels::forward(image, *size, parameters, net, kernels::active()));
        Ok(())
    }
}

/// `msdnet.step`.
pub(super) struct Step {
    slice: Slice,
    target: Vec<u8>,
    adam: Adam,
}

impl Step {
    pub(super) fn new(side: usize, depth: usize) -> Result<Self> {
        let slice = Slice::new(side, depth)?;
        let target = slice.image.iter().map(|&value| u8::from(value > 0.5)).collect();
        Ok(Self { adam: Adam::new(1e-3, slice.parameters.len()), slice, target })
    }
}

impl Work for Step {
    fn shape(&self) -> String {
        self.slice.shape()
    }

    fn flop(&self) -> Option<f64> {
        Some(STEP * self.slice.flop())
    }

    fn run(&mut self) -> Result<()> {
        let (Slice { net, size, image, parameters }, simd) = (&mut self.slice, kernels::active());
        let (maps, logits) = kernels::forward(image, *size, parameters, net, simd);
        let (loss, gradients) = kernels::nll(&logits, &self.target, simd);
        let gradients = kernels::backward(&maps, parameters, &gradients, net, (InputGradient::Skipped, simd));
        self.adam.update(parameters, &gradients.parameters);
        std::hint::black_box(loss);
        Ok(())
    }
}

/// `msdnet.ct`: the stage `infer` on a DICOM series, as the command of that name runs it.
pub(super) struct Ct<'a> {
    slice: Slice,
    slices: usize,
    folder: std::path::PathBuf,
    context: &'a Context,
}

impl<'a> Ct<'a> {
    pub(super) fn new(side: usize, depth: usize, slices: usize, folder: &Path, context: &'a Context) -> Result<Self> {
        let slice = Slice::new(side, depth)?;
        let grid = Grid::aligned([side, side, slices], DVec3::new(0.45, 0.45, 1.0));
        let plane: Vec<i16> = slice.image.iter().map(|&value| (600.0 * value) as i16).collect();
        let data = (0..slices).flat_map(|z| plane.iter().map(move |&hu| hu + z as i16)).collect();
        std::fs::create_dir_all(folder)
            .map_err(|error| crate::fault::Fault::file("create the folder", folder, &error))?;
        dicom::write_series(&folder.join("ct"), &Volume::new(grid, data)?, &dicom::SeriesHeader::default())?;
        let normalisation = Normalisation { clamp_hu: [-1024.0, 3071.0], mean_hu: 0.0, std_hu: 600.0 };
        let model = Model { architecture: slice.net.clone(), normalisation, parameters: slice.parameters.clone() };
        model.save(&folder.join("model.safetensors"))?;
        Ok(Self { slice, slices, folder: folder.to_owned(), context })
    }
}

impl Work for Ct<'_> {
    fn shape(&self) -> String {
        format!("{0} x {0} x {1}, depth {2}", self.slice.size.rows, self.slices, self.slice.net.depth)
    }

    fn flop(&self) -> Option<f64> {
        Some(self.slices as f64 * self.slice.flop())
    }

    fn run(&mut self) -> Result<()> {
        let output = self.folder.join("label.nrrd");
        Alone::new()
            .file("model", "model", &self.folder.join("model.safetensors"), Map::new())?
            .file("ct", "ct", &self.folder.join("ct"), Map::new())?
            .run::<Infer>(&InferParams::default(), &output, self.context)?
            .image("label", &output)
    }

    /// Forward passes of enough slices to keep all threads busy, taken to the number of slices of the scan.
    fn forward_seconds(&mut self) -> Result<Option<f64>> {
        let few = self.slices.min(4 * self.context.jobs);
        let Slice { net, size, image, parameters } = &self.slice;
        let start = Instant::now();
        (0..few).into_par_iter().for_each(|_| {
            std::hint::black_box(kernels::forward(image, *size, parameters, net, kernels::active()));
        });
        Ok(Some(start.elapsed().as_secs_f64() * self.slices as f64 / few as f64))
    }
}
