//! A machine that writes down what it is told, for the program that runs it.

use std::cell::RefCell;

use super::super::launch::{Kernel, Launch, Machine};

/// A script for the driver, and the kernels that it launches.
#[derive(Default)]
pub(super) struct Recorder {
    script: RefCell<Vec<u8>>,
    buffers: RefCell<u32>,
    kernels: RefCell<Vec<(Kernel, [u32; 2])>>,
}

/// Number of a buffer.
pub(super) type Id = u32;

impl Recorder {
    fn write(&self, words: &[u32]) {
        self.script.borrow_mut().extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    }

    fn allocate(&self, bytes: usize) -> Id {
        let id = self.buffers.replace_with(|&mut id| id + 1);
        self.write(&[0, id, bytes as u32]);
        id
    }

    /// Returns a buffer with these numbers.
    pub(super) fn given(&self, numbers: &[f32]) -> Id {
        self.words(&numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>())
    }

    /// Asks for the content of a buffer, which the driver writes after that of earlier calls.
    pub(super) fn read(&self, id: Id) {
        self.write(&[3, id]);
    }

    /// Returns the kernels in the order of their numbers.
    pub(super) fn kernels(&self) -> Vec<(Kernel, [u32; 2])> {
        self.kernels.borrow().clone()
    }

    pub(super) fn script(self) -> Vec<u8> {
        self.script.into_inner()
    }
}

impl Machine for Recorder {
    type Buffer = Id;

    fn floats(&self, length: usize) -> Id {
        self.allocate(4 * length)
    }

    fn doubles(&self, length: usize) -> Id {
        self.allocate(8 * length)
    }

    fn words(&self, words: &[u32]) -> Id {
        let id = self.allocate(4 * words.len());
        self.write(&[1, id]);
        self.write(words);
        id
    }

    fn launch(&self, launch: &Launch<'_, Id>) {
        let mut kernels = self.kernels.borrow_mut();
        let number = kernels.iter().position(|&(kernel, _)| kernel == launch.kernel).unwrap_or(kernels.len());
        if number == kernels.len() {
            kernels.push((launch.kernel, launch.threads));
        }
        self.write(&[2, number as u32]);
        self.write(&launch.cubes);
        self.write(&launch.threads);
        self.write(&[launch.buffers.len() as u32]);
        self.write(&launch.buffers.iter().map(|&&id| id).collect::<Vec<_>>());
        self.write(&[launch.numbers.len() as u32]);
        self.write(&launch.numbers.iter().map(|&number| number as u32).collect::<Vec<_>>());
    }
}
