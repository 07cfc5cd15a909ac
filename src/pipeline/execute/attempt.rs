//! One execution of one node: under the lease of its key, in a folder of its own, on inputs whose bytes have been checked.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{
    NodeResult, Outcome,
    bind::Keyed,
    commit::{output_path, take_outputs},
    schedule::Pass,
};
use crate::{
    fault::{Fault, Kind, Result},
    numeric::Seed,
    pipeline::{
        events::Event,
        origin::{Bound, Origin, origin_of},
        plan::{Node, Source},
        record::Record,
        stage::{Arity, Artifact, Job, Progress},
        store::{Verdict, Wait, Workspace, store_fault},
    },
};

impl<'a> Pass<'a> {
    /// Executes a node, unless another process has done so by the time the lease is ours.
    pub(super) fn attempt(&self, index: usize, keyed: &Keyed<'a>, forced: bool) -> Result<(Outcome, NodeResult)> {
        let node = &self.plan.nodes[index];
        let store = self.context.store;
        let told = |holder| self.observer.event(&Event::Waiting { node: &node.id, holder });
        let wait = Wait { timeout: self.options.lock_timeout, cancelled: &self.options.cancelled, told: &told };
        let _lease = store.lease(&format!("{}.lock", keyed.key), &wait)?;
        if let Some(found) = store.lookup(&keyed.key).filter(|_| !forced) {
            let result = keyed.result_with(self.plan, found.outputs, Some(found.seconds), found.conflict);
            return Ok((Outcome::Cached, result));
        }
        self.mend_inputs(keyed)?;
        let workspace = store.workspace(&keyed.key)?;
        let progress = NodeProgress { pass: self, node: &node.id, begun: Instant::now(), timeout: node.timeout };
        let job = self.job(node, keyed, &workspace, &progress)?;
        let expected_seconds = store.expected_seconds(&node.id, node.op.name());
        self.observer.event(&Event::Started { node: &node.id, expected_seconds });

        let begun = Instant::now();
        node.op.run(&node.params, &job).map_err(|fault| progress.in_time(fault))?;
        let seconds = begun.elapsed().as_secs_f64();

        self.check_unchanged(keyed)?;
        let mut record = Record::new(keyed.key, keyed.pre_image.clone(), &node.id, node.op.name());
        record.outputs = take_outputs(store, node, &workspace)?;
        record.seconds = seconds;
        record.finished_unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        record.incomplete = keyed.incomplete.clone();
        store.commit(&record)?;
        store.finish_partial(&keyed.key);

        let found = store.lookup(&keyed.key);
        let (outputs, conflict) = found.map_or((record.outputs, false), |found| (found.outputs, found.conflict));
        if conflict {
            self.observer.event(&Event::Conflict { node: &node.id });
        }
        Ok((Outcome::Ran { seconds }, keyed.result_with(self.plan, outputs, Some(seconds), conflict)))
    }

    /// Hashes each input from the store, unless this process wrote or hashed it; what is not whole is made again.
    fn mend_inputs(&self, keyed: &Keyed<'a>) -> Result<()> {
        for bound in keyed.inputs.values().flatten() {
            if let Source::Output { node, port } = bound.source {
                self.mend(*node, port)?;
            }
        }
        Ok(())
    }

    /// Makes the stored bytes of an output whole again if they are not, by executing its node once more.
    pub(super) fn mend(&self, index: usize, port: &str) -> Result<()> {
        let Some(blob) = self.result_of(index).and_then(|result| result.outputs.get(port)) else { return Ok(()) };
        if self.context.store.verify(&blob.digest)? == Verdict::Good {
            return Ok(());
        }
        let id = &self.plan.nodes[index].id;
        let lost = |why: &str| Fault::new(Kind::Missing, format!("the stored `{port}` of {id} is damaged, and {why}"));
        if self.options.restore_only {
            return Err(lost("nothing may be executed"));
        }
        self.observer.event(&Event::Healing { node: id, port });
        let Some(keyed) = self.keyed(index) else { return Err(lost("its inputs are not there")) };
        let (_, again) = self.attempt(index, &keyed, false)?;
        if again.outputs.get(port).map(|again| again.digest) != Some(blob.digest) {
            let what = format!("{id} was executed again and gave other bytes for `{port}`");
            return Err(Fault::new(Kind::Mismatch, what)
                .hint("the stage is not deterministic: run again to go on from the new bytes"));
        }
        Ok(())
    }

    /// A file of the manifest that changed while a stage read it would be stored under the wrong key.
    fn check_unchanged(&self, keyed: &Keyed<'_>) -> Result<()> {
        for bound in keyed.inputs.values().flatten() {
            if let Source::Field { name, field, .. } = bound.source
                && self.fields.fresh(field)? != bound.digest
            {
                return Err(Fault::unfit(format!("`{name}` changed while the stage read it")).hint("run again"));
            }
        }
        Ok(())
    }

