//! The log of each run: `runs/<id>/{run.json,events.jsonl,stages/<node>.log}`.
//!
//! Holds ids, numbers and messages: no path of an input, no text of an input file, no place or snippet of a fault.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{
    digest::Digest,
    events::{Event, Observer},
    execute::{Outcome, Report, Summary},
    lockfile::Lock,
    plan::Plan,
    store::{Store, remove_tree, replace_file_lightly, store_fault},
};
use crate::fault::{Fault, Result};

const RUN_SCHEMA: u32 = 1;
/// So many runs are kept; what was before is of no use to anybody, and a folder of thousands is slow.
const KEPT: usize = 100;
/// So many more there may be before the oldest go together.
const BATCH: usize = 20;
/// Folder of lock files among those of the runs.
const LOCKS: &str = "locks";
/// A stage's log gets a line of progress this often.
const PROGRESS_EVERY_S: f64 = 1.0;

/// A run, as `run.json` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunInfo {
    /// Version of this form.
    pub run_schema: u32,
    /// Run id.
    pub run: String,
    /// Pipeline.
    pub pipeline: String,
    /// Version of the program.
    pub program: String,
    /// When it began, Unix time.
    pub started_unix_s: u64,
    /// Exit code; none while it goes on, or when it was killed.
    pub exit: Option<i32>,
    /// Counts.
    pub summary: Summary,
    /// Nodes that failed.
    pub failed: Vec<FailedStage>,
    /// Digest of what the lock file was, or would have been, after the run: the name of a file in `runs/locks/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Digest>,
}

/// A node that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedStage {
    /// Node id.
    pub node: String,
    /// What happened, without a place.
    pub what: String,
    /// Exit code of that fault.
    pub exit: i32,
}

/// The folder of a run that goes on.
pub struct RunFolder {
    path: PathBuf,
    info: RunInfo,
    files: Mutex<Files>,
}

struct Files {
    events: File,
    stages: BTreeMap<String, StageLog>,
}

struct StageLog {
    file: File,
    begun: Instant,
    told_s: f64,
}

impl RunFolder {
    /// Creates the folder of a new run.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn create(store: &Store, plan: &Plan) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let stem = format!("{}-{:03}", utc_text(now.as_secs()), now.subsec_millis());
        let (run, path) = unused_folder(&store.root().join("runs"), &stem)?;
        prune(&store.root().join("runs"));
        let fault = |error| store_fault("write the log of the run", &path, &error);
        let events = File::create(path.join("events.jsonl")).map_err(fault)?;
        let info = RunInfo {
            run_schema: RUN_SCHEMA,
            run,
            pipeline: plan.name.clone(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            started_unix_s: now.as_secs(),
            exit: None,
            summary: Summary::default(),
            failed: Vec::new(),
            lock: None,
        };
        write_info(&path, &info).map_err(fault)?;
        Ok(Self { path, info, files: Mutex::new(Files { events, stages: BTreeMap::new() }) })
    }

    /// Returns the run id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.info.run
    }

    /// Writes how the run ended. A log that cannot be written fails no run.
    pub fn finish(&self, report: &Report, fault: Option<&Fault>, lock: Option<&Lock>) {
        let failed = |(node, fault): (&str, &Fault)| FailedStage {
            node: node.to_owned(),
            what: fault.what.clone(),
            exit: fault.kind.exit_code(),
        };
        let info = RunInfo {
            exit: Some(fault.map_or(0, |fault| fault.kind.exit_code())),
            summary: report.summary(),
            failed: report.failures().map(failed).collect(),
            lock: lock.and_then(|lock| self.keep_lock(&lock.to_text())),
            ..self.info.clone()
        };
        drop(write_info(&self.path, &info));
    }

    /// Keeps the text of a lock file under its digest: runs that changed nothing share one.
    fn keep_lock(&self, text: &str) -> Option<Digest> {
        let digest = Digest::of_bytes(text.as_bytes());
        let folder = self.path.parent()?.join(LOCKS);
        let path = folder.join(digest.to_string());
        if !path.exists() {
            fs::create_dir_all(&folder).and_then(|()| replace_file_lightly(&path, text.as_bytes())).ok()?;
        }
        Some(digest)
    }

    fn open_stage(&self, node: &str) -> Option<StageLog> {
        fs::create_dir_all(self.path.join("stages")).ok()?;
        let path = self.path.join("stages").join(log_name(node));
        let file = OpenOptions::new().create(true).append(true).open(path).ok()?;
        Some(StageLog { file, begun: Instant::now(), told_s: 0.0 })
    }
}

