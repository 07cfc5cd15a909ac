//! A card as a machine: cubecl's client, launches without bounds checks.

use burn::backend::cuda::CudaDevice;
use cubecl::{
    client::ComputeClient,
    cuda::CudaRuntime,
    prelude::{ArrayArg, CubeCount, CubeDim, Runtime as _},
    server::Handle,
};

use super::{
    kernels::{convolve, copy, head, lanes, loss, push, taps},
    launch::{Launch, Machine},
    list::with_kernels,
};
use crate::model::cuda::launch::Kernel;

/// The way to one card.
pub(super) struct Card {
    pub(super) client: ComputeClient<CudaRuntime>,
}

/// A piece of a card's memory, in elements.
#[derive(Clone, Debug)]
pub(in crate::model) struct Memory {
    pub(super) handle: Handle,
    pub(super) length: usize,
}

impl Card {
    /// Returns the way to a card; cubecl panics on its device thread where there is none.
    pub(super) fn new(device: &CudaDevice) -> Self {
        Self { client: CudaRuntime::client(device) }
    }

    fn memory(&self, length: usize, bytes: usize) -> Memory {
        Memory { handle: self.client.empty(length * bytes), length }
    }
}

impl Machine for Card {
    type Buffer = Memory;

    fn floats(&self, length: usize) -> Memory {
        self.memory(length, size_of::<f32>())
    }

    fn doubles(&self, length: usize) -> Memory {
        self.memory(length, size_of::<f64>())
    }

    fn words(&self, words: &[u32]) -> Memory {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        Memory { handle: self.client.create_from_slice(&bytes), length: words.len() }
    }

    #[expect(unsafe_code, reason = "kernels without bounds checks")]
    fn launch(&self, launch: &Launch<'_, Memory>) {
        let [x, y, z] = launch.cubes;
        let (count, threads) = (CubeCount::Static(x, y, z), CubeDim::new_2d(launch.threads[0], launch.threads[1]));
        let (buffers, numbers) = (launch.buffers, launch.numbers);
        // SAFETY: lengths are those that the buffers were made with.
        let argument = |i: usize, elements: usize| unsafe {
            ArrayArg::from_raw_parts(buffers[i].handle.clone(), buffers[i].length / elements)
        };
        macro_rules! elements {
            (Four) => {
                4
            };
            ($kind:ty) => {
                1
            };
        }
        macro_rules! run {
            ($($pattern:pat => $module:ident::$name:ident(
                $($buffer:ident: $access:ident $kind:tt),*; $($number:ident),*; $($fixed:ident),*);)*) => {
                match launch.kernel {
                    $($pattern => {
                        let mut next = 0..;
                        $(let $buffer = argument(next.next().unwrap_or(0), elements!($kind));)*
                        let mut next = numbers.iter().copied();
                        $(let $number = next.next().unwrap_or(0);)*
                        // SAFETY: every kernel tests its thread's place against the sizes it is given, and the tests run
                        // all of them under a check of every access.
                        unsafe {
                            $module::$name::launch_unchecked::<CudaRuntime>(
                                &self.client, count, threads, $($buffer,)* $($number,)* $($fixed),*
                            );
                        }
                    })*
                }
            };
        }
        with_kernels!(run);
    }
}
