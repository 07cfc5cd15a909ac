//! Slices on their way through a network: few at a time, so that memory stays small; each computed with all threads.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use burn::tensor::{Tensor, TensorData};

use super::{
    kernels::Size,
    msdnet::Architecture,
    op::{MsdBackend, msd_block, read},
};
use crate::fault::{Fault, Kind, Result};

/// Slices in flight: while one is prepared or finished, the other keeps the threads busy. Each takes all its maps,
/// 106 MB for 512 x 512 pixels and depth 100.
const IN_FLIGHT: usize = 2;

/// The signal that a stopped stage reports; the program knows the real one.
const SIGINT: i32 = 2;

/// Returns the fault of a stage that was asked to stop.
pub(super) fn interrupted(what: &str) -> Fault {
    Fault::new(Kind::Interrupted(SIGINT), what)
}

/// Returns the logits `[class][y][x]` of one image `[channel][y][x]`.
pub(super) fn logits<B: MsdBackend>(
    net: &Arc<Architecture>,
    image: Vec<f32>,
    size: Size,
    parameters: &[f32],
    device: &B::Device,
) -> Result<Vec<f32>> {
    let shape = [1, net.input_channels, size.rows, size.columns];
    let image = Tensor::<B, 4>::from_data(TensorData::new(image, shape), device);
    let parameters = TensorData::new(parameters.to_vec(), [parameters.len()]);
    let logits = msd_block(image, Tensor::from_data(parameters, device), net);
    read(logits)
}

/// Returns the class with the largest value of each pixel, of equals the lowest; `values` is `[class][pixel]`.
pub(super) fn largest<T: PartialOrd + Copy>(values: &[T], pixels: usize) -> Vec<u8> {
    let (background, others) = values.split_at(pixels);
    let (mut best, mut classes) = (background.to_vec(), vec![0; pixels]);
    for (plane, number) in others.chunks_exact(pixels).zip(1_u8..) {
        for ((best, class), &value) in best.iter_mut().zip(&mut classes).zip(plane) {
            let larger = value > *best;
            *best = if larger { value } else { *best };
            *class = if larger { number } else { *class };
        }
    }
    classes
}

/// Returns what `work` gives for each of `count` slices, in order. At most two are in flight, or one on a device that
/// computes one at a time.
///
/// # Errors
/// The fault of the first slice that has one; slices that have not begun by then are left out.
pub(super) fn for_each_slice<T: Send>(
    count: usize,
    one_at_a_time: bool,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<Result<T>>>> = Mutex::new((0..count).map(|_| None).collect());
    let lane = || {
        loop {
            let slice = next.fetch_add(1, Ordering::Relaxed);
            if slice >= count {
                break;
            }
            let result = work(slice);
            if result.is_err() {
                next.store(count, Ordering::Relaxed);
            }
            // The list is whole after any panic: each change is one assignment.
            done.lock().unwrap_or_else(PoisonError::into_inner)[slice] = Some(result);
        }
    };
    let lanes = if one_at_a_time { 1 } else { IN_FLIGHT.min(rayon::current_num_threads()) };
    rayon::scope(|scope| {
        (1..lanes).for_each(|_| scope.spawn(|_| lane()));
        lane();
    });
    // Slices that were left out stand behind the fault that stopped them.
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_classes_the_lowest_wins() {
        assert_eq!(largest(&[0.0, 1.0, 2.0, 1.0, 1.0, 1.0, 0.0, 2.0, 2.0], 3), [1, 2, 0]);
    }

    #[test]
    fn results_keep_their_order_and_two_at_most_are_in_flight() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |slice: usize| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(1));
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(slice)
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(5).build().unwrap();
        assert_eq!(pool.install(|| for_each_slice(20, false, work)), Ok((0..20).collect()));
        assert_eq!(most.swap(0, Ordering::SeqCst), 2);
        assert_eq!(pool.install(|| for_each_slice(9, true, work)), Ok((0..9).collect()));
        assert_eq!(most.load(Ordering::SeqCst), 1);
        assert_eq!(for_each_slice(0, false, work), Ok(Vec::new()));
    }

    #[test]
    fn the_first_fault_ends_it() {
        let begun = AtomicUsize::new(0);
        let work = |slice: usize| {
            begun.fetch_add(1, Ordering::SeqCst);
            if slice >= 3 { Err(Fault::unfit(format!("slice {slice}"))) } else { Ok(()) }
        };
        assert_eq!(for_each_slice(1000, false, work).unwrap_err().what, "slice 3");
        assert!(begun.load(Ordering::SeqCst) <= 5, "{begun:?}");
    }
}
