//! One round of an audit: the conditions, and this program again under them.

use std::{
    ffi::OsString,
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use clap::ValueEnum;

use crate::{
    cli::{Context, out},
    fault::{Fault, Kind, Result},
    model::kernels::Simd,
};

/// What results must not depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Axis {
    /// Number of threads
    Threads,
    /// Vector instructions
    Vectors,
    /// Temporary folder, and where the store lies
    Temp,
    /// Language, decimal comma, time zone
    Locale,
}

impl Axis {
    pub(super) const ALL: [Self; 4] = [Self::Threads, Self::Vectors, Self::Temp, Self::Locale];
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Threads => "threads",
            Self::Vectors => "vectors",
            Self::Temp => "temp",
            Self::Locale => "locale",
        })
    }
}

/// Languages in which programs fail: the capital of `i` is not `I`; numbers have commas; text is no UTF-8.
const LOCALES: [&str; 3] = ["tr_TR.UTF-8", "de_DE.ISO-8859-1", "C"];
const ZONES: [&str; 3] = ["Pacific/Kiritimati", "America/St_Johns", "UTC"];
/// Names of folders in which programs fail.
const PLACES: [&str; 3] = ["a b/Ünï 'quoted' $HOME", "deep/er/and/deep/er/still", "c"];

/// The conditions of one round; none of a kind means as they are.
#[derive(Clone, Debug)]
pub(super) struct Round {
    threads: usize,
    vectors: Option<Simd>,
    place: Option<&'static str>,
    locale: Option<(&'static str, &'static str)>,
}

impl Round {
    /// Returns rounds in which all that is to be varied is varied at once: few executions that cover every value.
    pub(super) fn plan(vary: &[Axis], rounds: Option<usize>, jobs: usize) -> Vec<Self> {
        let widths: Vec<Simd> = Simd::ALL.into_iter().filter(|set| set.available()).collect();
        let count = rounds.unwrap_or(if vary.contains(&Axis::Vectors) { widths.len().max(2) } else { 2 });
        (0..count).map(|number| Self::number(number, vary, &widths, jobs)).collect()
    }

    /// Returns the round in which only one thing is varied, or nothing.
    pub(super) fn one(axis: Option<Axis>, jobs: usize) -> Self {
        let widths: Vec<Simd> = Simd::ALL.into_iter().filter(|set| set.available()).collect();
        let vary: Vec<Axis> = axis.into_iter().collect();
        Self::number(0, &vary, &widths, jobs)
    }

    fn number(number: usize, vary: &[Axis], widths: &[Simd], jobs: usize) -> Self {
        let varied = |axis| vary.contains(&axis);
        let pick = |list: &[&'static str; 3]| list[number % list.len()];
        // One thread less and one more than any divisor of the work: 1, 3, 2, 4, …
        let threads = [1, 3, 2, 5][number % 4];
        Self {
            threads: if varied(Axis::Threads) { threads } else { jobs },
            vectors: varied(Axis::Vectors).then(|| widths.get(number % widths.len().max(1)).copied()).flatten(),
            place: varied(Axis::Temp).then(|| pick(&PLACES)),
            locale: varied(Axis::Locale).then(|| (pick(&LOCALES), pick(&ZONES))),
        }
    }

    /// Moves the second store to where this round has it; it is the only folder below `folder` that holds a `format`.
    pub(super) fn place(&self, folder: &Path, number: usize) -> PathBuf {
        let now = current(folder);
        let Some(name) = self.place else { return now };
        let target = folder.join(format!("round-{number}")).join(name).join("store");
        let moved = target.parent().is_some_and(|parent| fs::create_dir_all(parent).is_ok())
            && fs::rename(&now, &target).is_ok()
            && fs::write(folder.join("at"), target.as_os_str().as_encoded_bytes()).is_ok();
        if moved { target } else { now }
    }

    /// Executes items in the store at `place`; what fails there is told, and found missing by who compares.
    pub(super) fn execute(
        &self,
        place: &Path,
        items: &[&str],
        arguments: &[OsString],
        folder: &Path,
        context: &Context,
    ) -> Result<()> {
        let list = folder.join("items");
        fs::write(&list, items.join("\n")).map_err(|error| Fault::file("write", &list, &error))?;
        let program = std::env::current_exe();
        let program = program.map_err(|error| Fault::unfit(format!("this program does not find itself: {error}")))?;
        let mut command = Command::new(program);
        command.args(["--quiet", "--no-progress", "--jobs", &self.threads.to_string(), "--store"]).arg(place);
        command.arg("audit").args(arguments).arg("--worker").arg(&list);
        command.env_remove("CALVARIA_JOBS").env_remove("CALVARIA_STORE");
        if let Some(vectors) = self.vectors {
            command.env("CALVARIA_SIMD", vectors.name());
        }
        if self.place.is_some() {
            let temp = place.with_file_name("temp");
            fs::create_dir_all(&temp).map_err(|error| Fault::file("create the folder", &temp, &error))?;
            command.env("TMPDIR", &temp);
        }
        if let Some((locale, zone)) = self.locale {
            command.env("LC_ALL", locale).env("LANG", locale).env("TZ", zone);
        }
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| Fault::unfit(format!("cannot start a round: {error}")))?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let (item, what) = line.split_once('\t').unwrap_or(("", line));
            out::talk(format!("{item} failed with {self}: {what}"));
        }
        match output.status.code() {
            Some(0) => Ok(()),
            code => {
                let signal = context.cancelled.load(std::sync::atomic::Ordering::Relaxed);
                let kind = i32::try_from(signal).ok().filter(|signal| *signal != 0);
                let kind = kind.map_or(Kind::Unfit, Kind::Interrupted);
                Err(Fault::new(kind, format!("the round with {self} ended with {code:?}: see above")))
            }
        }
    }
}

/// Returns where the second store is now.
fn current(folder: &Path) -> PathBuf {
    let noted = fs::read_to_string(folder.join("at")).ok().map(PathBuf::from);
    noted.filter(|place| place.is_dir()).unwrap_or_else(|| folder.join("store"))
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = if self.threads == 1 { "thread" } else { "threads" };
        write!(f, "{} {threads}", self.threads)?;
        if let Some(vectors) = self.vectors {
            write!(f, ", {}", vectors.name())?;
        }
        if self.place.is_some() {
            write!(f, ", another folder")?;
        }
        if let Some((locale, zone)) = self.locale {
            write!(f, ", {locale}, {zone}")?;
        }
        Ok(())
    }
}
