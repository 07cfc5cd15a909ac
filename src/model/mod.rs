//! The MSDnet: its shape, training and inference. The only module that knows burn.
//!
//! ```text
//! data ─ axial, normalise ─▶ training ─ op (burn autodiff) ─ kernels ─▶ adam ─▶ file (Model) ─▶ inference
//! ```
//! Everything that reaches a result runs in our own kernels, in one documented order per number ([`kernels`]): training and
//! inference give the same bits for any number of threads and any vector width.

pub mod adam;
pub mod axial;
pub mod border;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod data;
pub mod device;
pub mod dilations;
pub mod exchange;
mod file;
mod inference;
pub mod init;
pub mod kernels;
mod lanes;
pub mod msdnet;
pub mod normalise;
pub mod op;
mod pace;
pub mod reference;
pub mod speed;
pub mod symmetry;
pub mod training;

pub use data::TrainingCase;
pub use device::Device;
pub use file::Model;
pub use inference::{Inference, Inferred, infer, infer_on};
pub use msdnet::Architecture;
pub use training::{Epoch, History, TrainParams, Trained, Training, train, train_on};