    fn job<'j>(
        &self,
        node: &Node,
        keyed: &Keyed<'_>,
        workspace: &Workspace,
        progress: &'j dyn Progress,
    ) -> Result<Job<'j>> {
        let mut inputs = BTreeMap::new();
        for (port, list) in &keyed.inputs {
            let artifact =
                |(i, bound)| self.artifact(bound, workspace, &Path::new("in").join(port).join(format!("{i}")));
            let mut artifacts = list.iter().enumerate().map(artifact).collect::<Result<Vec<_>>>()?;
            if reads_labels(node, port)
                && let Some(absent) = keyed.absent.get(port)
            {
                artifacts.extend(absent.iter().map(|source| labelled(&origin_of(source, self.plan), None)));
                artifacts.sort_by(|a, b| a.item.cmp(&b.item));
            }
            inputs.insert((*port).to_owned(), artifacts);
        }
        let mut outputs = BTreeMap::new();
        for output in node.op.outputs() {
            let path = output_path(output);
            workspace.folder(path.parent().unwrap_or(Path::new("out")))?;
            outputs.insert(output.name.to_owned(), workspace.path().join(path));
        }
        // Case and seed are part of the key of random stages only, so no other stage gets to know them.
        let random = node.op.random();
        Ok(Job {
            inputs,
            outputs,
            case: node.case.clone().filter(|_| random),
            seed: if random { node.seed } else { Seed([0; 32]) },
            scratch: self.context.store.partial(&keyed.key)?,
            device: self.context.device().to_owned(),
            progress,
        })
    }

    /// Gives an input to a stage: a file of the manifest as it is, a blob under the name that tells its format.
    fn artifact(&self, bound: &Bound<'_>, workspace: &Workspace, folder: &Path) -> Result<Artifact> {
        let origin = bound.origin(self.plan);
        let path = match bound.source {
            Source::Field { field, .. } => field.path.clone(),
            Source::Output { node, port } => {
                let outputs = self.plan.nodes[*node].op.outputs();
                let file = outputs.iter().find(|output| output.name == *port).map_or(*port, |output| output.file);
                let link = workspace.folder(folder)?.join(file.trim_end_matches('/'));
                let blob = self.context.store.blob_path(&bound.digest);
                link_to(&blob, &link).map_err(|error| store_fault("link an input", &link, &error))?;
                Some(link)
            }
        };
        Ok(labelled(&origin, path))
    }
}

/// Returns an artifact; without a path it is one that an incomplete collection lacks.
fn labelled(origin: &Origin<'_>, path: Option<PathBuf>) -> Artifact {
    Artifact {
        item: origin.item(),
        case: origin.case.map(str::to_owned),
        axes: origin.axes.cloned().unwrap_or_default(),
        kind: origin.kind.to_owned(),
        path,
        options: origin.options.cloned().unwrap_or_default(),
    }
}

/// Whether a port reads who its members are, and so is told of those that are not there.
fn reads_labels(node: &Node, port: &str) -> bool {
    node.op.inputs().iter().any(|input| input.name == port && input.arity == Arity::Labelled)
}

struct NodeProgress<'p, 'a> {
    pass: &'p Pass<'a>,
    node: &'p str,
    begun: Instant,
    timeout: Option<Duration>,
}

impl NodeProgress<'_, '_> {
    fn late(&self) -> Option<Duration> {
        self.timeout.filter(|&timeout| self.begun.elapsed() >= timeout)
    }

    /// A stage that was told to stop because its time was over has failed; the run goes on.
    fn in_time(&self, fault: Fault) -> Fault {
        let stopped = self.pass.options.cancelled.load(Ordering::Relaxed) != 0;
        match self.late().filter(|_| matches!(fault.kind, Kind::Interrupted(_)) && !stopped) {
            Some(timeout) => Fault::unfit(format!("it was not done after {} s", timeout.as_secs_f64()))
                .hint("allow it more with `resources: { timeout_s: … }`"),
            None => fault,
        }
    }
}

impl Progress for NodeProgress<'_, '_> {
    fn step(&self, done: u64, total: u64, note: &str) {
        self.pass.observer.event(&Event::Progress { node: self.node, done, total, note });
    }
    fn cancelled(&self) -> bool {
        self.pass.options.cancelled.load(Ordering::Relaxed) != 0 || self.late().is_some()
    }
    fn expired(&self) -> bool {
        self.late().is_some()
    }
    fn log(&self, line: &str) {
        self.pass.observer.event(&Event::Log { node: self.node, line });
    }
}

#[cfg(unix)]
fn link_to(blob: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(blob, link)
}

/// Links to folders need privileges elsewhere: copies always work.
#[cfg(not(unix))]
fn link_to(blob: &Path, link: &Path) -> std::io::Result<()> {
    if blob.is_file() {
        return std::fs::copy(blob, link).map(drop);
    }
    std::fs::create_dir(link)?;
    for entry in std::fs::read_dir(blob)? {
        let entry = entry?;
        link_to(&entry.path(), &link.join(entry.file_name()))?;
    }
    Ok(())
}
