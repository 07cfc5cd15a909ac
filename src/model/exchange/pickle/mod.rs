//! A reader of the pickles inside PyTorch checkpoints that executes nothing.
//!
//! A pickle is a program for a small stack machine, and Python's own reader lets it call any function of any module. This
//! one knows the opcodes that a state dict is written with, and a closed list of names ([`value::Global`]) that it takes as
//! data: any other name or opcode ends the reading, with its byte. Objects live in one flat list and refer to each other by
//! number, so a pickle that contains itself is harmless: nothing here recurses.

mod machine;
mod value;
mod write;

pub(super) use machine::read;
#[cfg(test)]
pub(super) use value::Storage;
pub(super) use value::{Heap, Object, Scalar, TensorRef, Value};
pub(super) use write::Writer;

#[cfg(test)]
mod tests;
