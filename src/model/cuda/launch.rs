//! A kernel launch as data, so that a card and the emulation in the tests run the very same ones.

/// The kernels, each with what is fixed when it is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kernel {
    Fill,
    CopyPlanes,
    Scale,
    Pack,
    Convolve { tall: usize, at_once: usize },
    Head,
    Nll,
    LeafSums,
    PairSums,
    Mean,
    Pull,
    Finish,
    Push { group: usize },
    WeightLanes,
    HeadLanes,
    PlaneLanes,
    AddLanes,
}

/// One launch: kernel, geometry, buffers and numbers in the order of the kernel's arguments.
#[derive(Clone, Debug)]
pub(super) struct Launch<'a, B> {
    pub(super) kernel: Kernel,
    pub(super) cubes: [u32; 3],
    pub(super) threads: [u32; 2],
    pub(super) buffers: &'a [&'a B],
    pub(super) numbers: &'a [usize],
}

/// Something that has buffers and runs launches one after the other.
pub(super) trait Machine {
    /// A piece of its memory.
    type Buffer: Clone;

    /// Returns a buffer of f32 whose content is undefined.
    fn floats(&self, length: usize) -> Self::Buffer;
    /// Returns a buffer of f64 whose content is undefined.
    fn doubles(&self, length: usize) -> Self::Buffer;
    /// Returns a buffer with these numbers.
    fn words(&self, words: &[u32]) -> Self::Buffer;
    /// Runs a kernel after all that were launched before.
    fn launch(&self, launch: &Launch<'_, Self::Buffer>);

    /// Returns a buffer of NaN: a kernel that never ran cannot leave numbers behind that look like results.
    fn poisoned(&self, length: usize) -> Self::Buffer {
        let buffer = self.floats(length);
        self.flat(Kernel::Fill, (length, 1, 1), &[&buffer], &[length, f32::NAN.to_bits() as usize]);
        buffer
    }

    /// Runs a kernel with a thread an element, `count` times `y` times `z`.
    fn flat(&self, kernel: Kernel, (count, y, z): (usize, usize, usize), buffers: &[&Self::Buffer], numbers: &[usize]) {
        let cubes = [count.div_ceil(FLAT as usize) as u32, y as u32, z as u32];
        self.launch(&Launch { kernel, cubes, threads: [FLAT, 1], buffers, numbers });
    }
}

/// Threads of a cube where a thread is an element.
const FLAT: u32 = 256;