impl Observer for RunFolder {
    fn event(&self, event: &Event<'_>) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Progress { node, done, total, note } => {
                let Some(log) = files.stages.get_mut(*node) else { return };
                if done == total || log.begun.elapsed().as_secs_f64() - log.told_s >= PROGRESS_EVERY_S {
                    log.line(&format!("{done} of {total}  {note}"));
                }
                return;
            }
            Event::Log { node, line } => {
                if let Some(log) = files.stages.get_mut(*node) {
                    log.line(line);
                }
                return;
            }
            // What nothing happened to needs no line: a run with nothing to do writes next to nothing.
            Event::Finished { outcome: Outcome::Cached | Outcome::NotSelected, .. } => return,
            Event::Started { node, .. } => {
                if let Some(mut log) = self.open_stage(node) {
                    log.line("started");
                    files.stages.insert((*node).to_owned(), log);
                }
            }
            Event::Finished { node, outcome, .. } => {
                if let Some(mut log) = files.stages.remove(*node) {
                    log.line(&match outcome {
                        Outcome::Failed(fault) => format!("failed: {}", fault.what),
                        Outcome::Skipped { why } => format!("stopped: {why}"),
                        _ => "finished".to_owned(),
                    });
                }
            }
            _ => {}
        }
        drop(files.events.write_all(format!("{}\n", event.to_json()).as_bytes()));
    }
}

impl StageLog {
    fn line(&mut self, text: &str) {
        self.told_s = self.begun.elapsed().as_secs_f64();
        // A full disk must not stop a run over its log.
        drop(writeln!(self.file, "{:9.3} s  {text}", self.told_s));
    }
}

/// Returns all runs, the newest first; those whose log is damaged are left out.
#[must_use]
pub fn list(store: &Store) -> Vec<RunInfo> {
    let Ok(entries) = fs::read_dir(store.root().join("runs")) else { return Vec::new() };
    let mut runs: Vec<RunInfo> = entries.flatten().filter_map(|entry| read_info(&entry.path())).collect();
    runs.sort_by(|a, b| b.run.cmp(&a.run));
    runs
}

/// Returns the lock file of a run, as it was or would have been after it.
///
/// # Errors
/// Missing (5) when the run kept none; usage when it is damaged.
pub fn lock_of(store: &Store, run: &RunInfo) -> Result<Lock> {
    let none = || Fault::new(crate::fault::Kind::Missing, format!("run {} kept no lock file", run.run));
    let path = store.root().join("runs").join(LOCKS).join(run.lock.ok_or_else(none)?.to_string());
    Lock::read(&path)?.ok_or_else(none)
}

fn read_info(run: &Path) -> Option<RunInfo> {
    serde_json::from_slice(&fs::read(run.join("run.json")).ok()?).ok()
}

/// Returns the log of a node in a run, if the node was executed there.
#[must_use]
pub fn stage_log(store: &Store, run: &str, node: &str) -> Option<String> {
    // A run id is a name, never a way out of the folder.
    let plain = run.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let path = store.root().join("runs").join(run).join("stages").join(log_name(node));
    plain.then(|| fs::read_to_string(path).ok())?
}

