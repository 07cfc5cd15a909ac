//! Which instruction set the searches run on: the widest that the machine has.

/// An instruction set that the searches are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// What every machine of the kind has.
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Set {
    /// All sets, widest last.
    #[cfg(target_arch = "x86_64")]
    const ALL: &[Self] = &[Self::Plain, Self::Avx2, Self::Avx512];
    #[cfg(not(target_arch = "x86_64"))]
    const ALL: &[Self] = &[Self::Plain];

    /// Returns the sets that this machine has.
    pub(super) fn available() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|set| match set {
            Self::Plain => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avx512f"),
        })
    }

    /// Returns the widest set that this machine has.
    pub(super) fn best() -> Self {
        Self::available().last().unwrap_or(Self::Plain)
    }
}

/// Defines a function that runs another, generic over [`Lanes`](super::lanes::Lanes) and always inlined, compiled for the instruction set that
/// is its first argument.
macro_rules! for_each_set {
    ($vis:vis fn $name:ident($($argument:ident: $of:ty),*) $(-> $answer:ty)? = $inlined:ident) => {
        #[cfg_attr(
            target_arch = "x86_64",
            expect(unsafe_code, reason = "functions for instruction sets that not every machine has")
        )]
        $vis fn $name(set: Set, $($argument: $of),*) $(-> $answer)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2($($argument: $of),*) $(-> $answer)? {
                $inlined::<super::lanes::Avx2>($($argument),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,avx512f")]
            fn avx512($($argument: $of),*) $(-> $answer)? {
                $inlined::<super::lanes::Avx512>($($argument),*)
            }
            match set {
                Set::Plain => $inlined::<f64>($($argument),*),
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a tree only holds a set that this machine has.
                Set::Avx2 => unsafe { avx2($($argument),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                Set::Avx512 => unsafe { avx512($($argument),*) },
            }
        }
    };
}

pub(super) use for_each_set;
