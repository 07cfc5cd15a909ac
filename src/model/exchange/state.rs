//! The names and shapes of a `msd_pytorch` state dict, and the way between them and a [`Model`].
//!
//! ```text
//! 0.weight [c, c, 1, 1]   0.bias [c]                         z = A u + b, the scaling of the input, not trained
//! 1.0.msd_block.weightI [width, c + width I, 3, 3]           layer I = 0 ..; its dilation is not in the file
//! 1.0.msd_block.bias [depth width]
//! 1.0.final_layer.linear.weight [classes, c + depth width, 1]   1.0.final_layer.linear.bias [classes]
//! ```

use serde::{Deserialize, Serialize};

use super::{cursor::shown, scaling::Scaling};
use crate::{
    fault::{Fault, Result},
    model::{Architecture, Model, border::Border, dilations::Preset, normalise::Normalisation},
};

/// The name under which this program keeps, beside a state dict, what a state dict does not know.
pub(super) const HEADER: &str = "calvaria";

const SCALE: &str = "0.weight";
const SHIFT: &str = "0.bias";
const LAYER: &str = "1.0.msd_block.weight";
const BIAS: &str = "1.0.msd_block.bias";
const OUTPUT_WEIGHT: &str = "1.0.final_layer.linear.weight";
const OUTPUT_BIAS: &str = "1.0.final_layer.linear.bias";
/// Tensors that are not trained: the scaling.
pub(super) const FROZEN: usize = 2;

/// Named tensors of a file.
pub(super) trait Tensors {
    fn names(&self) -> Vec<&str>;
    fn shape(&self, name: &str) -> Option<Vec<usize>>;
    /// The numbers, the last axis fastest.
    fn values(&self, name: &str) -> Result<Vec<f64>>;
    /// What this program wrote beside them.
    fn header(&self) -> Option<&str>;
}

/// What a state dict does not say of its network.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ImportOptions {
    /// Dilations of the layers; `public` when nobody says.
    pub preset: Option<Preset>,
    /// What lay beyond the edge; symmetric when nobody says.
    pub border: Option<Border>,
    /// Range of intensities that the network may see, HU; -1024 to 3071 when nobody says.
    pub clamp_hu: Option<[f32; 2]>,
    /// Scale and offset from HU to the numbers that the network was trained on; 1 and 0 when nobody says.
    pub from_hu: Option<[f64; 2]>,
}

/// A network from elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The network.
    pub model: Model,
    /// What had to be assumed or rounded, in sentences.
    pub notes: Vec<String>,
}

/// What this program writes beside a state dict: with it, what comes back is what went out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u32,
    preset: Preset,
    border: Border,
    normalisation: Normalisation,
}

/// Returns the model in a state dict.
pub(super) fn import(tensors: &dyn Tensors, options: &ImportOptions, file_bytes: usize) -> Result<Imported> {
    let net = architecture(tensors, options)?;
    // No two tensors share numbers, so the file must be at least as long as they are in half precision.
    if net.parameter_count() > file_bytes / 2 {
        return Err(Fault::unfit("the checkpoint's tensors are larger than its file"));
    }
    let known = header(tensors).filter(|_| options.from_hu.is_none() && options.clamp_hu.is_none());
    let preset = options.preset.or(known.as_ref().map(|header| header.preset));
    let border = options.border.or(known.as_ref().map(|header| header.border));
    let net = Architecture { preset: preset.unwrap_or_default(), border: border.unwrap_or_default(), ..net };
    let mut notes = assumptions(preset, border);
    let mut parameters = Vec::with_capacity(net.parameter_count());
    for name in weight_names(&net) {
        parameters.extend(tensors.values(&name)?);
    }
    let scaling = Scaling::new(tensors.values(SCALE)?, tensors.values(SHIFT)?)?;
    let normalisation = match known {
        Some(header) if scaling.agrees_with(&header.normalisation) => header.normalisation,
        _ => {
            let [scale, offset] = options.from_hu.unwrap_or([1.0, 0.0]);
            let clamp_hu = options.clamp_hu.unwrap_or([-1024.0, 3071.0]);
            let normalisation = scaling.constants([scale, offset], clamp_hu)?;
            notes.extend(scaling.notes(&normalisation, options));
            if scaling.fold(&net, &mut parameters, scale) {
                notes.push(
                    "the input's scaling differs between channels or mixes them: it was multiplied into the weights"
                        .to_owned(),
                );
            }
            normalisation
        }
    };
    let rounded: Vec<f32> = parameters.iter().map(|&value| value as f32).collect();
    if rounded.iter().any(|value| !value.is_finite()) {
        return Err(Fault::unfit("a weight of the checkpoint is not a finite number"));
    }
    if rounded.iter().zip(&parameters).any(|(&rounded, &exact)| f64::from(rounded) != exact) {
        notes.push("weights were rounded to single precision".to_owned());
    }
    Ok(Imported { model: Model { architecture: net, normalisation, parameters: rounded }, notes })
}

fn header(tensors: &dyn Tensors) -> Option<Header> {
    let header: Header = serde_json::from_str(tensors.header()?).ok()?;
    (header.format == 1 && header.normalisation.check().is_ok()).then_some(header)
}

