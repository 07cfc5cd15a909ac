//! Networks and slices of awkward shapes, and what a backend makes of them.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData, backend::AutodiffBackend};

use crate::{
    model::{
        border::Border,
        dilations::Preset,
        kernels::{IGNORED, Size},
        msdnet::Architecture,
        op::{MsdBackend, mean_nll, msd_block},
    },
    numeric::Seed,
};

/// A network with parameters, a batch of slices and their classes.
pub(in crate::model::cuda) struct Example {
    pub(in crate::model::cuda) net: Arc<Architecture>,
    pub(in crate::model::cuda) size: Size,
    pub(in crate::model::cuda) slices: usize,
    pub(in crate::model::cuda) parameters: Vec<f32>,
    pub(in crate::model::cuda) images: Vec<f32>,
    pub(in crate::model::cuda) target: Arc<[u8]>,
}

/// Results by name: logits, loss, gradients of parameters and input.
pub(in crate::model::cuda) type Results = [(&'static str, Vec<f32>); 4];

impl Example {
    pub(in crate::model::cuda) fn new(net: Architecture, size: Size, slices: usize, seed: u8) -> Self {
        let mut stream = Seed([seed; 32]).stream("example", 0);
        let deviation = (2.0 / (9 * net.channels()) as f64).sqrt();
        let pixels = slices * size.pixels();
        let parameters = (0..net.parameter_count()).map(|_| (deviation * stream.normal()) as f32).collect();
        let images = (0..pixels * net.input_channels).map(|_| stream.normal() as f32).collect();
        // One class more than there is: those pixels are ignored.
        let classes = net.classes as u64;
        let class = |drawn: u64| if drawn == classes { IGNORED } else { drawn as u8 };
        let target = (0..pixels).map(|_| class(stream.below(classes + 1))).collect();
        Self { net: Arc::new(net), size, slices, parameters, images, target }
    }

    pub(in crate::model::cuda) fn run<B: AutodiffBackend + MsdBackend>(&self, device: &B::Device) -> Results {
        let shape = [self.slices, self.net.input_channels, self.size.rows, self.size.columns];
        let images = Tensor::<B, 4>::from_data(TensorData::new(self.images.clone(), shape), device).require_grad();
        let weights = TensorData::new(self.parameters.clone(), [self.parameters.len()]);
        let weights = Tensor::<B, 1>::from_data(weights, device).require_grad();
        let logits = msd_block(images.clone(), weights.clone(), &self.net);
        let loss = mean_nll(logits.clone(), &self.target);
        let gradients = loss.backward();
        let values = |data: TensorData| data.to_vec::<f32>().unwrap();
        [
            ("logits", values(logits.into_data())),
            ("loss", values(loss.into_data())),
            ("parameter gradients", values(weights.grad(&gradients).unwrap().into_data())),
            ("input gradients", values(images.grad(&gradients).unwrap().into_data())),
        ]
    }
}

/// Returns examples that reach every branch: both borders, one pixel, dilations as large as the slice, several bands and
/// slices, layers wider than a group, more classes than a thread takes.
pub(in crate::model::cuda) fn cases() -> Vec<Example> {
    let net = |preset, (depth, width): (usize, usize), input_channels, classes, border| Architecture {
        preset,
        depth,
        width,
        input_channels,
        classes,
        border,
    };
    let size = |rows, columns| Size { rows, columns };
    use Border::{Reflect, Symmetric};
    use Preset::{Public, V05};
    vec![
        Example::new(net(Public, (1, 1), 1, 2, Symmetric), size(1, 1), 1, 1),
        Example::new(net(Public, (13, 1), 1, 2, Symmetric), size(37, 45), 1, 2),
        Example::new(net(V05, (12, 1), 3, 3, Reflect), size(41, 11), 2, 3),
        Example::new(net(Public, (11, 2), 2, 5, Symmetric), size(10, 70), 5, 4),
        Example::new(net(Public, (3, 3), 1, 2, Reflect), size(67, 4), 1, 5),
        Example::new(net(V05, (2, 11), 1, 4, Reflect), size(33, 19), 2, 6),
        Example::new(net(Public, (40, 1), 1, 2, Symmetric), size(13, 131), 1, 7),
    ]
}

/// Returns how many numbers differ in any bit.
pub(in crate::model::cuda) fn differing(a: &[f32], b: &[f32]) -> usize {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).filter(|(a, b)| a.to_bits() != b.to_bits()).count()
}
