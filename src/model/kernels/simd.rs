//! Which vector instructions run: the widest that the machine has, or the one that a person asked for.

use std::{
    str::FromStr,
    sync::atomic::{AtomicU8, Ordering},
};

use crate::fault::{Fault, Result, near_miss};

/// An instruction set that the kernels are compiled for. All give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simd {
    /// Plain code: slow, and the yardstick for the others.
    Scalar,
    /// 8 lanes, on 64-bit ARM.
    Neon,
    /// 8 lanes.
    Avx2,
    /// 16 lanes.
    Avx512,
}

impl Simd {
    /// All sets, widest last.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Neon, Self::Avx2, Self::Avx512];

    /// Returns the name used in `CALVARIA_SIMD`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Returns whether this machine can run it.
    #[must_use]
    pub fn available(self) -> bool {
        match self {
            Self::Scalar => true,
            Self::Neon => cfg!(target_arch = "aarch64"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Self::Avx2.available() && is_x86_feature_detected!("avx512f"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// Returns the widest set that this machine can run.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().rfind(|set| set.available()).unwrap_or(Self::Scalar)
    }
}

impl FromStr for Simd {
    type Err = Fault;

    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.map(Self::name);
        Self::ALL.into_iter().find(|set| set.name() == name).ok_or_else(|| {
            let fault = Fault::usage(format!("there is no vector instruction set `{name}` here: {}", known.join(", ")));
            match near_miss(name, known) {
                Some(near) => fault.hint(format!("did you mean `{near}`?")),
                None => fault,
            }
        })
    }
}

/// The forced set plus one; 0 means that nobody asked.
static FORCED: AtomicU8 = AtomicU8::new(0);

/// Makes all later work use one instruction set.
///
/// # Errors
/// Usage when this machine cannot run it.
pub fn force(set: Simd) -> Result<()> {
    if !set.available() {
        return Err(Fault::usage(format!("this machine cannot run {} instructions", set.name()))
            .hint("unset CALVARIA_SIMD: the widest set that the machine has is then used"));
    }
    FORCED.store(set as u8 + 1, Ordering::Relaxed);
    Ok(())
}

/// Returns the set in use.
#[must_use]
pub fn active() -> Simd {
    match FORCED.load(Ordering::Relaxed) {
        0 => Simd::best(),
        forced => Simd::ALL[usize::from(forced) - 1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_mistakes_are_answered() {
        for set in Simd::ALL {
            assert_eq!(set.name().parse(), Ok(set));
        }
        let fault = "avx52".parse::<Simd>().unwrap_err();
        assert_eq!(fault.hint.as_deref(), Some("did you mean `avx2`?"));
        assert!(Simd::Scalar.available());
    }
}
