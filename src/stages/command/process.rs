//! One run of a program: its own process group and working folder, what it says into the log, and its end.
//!
//! A program has no checkpoints, so a run that is asked to stop lets it finish. When its time is over it is asked to end,
//! and then made to; when this process dies, the kernel ends it.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{CommandParams, landlock, ports::Ports, words};
use crate::{
    fault::{Fault, Kind, Result},
    pipeline::{stage::Job, store::remove_tree},
};

/// Where programs are looked for by the program itself; ours is looked for in the `PATH` of the caller.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";
/// How long a program may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(3);
/// How often the deadline is looked for.
const LOOK: Duration = Duration::from_millis(20);
/// How much of what it said a fault shows.
const SHOWN_LINES: usize = 20;
/// The longest line that is kept.
const LINE: u64 = 4096;

/// Returns where a program is: in `PATH`, or beside the pipeline if its name is a path. One that is nowhere is sought
/// beside the pipeline in vain. Looked for once in a process: a study has thousands of items.
pub(super) fn find(name: &str, folder: &Path) -> PathBuf {
    static FOUND: Mutex<BTreeMap<(String, PathBuf), PathBuf>> = Mutex::new(BTreeMap::new());
    // Nothing that can panic runs while it is held.
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    found.entry((name.to_owned(), folder.to_owned())).or_insert_with(|| look_for(name, folder)).clone()
}

fn look_for(name: &str, folder: &Path) -> PathBuf {
    if !name.contains('/')
        && let Some(path) = std::env::var_os("PATH")
        && let Some(found) = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
    {
        return found;
    }
    folder.join(name)
}

/// A program about to run.
pub(super) struct Program<'a> {
    name: String,
    command: Command,
    work: PathBuf,
    job: &'a Job<'a>,
}

/// What the readers of its output tell.
enum Said {
    Line(String),
    /// One of the two streams has ended.
    End,
}

