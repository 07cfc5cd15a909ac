//! From a kernel to the CUDA C++ that the card's compiler would get, with no card, driver or toolkit.

use cubecl::{
    Compiler as _,
    cuda::{CudaCompiler, CudaRuntime},
    frontend::ArrayCompilationArg,
    ir::{AddressType, DeviceProperties, HardwareProperties, MemoryDeviceProperties, VectorSize},
    prelude::*,
    profile::TimingMethod,
};

use super::super::{
    kernels::{convolve, copy, head, lanes, loss, push, taps, taps::Four},
    launch::Kernel,
    list::with_kernels,
};

/// Returns the name and the CUDA C++ of a kernel for cubes of that shape.
pub(super) fn cuda_source(kernel: Kernel, threads: [u32; 2]) -> (String, String) {
    let mut b = builder();
    let array = ArrayCompilationArg { inplace: None };
    macro_rules! buffer {
        (read $kind:ty) => {
            <Array<$kind> as LaunchArg>::expand(&array, &mut b)
        };
        (write $kind:ty) => {
            <Array<$kind> as LaunchArg>::expand_output(&array, &mut b)
        };
    }
    macro_rules! expand {
        ($($pattern:pat => $module:ident::$name:ident($($buffer:ident: $access:ident $kind:ty),*; $($number:ident),*; $($fixed:ident),*);)*) => {
            match kernel {
                $($pattern => {
                    $(let $buffer = buffer!($access $kind);)*
                    $(let $number = <usize as LaunchArg>::expand(&(), &mut b);)*
                    $module::$name::expand(&mut b.scope, $($buffer,)* $($number,)* $($fixed),*);
                    stringify!($name)
                })*
            }
        };
    }
    let name = with_kernels!(expand);
    let settings = KernelSettings::default().cube_dim(CubeDim::new_2d(threads[0], threads[1])).kernel_name(name);
    let definition = b.build(settings);
    let mut options = <CudaCompiler as cubecl::Compiler>::CompilationOptions::default();
    // As the CUDA runtime sets them for a recent card.
    options.supports_features.fast_math = true;
    options.supports_features.grid_constants = true;
    options.supports_features.clusters = true;
    let index = AddressType::U32.unsigned_type();
    let source = CudaCompiler::default().compile(definition, &options, ExecutionMode::Unchecked, index);
    (name.to_owned(), source.expect("a kernel that compiles to CUDA C++").to_string())
}

/// Returns a builder with the properties of a recent card.
fn builder() -> KernelBuilder {
    let memory = MemoryDeviceProperties { max_page_size: 1 << 34, alignment: 512 };
    let hardware = HardwareProperties {
        load_width: 128,
        plane_size_min: 32,
        plane_size_max: 32,
        max_bindings: 1024,
        max_shared_memory_size: 232_448,
        max_cube_count: (i32::MAX as u32, 65_535, 65_535),
        max_units_per_cube: 1024,
        max_cube_dim: (1024, 1024, 64),
        num_streaming_multiprocessors: Some(132),
        num_tensor_cores: Some(4),
        min_tensor_cores_dim: Some(8),
        num_cpu_cores: None,
        max_vector_size: VectorSize::MAX,
    };
    let properties = DeviceProperties::new(Default::default(), memory, hardware, TimingMethod::System);
    let mut builder = KernelBuilder::default();
    builder.runtime_properties(<CudaRuntime as Runtime>::target_properties());
    builder.device_properties(&properties);
    AddressType::U32.register(&mut builder.scope);
    builder
}
