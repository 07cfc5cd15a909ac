//! Safetensors files whose tensors carry the names of a state dict.

use std::{borrow::Cow, collections::HashMap};

use safetensors::{Dtype, SafeTensors, View};

use super::state::{HEADER, Tensors};
use crate::fault::{Fault, Result};

/// A safetensors file in memory.
pub(super) struct Named<'a> {
    tensors: SafeTensors<'a>,
    header: Option<String>,
}

impl<'a> Named<'a> {
    /// # Errors
    /// Unfit when the bytes are no safetensors file, or a model of this program.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self> {
        let broken = |error| {
            Fault::unfit(format!("neither a PyTorch checkpoint nor a safetensors file: {error}"))
                .hint("give a file that `torch.save` wrote, or safetensors with a state dict's names")
        };
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(broken)?;
        if tensors.tensor("layers.bias").is_ok() {
            return Err(Fault::usage("the file is a model of this program already: it needs no import"));
        }
        let header = metadata.metadata().as_ref().and_then(|map| map.get(HEADER).cloned());
        Ok(Self { tensors, header })
    }
}

impl Tensors for Named<'_> {
    fn names(&self) -> Vec<&str> {
        self.tensors.names()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors.tensor(name).ok().map(|tensor| tensor.shape().to_vec())
    }

    fn values(&self, name: &str) -> Result<Vec<f64>> {
        let tensor = self.tensors.tensor(name);
        let tensor = tensor.map_err(|error| Fault::unfit(format!("the tensor `{name}`: {error}")))?;
        let data = tensor.data();
        match tensor.dtype() {
            Dtype::F32 => Ok(data.as_chunks().0.iter().map(|&bytes| f64::from(f32::from_le_bytes(bytes))).collect()),
            Dtype::F64 => Ok(data.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect()),
            other => Err(Fault::unfit(format!("the tensor `{name}` is {other:?}, not F32 or F64"))),
        }
    }

    fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }
}

/// A tensor to be written.
struct Tensor<'a> {
    shape: &'a [usize],
    values: &'a [f32],
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into()
    }
    fn data_len(&self) -> usize {
        4 * self.values.len()
    }
}

/// Returns the bytes of a safetensors file.
pub(super) fn write(tensors: &[(String, Vec<usize>, Vec<f32>)], header: String) -> Result<Vec<u8>> {
    let views = tensors.iter().map(|(name, shape, values)| (name, Tensor { shape, values }));
    safetensors::serialize(views, Some(HashMap::from([(HEADER.to_owned(), header)])))
        .map_err(|error| Fault::unfit(format!("the network cannot be written: {error}")))
}
