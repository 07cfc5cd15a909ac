//! A trained network and its file: safetensors with the same bytes for the same model.
//!
//! Tensors, all f32: `layers.NNN.weight` [width, inputs, 3, 3], `layers.bias` [depth, width], `output.weight`
//! [classes, maps], `output.bias` [classes]. One metadata key, `calvaria`, holds a JSON object with the format's version, the
//! architecture and the intensity constants: with a second key the order of keys, and so the bytes, would not be fixed.

use std::{borrow::Cow, collections::HashMap, fs::File, io::Read as _, ops::Range, path::Path};

use safetensors::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};

use super::{msdnet::Architecture, normalise::Normalisation};
use crate::fault::{Fault, Result};

/// Version of the file format.
const FORMAT: u32 = 1;
/// The metadata key.
const KEY: &str = "calvaria";
/// Larger files are refused unread: the largest network of any use has a few hundred megabytes.
const MAX_BYTES: u64 = 1 << 30;

/// A network with its weights and the intensity constants that it was trained with.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Shape of the network.
    pub architecture: Architecture,
    /// From HU to the network's numbers.
    pub normalisation: Normalisation,
    /// All parameters, laid out as [`Architecture`] says.
    pub parameters: Vec<f32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u32,
    architecture: Architecture,
    normalisation: Normalisation,
}

/// A piece of the parameter list under a name.
pub(super) struct Named<'a> {
    pub(super) shape: Vec<usize>,
    pub(super) values: &'a [f32],
}

impl View for Named<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into()
    }
    fn data_len(&self) -> usize {
        4 * self.values.len()
    }
}

impl Model {
    /// Returns the bytes of the model's file.
    ///
    /// # Errors
    /// Unfit when the parameters are not as many as the architecture says.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        if self.parameters.len() != self.architecture.parameter_count() {
            return Err(Fault::unfit("the model's parameters do not fit its architecture"));
        }
        let header = Header {
            format: FORMAT,
            architecture: self.architecture.clone(),
            normalisation: self.normalisation.clone(),
        };
        let header =
            serde_json::to_string(&header).map_err(|error| Fault::unfit(format!("the model's header: {error}")))?;
        let tensors = layout(&self.architecture)
            .into_iter()
            .map(|(name, shape, range)| (name, Named { shape, values: &self.parameters[range] }));
        safetensors::serialize(tensors, Some(HashMap::from([(KEY.to_owned(), header)])))
            .map_err(|error| Fault::unfit(format!("the model cannot be written: {error}")))
    }

    /// Returns the model in the bytes of a file.
    ///
    /// # Errors
    /// Unfit, saying what is wrong, when the bytes are not a model of a version that this program knows.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let broken = |why: String| Fault::unfit(format!("not a usable model: {why}"));
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| broken(error.to_string()))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| broken(error.to_string()))?;
        let header = metadata.metadata().as_ref().and_then(|map| map.get(KEY)).ok_or_else(|| {
            broken(format!("its metadata has no `{KEY}`")).hint("give a file that `calvaria train` wrote")
        })?;
        let version = serde_json::from_str::<serde_json::Value>(header).ok().and_then(|json| json["format"].as_u64());
        if version != Some(u64::from(FORMAT)) {
            return Err(broken("its format is of another version".to_owned()).hint("use the program that wrote it"));
        }
        let header: Header = serde_json::from_str(header).map_err(|error| broken(error.to_string()))?;
        header.architecture.check()?;
        header.normalisation.check()?;
        let mut parameters = Vec::with_capacity(bytes.len() / 4);
        for (name, shape, _) in layout(&header.architecture) {
            let tensor = tensors.tensor(&name).map_err(|error| broken(error.to_string()))?;
            if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
                return Err(broken(format!(
                    "`{name}` is {:?} {:?}, not F32 {shape:?}",
                    tensor.dtype(),
                    tensor.shape()
                )));
            }
            parameters.extend(floats(tensor.data()));
        }
        if parameters.iter().any(|parameter| !parameter.is_finite()) {
            return Err(broken("a weight is not a finite number".to_owned()));
        }
        Ok(Self { architecture: header.architecture, normalisation: header.normalisation, parameters })
    }

    /// Writes the model to a file.
    ///
    /// # Errors
    /// As [`Self::to_bytes`], or when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        std::fs::write(path, self.to_bytes()?).map_err(|error| Fault::file("write the model", path, &error))
    }

    /// Reads a model from a file.
    ///
    /// # Errors
    /// As [`Self::from_bytes`], or when the file cannot be read or is far too large.
    pub fn load(path: &Path) -> Result<Self> {
        let cannot_read = |error| Fault::file("read the model", path, &error);
        let file = File::open(path).map_err(cannot_read)?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(cannot_read)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Fault::unfit("the model file is larger than any model: over 1 GiB").at(path.display()));
        }
        Self::from_bytes(&bytes).map_err(|fault| fault.at(path.display()))
    }
}

/// Returns name, shape and place of each tensor, in the order of the parameters.
fn layout(net: &Architecture) -> Vec<(String, Vec<usize>, Range<usize>)> {
    let layers = (0..net.depth).map(|layer| {
        let maps = layer * net.width..(layer + 1) * net.width;
        let range = net.weight_range(maps.start).start..net.weight_range(maps.end).start;
        (format!("layers.{layer:03}.weight"), vec![net.width, net.inputs(layer), 3, 3], range)
    });
    let rest = [
        ("layers.bias".to_owned(), vec![net.depth, net.width], net.bias_range()),
        ("output.weight".to_owned(), vec![net.classes, net.channels()], net.head_weight_range()),
        ("output.bias".to_owned(), vec![net.classes], net.head_bias_range()),
    ];
    layers.chain(rest).collect()
}

/// Returns the numbers in little-endian bytes.
pub(super) fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fault::Kind,
        model::{border::Border, dilations::Preset, init::initial_parameters},
        numeric::Seed,
    };

    fn model() -> Model {
        let architecture = Architecture {
            preset: Preset::V05,
            depth: 12,
            width: 2,
            input_channels: 3,
            classes: 2,
            border: Border::Reflect,
        };
        let normalisation = Normalisation { clamp_hu: [-1024.0, 3071.0], mean_hu: -371.123_46, std_hu: 0.1 };
        Model { parameters: initial_parameters(&architecture, Seed([9; 32])), architecture, normalisation }
    }

    #[test]
    fn a_model_comes_back_and_its_bytes_are_stable() {
        let model = model();
        let bytes = model.to_bytes().unwrap();
        assert_eq!(Model::from_bytes(&bytes), Ok(model.clone()));
        for _ in 0..5 {
            assert_eq!(model.to_bytes().unwrap(), bytes);
        }
    }

    #[test]
    fn broken_files_are_refused_with_a_reason() {
        let bytes = model().to_bytes().unwrap();
        for cut in [0, 7, 8, 100, bytes.len() - 1] {
            assert_eq!(Model::from_bytes(&bytes[..cut]).unwrap_err().kind, Kind::Unfit, "cut at {cut}");
        }
        let mut nan = bytes.clone();
        let end = nan.len();
        nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(Model::from_bytes(&nan).unwrap_err().what.contains("finite"));
        let needle = br#"\"format\":1"#;
        let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap() + needle.len() - 1;
        let mut newer = bytes;
        newer[at] = b'7';
        assert!(Model::from_bytes(&newer).unwrap_err().what.contains("another version"));
        assert_eq!(Model::load(Path::new("/nowhere/model.safetensors")).unwrap_err().kind, Kind::Usage);
    }
}
