//! The output layer: logits from all maps, and the gradients that it gives back to them.

use cubecl::prelude::*;

use super::CLASSES_A_THREAD;

/// Writes the logits `[slice][class][pixel]`. Cubes: pixels; classes, two at a time; slices.
#[cube(launch_unchecked)]
pub(crate) fn head(
    maps: &Array<f32>,
    parameters: &Array<f32>,
    logits: &mut Array<f32>,
    plane: usize,
    channels: usize,
    classes: usize,
    first_weight: usize,
    first_bias: usize,
) {
    let pixel = ABSOLUTE_POS_X as usize;
    if pixel < plane {
        let slice = CUBE_POS_Z as usize;
        let first = CUBE_POS_Y as usize * CLASSES_A_THREAD;
        let mut class = Array::<usize>::new(CLASSES_A_THREAD);
        let mut sums = Array::<f32>::new(CLASSES_A_THREAD);
        #[unroll]
        for i in 0..CLASSES_A_THREAD {
            class[i] = select(first + i < classes, first + i, first);
            sums[i] = parameters[first_bias + class[i]];
        }
        for channel in 0..channels {
            let value = maps[(slice * channels + channel) * plane + pixel];
            #[unroll]
            for i in 0..CLASSES_A_THREAD {
                sums[i] = fma(value, parameters[first_weight + class[i] * channels + channel], sums[i]);
            }
        }
        #[unroll]
        for i in 0..CLASSES_A_THREAD {
            if first + i < classes {
                logits[(slice * classes + first + i) * plane + pixel] = sums[i];
            }
        }
    }
}

/// Writes what the output layer gives to the gradient of each map. Cubes: pixels; channels from `from` on; slices.
#[cube(launch_unchecked)]
pub(crate) fn pull(
    logit_gradients: &Array<f32>,
    parameters: &Array<f32>,
    gradients: &mut Array<f32>,
    plane: usize,
    channels: usize,
    classes: usize,
    first_weight: usize,
    from: usize,
) {
    let pixel = ABSOLUTE_POS_X as usize;
    if pixel < plane {
        let slice = CUBE_POS_Z as usize;
        let channel = from + CUBE_POS_Y as usize;
        let mut sum = 0.0f32;
        for class in 0..classes {
            let logit = logit_gradients[(slice * classes + class) * plane + pixel];
            sum = fma(logit, parameters[first_weight + class * channels + channel], sum);
        }
        gradients[(slice * channels + channel) * plane + pixel] = sum;
    }
}
