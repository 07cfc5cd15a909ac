//! A study opened from the command line: pipeline, manifest, plan, store, and the words that select a part of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{Context, content::Content, set};
use crate::{
    fault::{Fault, Result},
    manifest::Manifest,
    model::Device,
    pipeline::{
        self, execute,
        lockfile::Lock,
        plan::{Fold, Plan, Source},
        select::{Selection, unknown},
        session::{LockRule, Places},
        spec::Spec,
        statcache::StatCache,
        store::Store,
    },
    stages,
};

/// Arguments of every command that works on a pipeline.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// Pipeline file (.yaml), then targets: a stage (`infer`), an item (`infer@p16`), a pattern, or a published file
    #[arg(value_name = "PIPELINE|TARGET")]
    words: Vec<String>,
    /// Override a variable or parameter: `vars.depth=30`, `train.lr=1.0e-4`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Use this manifest instead of the one in the pipeline
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Where the manifest's paths start (never stored)
    #[arg(long, value_name = "DIR")]
    data_root: Option<PathBuf>,
    /// Only these cases: p16,p17
    #[arg(long, alias = "subject", value_name = "CASE", value_delimiter = ',')]
    case: Vec<String>,
    /// Where networks compute: cpu, cuda, cuda:1 or auto. What a card computed has keys of its own
    #[arg(long, default_value = "cpu")]
    device: String,
}

/// How far a command reaches from its targets.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub(super) struct Reach {
    /// The targets alone: what they need must be in the store
    #[arg(long)]
    only: bool,
    /// The targets, and all that needs them
    #[arg(long)]
    downstream: bool,
    /// From this stage or item on: nothing that it does not reach; what comes before must be in the store
    #[arg(long, value_name = "TARGET")]
    from: Vec<String>,
    /// Up to this stage or item: nothing that it does not need
    #[arg(long, value_name = "TARGET")]
    until: Vec<String>,
}

impl Args {
    /// Returns the one word given, when it is not a pipeline file.
    pub(super) fn only_word(&self) -> Option<&str> {
        match self.words.as_slice() {
            [word] if !is_pipeline(word) => Some(word),
            _ => None,
        }
    }
}

/// A study, ready to be looked at or run.
pub(super) struct Study {
    pub(super) spec: Spec,
    pub(super) plan: Plan,
    pub(super) store: Store,
    cache: StatCache,
    manifest: Manifest,
    file: PathBuf,
    root: PathBuf,
    targets: Vec<String>,
    cases: Vec<String>,
    backend: Value,
}

impl Study {
    /// Opens the study; nothing is written and no data is read.
    pub(super) fn open(args: &Args, context: &Context) -> Result<Self> {
        let (file, targets) = pipeline_and_targets(&args.words)?;
        let backend = backend(args.device.parse()?)?;
        let overrides = args.overrides.iter().map(|text| set::split(text)).collect::<Result<Vec<_>>>()?;
        let spec = pipeline::load(&file, &overrides, args.manifest.as_deref())?;
        let manifest = Manifest::load(&spec.manifest, args.data_root.as_deref())?;
        let plan = pipeline::expand(&spec, &manifest.items(), stages::OPS)?;
        let root = root_of(&file);
        let store_root = context.global.store.clone().unwrap_or_else(|| root.join(".calvaria"));
        let store = Store::open(&store_root)?;
        let cache = StatCache::open(store.root());
        Ok(Self { spec, plan, store, cache, manifest, file, root, targets, cases: args.case.clone(), backend })
    }

    /// Refuses a study whose files are missing, or whose training and test cases share a scan.
    pub(super) fn check_data(&self) -> Result<()> {
        if !self.reads_files() {
            return Ok(());
        }
        self.manifest.check_paths()?;
        self.manifest.leaks(&|field| Content.leak_digests(field, &self.cache))?;
        self.fold_leaks()
    }

    /// Refuses a scan that is on both sides of a fold.
    fn fold_leaks(&self) -> Result<()> {
        if self.plan.folds.is_empty() {
            return Ok(());
        }
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for item in self.manifest.items() {
            let Some(field) = item.fields.get("ct").filter(|field| field.path.is_some()) else { continue };
            for print in Content.leak_digests(field, &self.cache)? {
                let first = seen.entry(print).or_insert_with(|| item.id.clone());
                let parted = |fold: &&Fold| {
                    let has = |side: &[String], id: &String| side.contains(id);
                    (has(&fold.train, first) && has(&fold.test, &item.id))
                        || (has(&fold.test, first) && has(&fold.train, &item.id))
                };
                if let Some(fold) = self.plan.folds.iter().find(parted) {
                    let what = format!(
                        "the cases `{first}` and `{}` hold the same scan, and are on both sides of the fold `{}`",
                        item.id, fold.name
                    );
                    return Err(Fault::usage(what)
                        .at(&item.place)
                        .hint("remove one of the two, or keep them in one fold with `together`"));
                }
            }
        }
        Ok(())
    }

