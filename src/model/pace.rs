//! How fast a long stage goes, for the eyes of people alone: nothing that is recorded depends on it.

use std::time::Instant;

/// Slices done since a moment.
#[derive(Debug)]
pub(super) struct Pace {
    begun: Instant,
}

impl Pace {
    /// Returns a pace that begins now.
    pub(super) fn new() -> Self {
        Self { begun: Instant::now() }
    }

    /// Returns `8.3 slices/s`, for slices done since the beginning.
    pub(super) fn of(&self, slices: u64) -> String {
        let seconds = self.begun.elapsed().as_secs_f64().max(1e-3);
        let rate = slices as f64 / seconds;
        if rate < 10.0 { format!("{rate:.1} slices/s") } else { format!("{rate:.0} slices/s") }
    }
}
