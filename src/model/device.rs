//! Where the network runs: the processor, or an NVIDIA card where the program was built for one and finds one.

use std::str::FromStr;

use crate::fault::{Fault, Result};

/// What a person asked for: `auto`, `cpu`, `cuda` or `cuda:1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The processor: the only place whose bits are promised.
    #[default]
    Cpu,
    /// A card if one can be used, else the processor.
    Auto,
    /// The card with that number.
    Cuda(usize),
}

impl FromStr for Device {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "auto" => Ok(Self::Auto),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| Fault::usage(format!("no device `{text}`: auto, cpu, cuda or cuda:<number>"))),
        }
    }
}

impl Device {
    /// Returns the device that will be used: `Cpu` or a `Cuda` that answers.
    ///
    /// # Errors
    /// Usage when a card was asked for and cannot be used.
    pub fn resolve(self) -> Result<Self> {
        match self {
            Self::Cpu => Ok(Self::Cpu),
            Self::Auto => Ok(probe(0).map_or(Self::Cpu, |()| Self::Cuda(0))),
            Self::Cuda(number) => {
                let why_not = |why: String| {
                    Fault::usage(format!("cannot use the NVIDIA card {number}: {why}")).hint("use `--device cpu`")
                };
                probe(number).map(|()| self).map_err(why_not)
            }
        }
    }
}

/// Returns why a card cannot be used, if so.
#[cfg(not(feature = "cuda"))]
fn probe(_number: usize) -> std::result::Result<(), String> {
    Err("this program was built without the feature `cuda`".to_owned())
}

/// Returns why a card cannot be used, if so.
///
/// burn gives no way to ask: its first operation panics on the device's thread when a library is missing. So the operation
/// is tried once, on a thread whose panic is caught.
#[cfg(feature = "cuda")]
fn probe(number: usize) -> std::result::Result<(), String> {
    use burn::{
        backend::{Cuda, cuda::CudaDevice},
        tensor::Tensor,
    };
    let attempt = std::panic::catch_unwind(|| {
        let device = CudaDevice::new(number);
        let doubled = Tensor::<Cuda, 1>::from_data([1.5_f32], &device) * 2.0;
        doubled.into_data().to_vec::<f32>().is_ok_and(|values| values == [3.0])
    });
    match attempt {
        Ok(true) => Ok(()),
        Ok(false) => Err("it does not compute".to_owned()),
        Err(_) => Err("no driver, run-time compiler (NVRTC), toolkit headers or card was found".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named() {
        assert_eq!("cuda:2".parse(), Ok(Device::Cuda(2)));
        assert_eq!("auto".parse(), Ok(Device::Auto));
        assert!("gpu".parse::<Device>().is_err());
        assert_eq!(Device::Cpu.resolve(), Ok(Device::Cpu));
    }
}