    /// Whether any stage takes a file of the manifest.
    fn reads_files(&self) -> bool {
        self.plan.nodes.iter().flat_map(|node| node.inputs.values().flatten()).any(|source| match source {
            Source::Field { field, .. } => field.path.is_some(),
            Source::Output { .. } => false,
        })
    }

    /// Returns what an execution works with.
    pub(super) fn context(&self) -> execute::Context<'_> {
        execute::Context {
            store: &self.store,
            cache: &self.cache,
            fingerprint: &Content,
            backend: self.backend.clone(),
            previous: None,
        }
    }

    /// Returns where the lock and the published results belong.
    pub(super) fn places(&self, rule: LockRule) -> Places {
        let lock = self.file.with_file_name(format!("{}.lock", self.plan.name));
        Places { lock, results: self.root.join("results").join(&self.plan.name), rule }
    }

    /// Returns the manifest.
    pub(super) const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the words of a command line that opens this study again, in the same folder.
    ///
    /// # Errors
    /// When an override has no form as text.
    pub(super) fn again(&self) -> Result<Vec<OsString>> {
        let mut words: Vec<OsString> = vec![self.file.clone().into()];
        for (key, value) in &self.plan.overrides {
            words.extend(["--set".into(), format!("{key}={}", pipeline::canonical::encode(value)?).into()]);
        }
        words.extend(["--manifest".into(), self.spec.manifest.clone().into()]);
        words.extend(["--data-root".into(), self.manifest.root.clone().into()]);
        words.extend(["--device".into(), self.context().device().into()]);
        Ok(words)
    }

    /// Returns the lock file as it is; an empty one if there is none.
    pub(super) fn lock(&self) -> Result<Lock> {
        Ok(Lock::read(&self.places(LockRule::Check).lock)?.unwrap_or_default())
    }

    /// Returns the nodes that the targets and cases name; none means the whole plan.
    pub(super) fn named(&self) -> Result<Option<BTreeSet<usize>>> {
        self.asked(&Reach::default())?.named(&self.plan)
    }

    /// Returns the nodes that the targets and cases name, with all that they need; none means the whole plan.
    pub(super) fn selection(&self) -> Result<Option<BTreeSet<usize>>> {
        self.reach(&Reach::default())
    }

    /// Returns the nodes that the targets, the cases and their reach select; none means the whole plan.
    pub(super) fn reach(&self, reach: &Reach) -> Result<Option<BTreeSet<usize>>> {
        self.asked(reach)?.nodes(&self.plan)
    }

    fn asked(&self, reach: &Reach) -> Result<Selection> {
        for case in &self.cases {
            if !self.manifest.cases.iter().any(|known| known.id == *case) {
                return Err(unknown("case", case, self.manifest.cases.iter().map(|known| known.id.as_str())));
            }
        }
        Ok(Selection {
            targets: self.targets.clone(),
            cases: self.cases.clone(),
            only: reach.only,
            downstream: reach.downstream,
            from: reach.from.clone(),
            until: reach.until.clone(),
        })
    }
}

/// Returns what the bytes of a device depend on; null for the processor, whose bits are the same everywhere.
fn backend(device: Device) -> Result<Value> {
    Ok(match device.resolve()? {
        Device::Cuda(card) => {
            json!({ "backend": "cuda", "kernels": env!("CARGO_PKG_VERSION"), "device": format!("cuda:{card}") })
        }
        Device::Cpu | Device::Auto => Value::Null,
    })
}

fn is_pipeline(word: &str) -> bool {
    word.ends_with(".yaml") || word.ends_with(".yml")
}

/// Returns the pipeline file and the targets among the words: a word that ends in .yaml or .yml is the pipeline.
fn pipeline_and_targets(words: &[String]) -> Result<(PathBuf, Vec<String>)> {
    if let Some(first) = words.first().filter(|word| is_pipeline(word)) {
        return Ok((PathBuf::from(first), words[1..].to_vec()));
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir("pipelines")
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
    found.sort();
    match found.as_slice() {
        [only] => Ok((only.clone(), words.to_vec())),
        [] => Err(Fault::usage("no pipeline is named, and there is none in `pipelines/`")
            .hint("name one: `calvaria run pipelines/quick.yaml`")),
        several => {
            let names: Vec<String> = several.iter().map(|path| path.display().to_string()).collect();
            Err(Fault::usage(format!("which pipeline? There are {}", names.join(", "))).hint("name one of them first"))
        }
    }
}

/// The folder that holds `pipelines/`, or the folder of a pipeline that lies elsewhere.
fn root_of(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    let inside = std::path::absolute(folder).is_ok_and(|path| path.file_name().is_some_and(|name| name == "pipelines"));
    let root = if inside { folder.join("..") } else { folder.to_owned() };
    // `pipelines/..` and the empty path both read badly in messages.
    match root.to_str() {
        Some("pipelines/.." | "./pipelines/.." | "") => PathBuf::from("."),
        _ => root,
    }
}
