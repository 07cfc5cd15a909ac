//! The kernels, as the fused operation, against burn's own operations.

use std::sync::Arc;

use burn::{
    backend::{Autodiff, Flex},
    tensor::{Tensor, TensorData},
};

use super::{
    Size,
    check::{difference, example, network},
};
use crate::model::{
    border::Border,
    op::{mean_nll, msd_block},
    reference,
};

#[test]
fn the_fused_operation_equals_its_composition_of_burn_operations() {
    type B = Autodiff<Flex>;
    for (net, size, batch) in [
        (network(11, 1, 1, Border::Symmetric), Size { rows: 23, columns: 31 }, 2),
        (network(4, 2, 3, Border::Reflect), Size { rows: 9, columns: 17 }, 1),
    ] {
        let net = Arc::new(net);
        let (parameters, _, _) = example(&net, size, 3);
        let examples: Vec<_> = (0..batch).map(|i| example(&net, size, 20 + i)).collect();
        let images: Vec<f32> = examples.iter().flat_map(|(_, image, _)| image.clone()).collect();
        let target: Arc<[u8]> = examples.iter().flat_map(|(_, _, target)| target.clone()).collect();
        let shape = [examples.len(), net.input_channels, size.rows, size.columns];
        let device = Default::default();
        let run = |fused: bool| {
            let images = Tensor::<B, 4>::from_data(TensorData::new(images.clone(), shape), &device).require_grad();
            let weights = TensorData::new(parameters.clone(), [parameters.len()]);
            let weights = Tensor::<B, 1>::from_data(weights, &device).require_grad();
            let loss = if fused {
                mean_nll(msd_block(images.clone(), weights.clone(), &net), &target)
            } else {
                reference::mean_nll(reference::msd_block(images.clone(), weights.clone(), &net), &target)
            };
            let gradients = loss.backward();
            let values = |data: TensorData| data.to_vec::<f32>().unwrap();
            [
                values(loss.into_data()),
                values(weights.grad(&gradients).unwrap().into_data()),
                values(images.grad(&gradients).unwrap().into_data()),
            ]
        };
        for (name, (fused, composed)) in ["loss", "weights", "input"].iter().zip(run(true).iter().zip(run(false))) {
            let composed: Vec<f64> = composed.iter().map(|&v| f64::from(v)).collect();
            let error = difference(fused, &composed);
            assert!(error <= 1e-5, "{name} of {net:?}: {error:e}");
        }
    }
}