/// Removes all but the latest runs. One that is still going on is among the latest, or its log is the price.
fn prune(runs: &Path) {
    let Ok(entries) = fs::read_dir(runs) else { return };
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut names: Vec<_> =
        names.filter(|name| name.to_str().is_some_and(|name| name.starts_with(|c: char| c.is_ascii_digit()))).collect();
    names.sort();
    if names.len() <= KEPT + BATCH {
        return;
    }
    let kept = names.split_off(names.len() - KEPT);
    for name in &names {
        // It is found again the next time.
        drop(remove_tree(&runs.join(name)));
    }
    let info = |name: &std::ffi::OsString| read_info(&runs.join(name));
    let needed: BTreeSet<String> = kept.iter().filter_map(|name| Some(info(name)?.lock?.to_string())).collect();
    let locks = fs::read_dir(runs.join(LOCKS)).into_iter().flatten().flatten();
    // A run that ends just now may be about to name one: only those of another day go.
    let old = |entry: &fs::DirEntry| {
        let modified = entry.metadata().and_then(|meta| meta.modified());
        modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age.as_secs() > 24 * 3600))
    };
    for entry in locks.filter(old) {
        if entry.file_name().to_str().is_some_and(|name| !needed.contains(name)) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

fn unused_folder(runs: &Path, stem: &str) -> Result<(String, PathBuf)> {
    let mut run = stem.to_owned();
    for n in 2.. {
        let path = runs.join(&run);
        match fs::create_dir(&path) {
            Ok(()) => return Ok((run, path)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && n < 1000 => run = format!("{stem}-{n}"),
            Err(error) => return Err(store_fault("write the log of the run", &path, &error)),
        }
    }
    Err(Fault::unfit("the log of the run has no name left"))
}

fn write_info(path: &Path, info: &RunInfo) -> std::io::Result<()> {
    replace_file_lightly(&path.join("run.json"), format!("{}\n", serde_json::to_string_pretty(info)?).as_bytes())
}

/// Node ids hold nothing that a file name may not, but for what a user puts into the values of axes.
fn log_name(node: &str) -> String {
    let keep = |letter: char| letter.is_ascii_alphanumeric() || "._-@,=".contains(letter);
    let name: String = node.chars().map(|letter| if keep(letter) { letter } else { '_' }).take(200).collect();
    format!("{name}.log")
}

/// Returns `20261122T170012Z`.
fn utc_text(unix_s: u64) -> String {
    let (day, second) = (unix_s / 86_400, unix_s % 86_400);
    // Days since 1 March of year 0, in eras of 400 years: the leap day is the last of a year then.
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!("{year:04}{month:02}{day_of_month:02}T{hour:02}{minute:02}{:02}Z", second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_write_them() {
        assert_eq!(utc_text(0), "19700101T000000Z");
        assert_eq!(utc_text(951_782_399), "20000228T235959Z");
        assert_eq!(utc_text(951_782_400), "20000229T000000Z");
        assert_eq!(utc_text(1_795_366_812), "20261122T170012Z");
    }

    #[test]
    fn the_latest_runs_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..=KEPT + BATCH {
            fs::create_dir_all(dir.path().join(format!("2026{n:04}T000000Z-000/stages"))).unwrap();
        }
        fs::create_dir(dir.path().join("locks")).unwrap();
        prune(dir.path());
        let kept: std::collections::BTreeSet<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(kept.len(), KEPT + 1);
        assert!(kept.contains(std::ffi::OsStr::new("locks")));
        assert!(!kept.contains(std::ffi::OsStr::new("20260020T000000Z-000")));
        assert!(kept.contains(std::ffi::OsStr::new("20260021T000000Z-000")));
    }

    #[test]
    fn names_of_logs_stay_in_their_folder() {
        assert_eq!(log_name("infer@p07,seed=2"), "infer@p07,seed=2.log");
        assert_eq!(log_name("a@../x y"), "a@.._x_y.log");
    }
}
