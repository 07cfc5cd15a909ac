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
    /// Returns the device that will be used: `Cpu` or a `Cuda` that answers. Under `auto` the log says why it is the processor.
    ///
    /// # Errors
    /// Usage when a card was asked for and cannot be used.
    pub fn resolve(self) -> Result<Self> {
        match self {
            Self::Cpu => Ok(Self::Cpu),
            Self::Auto => match why_not(0) {
                Ok(()) => Ok(Self::Cuda(0)),
                Err(why) => {
                    tracing::info!("running on the processor: {why}");
                    Ok(Self::Cpu)
                }
            },
            Self::Cuda(number) => match why_not(number) {
                Ok(()) => Ok(self),
                Err(why) => Err(Fault::usage(format!("cannot use the NVIDIA card {number}: {why}"))
                    .hint("use `--device cpu`, or `--device auto` for a card only where one can be used")),
            },
        }
    }
}

#[cfg(feature = "cuda")]
use super::cuda::why_not;

/// Returns why a card cannot be used.
#[cfg(not(feature = "cuda"))]
fn why_not(_number: usize) -> std::result::Result<(), String> {
    Err("this program was built without the feature `cuda`".to_owned())
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

    #[test]
    fn a_missing_card_is_said_or_replaced() {
        match Device::Cuda(0).resolve() {
            Ok(device) => assert_eq!(Device::Auto.resolve(), Ok(device)),
            Err(fault) => {
                assert!(fault.what.starts_with("cannot use the NVIDIA card 0: ") && fault.hint.is_some(), "{fault}");
                assert_eq!(Device::Auto.resolve(), Ok(Device::Cpu));
            }
        }
        assert!(Device::Cuda(99).resolve().is_err());
    }
}