fn assumptions(preset: Option<Preset>, border: Option<Border>) -> Vec<String> {
    let mut notes = Vec::new();
    if preset.is_none() {
        notes.push(
            "the file does not hold its dilations, and weights do not tell them: 1 to 10, repeated, are assumed (`--preset v0.5`: 2 to 10, 1)"
                .to_owned(),
        );
    }
    if border.is_none() {
        notes
            .push("the file does not hold its border: symmetric reflection is assumed (`--border reflect`)".to_owned());
    }
    notes
}

/// Returns the architecture that the tensors' names and shapes tell; preset and border as asked for.
fn architecture(tensors: &dyn Tensors, options: &ImportOptions) -> Result<Architecture> {
    let missing = |name: &str| {
        Fault::unfit(format!("no MSDnet: the checkpoint has no tensor `{name}`"))
            .hint("a segmentation model of msd_pytorch has `0.*`, `1.0.msd_block.*` and `1.0.final_layer.linear.*`")
    };
    let depth = (0..).take_while(|layer| tensors.shape(&format!("{LAYER}{layer}")).is_some()).count();
    let first = format!("{LAYER}0");
    let shape = tensors.shape(&first).ok_or_else(|| missing(&first))?;
    let [width, input_channels] = match shape[..] {
        [width, channels, 3, 3] => [width, channels],
        [_, _, 3, 3, 3] => return Err(Fault::unfit("the network works on volumes (3 x 3 x 3 taps), not on slices")),
        _ => return Err(Fault::unfit(format!("`{first}` is {shape:?}, not [width, channels, 3, 3]"))),
    };
    let output = tensors.shape(OUTPUT_WEIGHT).ok_or_else(|| missing(OUTPUT_WEIGHT))?;
    let net = Architecture {
        preset: options.preset.unwrap_or_default(),
        depth,
        width,
        input_channels,
        classes: output.first().copied().unwrap_or(0),
        border: options.border.unwrap_or_default(),
    };
    net.check()?;
    let wanted = shapes(&net);
    for (name, shape) in &wanted {
        let found = tensors.shape(name).ok_or_else(|| missing(name))?;
        // The last, single axes of 1 x 1 layers differ between versions.
        let trimmed = |shape: &[usize]| shape.iter().rposition(|&size| size != 1).map_or(0, |last| last + 1);
        if found[..trimmed(&found)] != shape[..trimmed(shape)] || found.len() > 5 {
            return Err(Fault::unfit(format!("the tensor `{name}` is {found:?}, not {shape:?}")));
        }
    }
    if let Some(unknown) = tensors.names().into_iter().find(|name| !wanted.iter().any(|(wanted, _)| wanted == name)) {
        let fault = Fault::unfit(format!(
            "the checkpoint has a tensor `{}`, which a segmentation MSDnet has not",
            shown(unknown)
        ));
        return Err(fault.hint("networks for regression scale their output (`2.*`): only segmentation can be imported"));
    }
    Ok(net)
}

/// Returns name and shape of every tensor; the order of a state dict's weights is that of our parameters.
fn shapes(net: &Architecture) -> Vec<(String, Vec<usize>)> {
    let channels = net.input_channels;
    let layers = (0..net.depth).map(|layer| (format!("{LAYER}{layer}"), vec![net.width, net.inputs(layer), 3, 3]));
    let rest = [
        (BIAS, vec![net.maps()]),
        (OUTPUT_WEIGHT, vec![net.classes, net.channels(), 1]),
        (OUTPUT_BIAS, vec![net.classes]),
        (SCALE, vec![channels, channels, 1, 1]),
        (SHIFT, vec![channels]),
    ];
    layers.chain(rest.map(|(name, shape)| (name.to_owned(), shape))).collect()
}

fn weight_names(net: &Architecture) -> Vec<String> {
    let all = shapes(net);
    let count = all.len() - FROZEN;
    all.into_iter().take(count).map(|(name, _)| name).collect()
}

/// Returns all tensors of a model under the names of a state dict, the scaling last.
pub(super) fn tensors(model: &Model) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let net = &model.architecture;
    let Normalisation { mean_hu, std_hu, .. } = model.normalisation;
    let scale = 1.0 / f64::from(std_hu);
    let diagonal = |i: usize| if i.is_multiple_of(net.input_channels + 1) { scale as f32 } else { 0.0 };
    let mut parameters = model.parameters.iter().copied();
    shapes(net)
        .into_iter()
        .map(|(name, shape)| {
            let count = shape.iter().product();
            let values = match name.as_str() {
                SCALE => (0..count).map(diagonal).collect(),
                SHIFT => vec![(-f64::from(mean_hu) * scale) as f32; count],
                _ => parameters.by_ref().take(count).collect(),
            };
            (name, shape, values)
        })
        .collect()
}

/// Returns the text that goes beside a state dict.
pub(super) fn header_of(model: &Model) -> Result<String> {
    let header = Header {
        format: 1,
        preset: model.architecture.preset,
        border: model.architecture.border,
        normalisation: model.normalisation.clone(),
    };
    serde_json::to_string(&header).map_err(|error| Fault::unfit(format!("the model's header: {error}")))
}
