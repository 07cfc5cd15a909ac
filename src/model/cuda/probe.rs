//! Whether a card can be used, and whether it still can.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{Mutex, Once, PoisonError},
    thread,
};

use burn::backend::cuda::CudaDevice;
use cudarc::{driver, nvrtc};

use super::{
    card::Card,
    launch::{Kernel, Machine as _},
};
use crate::fault::{Fault, Result};

/// Returns why a card cannot be used, if so. Nothing is started before all libraries were found, because cubecl panics on
/// its own thread where one is missing.
#[expect(unsafe_code, reason = "looks whether two libraries can be opened")]
pub(crate) fn why_not(number: usize) -> std::result::Result<(), String> {
    // SAFETY: opens libcuda and calls nothing in it.
    if !unsafe { driver::sys::is_culib_present() } {
        return Err("the NVIDIA driver (libcuda) is not installed".to_owned());
    }
    let cards = driver::CudaContext::device_count().map_err(|error| format!("the NVIDIA driver says: {error:?}"))?;
    if number >= usize::try_from(cards).unwrap_or(0) {
        return Err(format!("the NVIDIA driver finds {cards} cards, numbered from 0"));
    }
    // SAFETY: opens libnvrtc and calls nothing in it.
    if !unsafe { nvrtc::sys::is_culib_present() } {
        return Err("the run-time compiler (libnvrtc, part of the CUDA toolkit) is not installed".to_owned());
    }
    let headers = quietly(cubecl::cuda::install::include_path)
        .filter(|folder| folder.join("cuda_runtime.h").is_file())
        .ok_or("the CUDA toolkit's headers were not found: set CUDA_PATH to its folder")?;
    watch();
    if quietly(|| answers(number)) == Some(true) {
        Ok(())
    } else {
        let why = lost().unwrap_or_else(|| "a first small computation failed".to_owned());
        Err(format!("{why} (headers in {}; is the CUDA toolkit newer than the driver?)", headers.display()))
    }
}

/// Returns what a function returns, or nothing if it panics.
fn quietly<T>(f: impl FnOnce() -> T) -> Option<T> {
    panic::catch_unwind(AssertUnwindSafe(f)).ok()
}

/// Fills and scales a few numbers on the card.
fn answers(number: usize) -> bool {
    let card = Card::new(&CudaDevice::new(number));
    let (numbers, result) = (card.floats(4), card.poisoned(4));
    card.flat(Kernel::Fill, (4, 1, 1), &[&numbers], &[4, 1.5_f32.to_bits() as usize]);
    card.flat(Kernel::Scale, (4, 1, 1), &[&numbers, &numbers, &result], &[4]);
    let Ok(bytes) = card.client.read_one(result.handle) else { return false };
    bytes.len() >= 16 && bytes.as_chunks::<4>().0[..4].iter().all(|&bytes| f32::from_ne_bytes(bytes) == 2.25)
}

/// What went wrong on a device's thread, if anything did.
static LOST: Mutex<Option<String>> = Mutex::new(None);

/// Remembers panics on cubecl's device threads: it catches and logs them, and later reads give old numbers.
fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // cubecl names its device threads `DSD-…`.
            if thread::current().name().is_some_and(|name| name.starts_with("DSD")) {
                let why = info.payload_as_str().unwrap_or("a kernel could not be made").to_owned();
                LOST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
            }
            before(info);
        }));
    });
}

fn lost() -> Option<String> {
    LOST.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Checks that no work for a card was dropped.
///
/// # Errors
/// Unfit for ever after a panic on a device's thread: nothing read since can be trusted.
pub(crate) fn check_alive() -> Result<()> {
    lost().map_or(Ok(()), |why| {
        Err(Fault::unfit(format!("the NVIDIA card dropped work: {why}")).hint("run again with `--device cpu`"))
    })
}
