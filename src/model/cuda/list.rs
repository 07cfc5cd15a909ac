//! All kernels with their arguments, once: launching them and turning them into text both read this list.

/// Calls a macro with `pattern => module::kernel(buffers; numbers; fixed when compiled)` for each kernel.
macro_rules! with_kernels {
    ($callback:ident) => {
        $callback! {
            Kernel::Fill => copy::fill(to: write f32; count, bits;);
            Kernel::CopyPlanes => copy::copy_planes(from: read f32, to: write f32; plane, from_planes, to_planes;);
            Kernel::Scale => copy::scale(from: read f32, factor: read f32, to: write f32; count;);
            Kernel::Pack => taps::pack(parameters: read f32, taps: write f32; entries;);
            Kernel::Convolve { tall, at_once } => convolve::convolve(
                maps: write f32, taps: read Four, parameters: read f32;
                rows, columns, channels, width, inputs, first_output, first_bias, first_entry, dilation, repeated;
                tall, at_once
            );
            Kernel::Head => head::head(
                maps: read f32, parameters: read f32, logits: write f32;
                plane, channels, classes, first_weight, first_bias;
            );
            Kernel::Nll => loss::nll(
                logits: read f32, target: read u32, gradients: write f32, losses: write f32;
                plane, classes, pixels, scale;
            );
            Kernel::LeafSums => loss::leaf_sums(losses: read f32, sums: write f64; count;);
            Kernel::PairSums => loss::pair_sums(sums: write f64; leaves, depth;);
            Kernel::Mean => loss::mean(sums: read f64, loss: write f32; counted;);
            Kernel::Pull => head::pull(
                logit_gradients: read f32, parameters: read f32, gradients: write f32;
                plane, channels, classes, first_weight, from;
            );
            Kernel::Finish => push::finish(
                maps: read f32, taps: read Four, table: read u32, gradients: write f32;
                rows, columns, channels, input_channels, first_map, first_reader, end, repeated;
            );
            Kernel::Push { group } => push::push(
                taps: read Four, table: read u32, gradients: write f32;
                rows, columns, channels, input_channels, first_map, from, until, repeated;
                group
            );
            Kernel::WeightLanes => lanes::weight_lanes(
                maps: read f32, deltas: read f32, table: read u32, items: read u32, lanes: write f32;
                rows, columns, channels, input_channels, slice, repeated, first_entry, bands;
            );
            Kernel::HeadLanes => lanes::head_lanes(
                maps: read f32, logit_gradients: read f32, lanes: write f32;
                rows, columns, channels, classes, slice, bands;
            );
            Kernel::PlaneLanes => lanes::plane_lanes(
                planes: read f32, lanes: write f32;
                rows, columns, first_plane, count, bands;
            );
            Kernel::AddLanes => lanes::add_lanes(
                lanes: read f32, gradients: write f32;
                weights, first_gradient, bands, slice;
            );
        }
    };
}
pub(super) use with_kernels;