impl<'a> Program<'a> {
    /// Prepares a program: a fresh folder, an environment of its own, and no more rights than it needs.
    pub(super) fn new(params: &CommandParams, ports: &Ports, job: &'a Job<'a>) -> Result<Self> {
        let work = job.scratch.join("work");
        let fault = |error: std::io::Error| Fault::file("prepare the working folder", &work, &error);
        remove_tree(&work).map_err(fault)?;
        std::fs::create_dir_all(work.join("tmp")).map_err(fault)?;

        let argv = words::argv(params, job)?;
        let (name, arguments) = argv.split_first().ok_or_else(|| Fault::usage("`argv` names no program"))?;
        let program = words::program(job).map_or_else(|| find(name, Path::new("")), Path::to_owned);
        let mut command = Command::new(&program);
        command.args(arguments).current_dir(&work).env_clear();
        let own = [("HOME", &work), ("TMPDIR", &work.join("tmp"))];
        command.env("PATH", PATH).env("LC_ALL", "C.UTF-8").env("TZ", "UTC").envs(own);
        for (variable, value) in &params.env {
            command.env(variable, words::filled(value, job)?);
        }
        let stdout = match &params.stdout {
            Some(port) => Stdio::from(std::fs::File::create(job.output(port)?).map_err(fault)?),
            None => Stdio::piped(),
        };
        command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt as _;
            command.process_group(0);
        }
        landlock::confine(&mut command, &rights(&program, &work, ports, job));
        Ok(Self { name: name.clone(), command, work, job })
    }

    /// Runs it to its end.
    pub(super) fn run(mut self) -> Result<()> {
        let ended = self.attend();
        // What cannot be removed now is removed with the checkpoints.
        drop(remove_tree(&self.work));
        let (status, tail) = ended?;
        if status.success() {
            return Ok(());
        }
        let how = match status.code() {
            Some(code) => format!("exit code {code}"),
            None => "a signal".to_owned(),
        };
        Err(Fault::unfit(format!("`{}` ended with {how}", self.name))
            .snippet(Vec::from(tail).join("\n"))
            .hint("all that it said is in the log of the run: `calvaria log --item ITEM`; what it did not declare, it cannot read"))
    }

    fn attend(&mut self) -> Result<(ExitStatus, VecDeque<String>)> {
        let spawned = self.command.spawn();
        let mut child = spawned.map_err(|error| Fault::unfit(format!("`{}` cannot be started: {error}", self.name)))?;
        let (sender, said) = channel();
        // Threads of their own, so that a full pipe never stops the program. They end with the streams.
        let out = child.stdout.take().map(|stream| listen(stream, "", sender.clone()));
        let err = child.stderr.take().map(|stream| listen(stream, "! ", sender.clone()));
        drop(sender);
        let streams = usize::from(out.is_some()) + usize::from(err.is_some());
        let mut tail = VecDeque::new();
        let status = self.wait(&mut child, &said, streams, &mut tail);
        if status.is_err() {
            kill(&child, Signal::Kill);
            drop(child.wait());
        }
        status.map(|status| (status, tail))
    }

    /// Waits for the end of both streams and of the program, a signal, or the end of its time.
    fn wait(
        &self,
        child: &mut Child,
        said: &Receiver<Said>,
        mut streams: usize,
        tail: &mut VecDeque<String>,
    ) -> Result<ExitStatus> {
        let fault = |error: std::io::Error| Fault::unfit(format!("`{}` cannot be waited for: {error}", self.name));
        let mut asked: Option<Instant> = None;
        let mut gone: Option<Instant> = None;
        let mut pause = Duration::from_micros(100);
        let status = loop {
            if streams > 0 {
                match said.recv_timeout(LOOK) {
                    Ok(Said::Line(line)) => self.keep(line, tail),
                    Ok(Said::End) => streams -= 1,
                    Err(RecvTimeoutError::Disconnected) => streams = 0,
                    Err(RecvTimeoutError::Timeout) if gone.is_none() => {
                        gone = child.try_wait().map_err(fault)?.map(|_| Instant::now());
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                }
            } else if let Some(status) = child.try_wait().map_err(fault)? {
                break status;
            } else {
                // A program ends right after its streams; one that closed them early is looked after now and then.
                thread::sleep(pause);
                pause = (pause * 2).min(LOOK);
            }
            match asked {
                None if self.job.progress.expired() => {
                    kill(child, Signal::Terminate);
                    asked = Some(Instant::now());
                }
                Some(since) if since.elapsed() > GRACE => kill(child, Signal::Kill),
                _ => {}
            }
            // The program is over, and something that it left behind holds its streams open.
            match gone.map(|since| since.elapsed()) {
                Some(late) if late > 2 * GRACE => streams = 0,
                Some(late) if late > GRACE => kill(child, Signal::Kill),
                _ => {}
            }
        };
        // Whatever it started ends with it.
        kill(child, Signal::Kill);
        if asked.is_some() {
            return Err(Fault::new(Kind::Interrupted(0), "the program was stopped"));
        }
        Ok(status)
    }

    /// Passes a line on to the log, and keeps the last ones for a fault.
    fn keep(&self, line: String, tail: &mut VecDeque<String>) {
        self.job.progress.log(&line);
        tail.push_back(line);
        if tail.len() > SHOWN_LINES {
            tail.pop_front();
        }
    }
}

/// What a program may read and write.
fn rights(program: &Path, work: &Path, ports: &Ports, job: &Job<'_>) -> landlock::Rights {
    let files = ports.inputs.iter().flat_map(|input| job.many(input.name)).filter_map(|artifact| artifact.path.clone());
    let mut rights = landlock::Rights::system(program);
    rights.read.extend(files);
    rights.write.push(work.to_owned());
    let folders = job.outputs.values().filter_map(|path| path.parent().map(Path::to_owned));
    rights.write.extend(folders);
    rights
}

/// Passes on a stream line by line; bytes that are no text are shown as such.
fn listen(stream: impl Read + Send + 'static, mark: &'static str, sender: Sender<Said>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(reader.by_ref().take(LINE).read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line);
            let text: String = text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            line.clear();
            if sender.send(Said::Line(format!("{mark}{text}"))).is_err() {
                return;
            }
        }
        // Nobody listens any more when this fails.
        drop(sender.send(Said::End));
    })
}

#[derive(Clone, Copy)]
enum Signal {
    Terminate,
    Kill,
}

/// Sends a signal to the process group of a child.
#[cfg(unix)]
#[expect(unsafe_code, reason = "the standard library signals single processes only")]
fn kill(child: &Child, signal: Signal) {
    unsafe extern "C" {
        safe fn kill(pid: i32, signal: i32) -> i32;
    }
    let number = match signal {
        Signal::Terminate => 15,
        Signal::Kill => 9,
    };
    if let Ok(pid @ 2..) = i32::try_from(child.id()) {
        // A group that is gone needs no signal.
        let _ = kill(-pid, number);
    }
}

#[cfg(not(unix))]
fn kill(_: &Child, _: Signal) {}
