//! What a stage is: a name, a version, typed ports, typed parameters, and one pure step from input files to output files.
//!
//! A stage never calls another, never reads the pipeline file, never prints. It gets a [`Job`] and writes each output at the
//! path that the job names; the engine hashes, syncs and commits them.

use std::{
    collections::BTreeMap,
    marker::PhantomData,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    fault::{Fault, Result},
    numeric::Seed,
};

/// How many artifacts a port takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// Exactly one.
    One,
    /// One or none.
    Optional,
    /// A collected list, sorted by item id.
    Many,
    /// A collected list, or none.
    OptionalMany,
    /// One, or a collected list of at least one. A list of one is the same as the one.
    OneOrMany,
    /// A collected list whose item ids and axes the stage reads, so that they are part of the key (tables). Members that
    /// an incomplete collection lacks are in the list, without a path.
    Labelled,
}

impl Arity {
    /// Returns whether a list may be collected for it.
    #[must_use]
    pub const fn is_list(self) -> bool {
        !matches!(self, Self::One | Self::Optional)
    }
}

/// A named, typed input of a stage.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Name under `with:`.
    pub name: &'static str,
    /// The kinds of artifact it accepts: `"ct"`, `"mesh"`, `"label"`, …; none means any.
    pub kinds: &'static [&'static str],
    /// How many.
    pub arity: Arity,
    /// One line for `show <op>`.
    pub doc: &'static str,
}

impl Input {
    /// Returns whether it accepts artifacts of a kind.
    #[must_use]
    pub fn takes(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }
}

/// A named, typed output of a stage.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// Name in references: `stage.name`.
    pub name: &'static str,
    /// The kind of artifact.
    pub kind: &'static str,
    /// File name in the store, whose extension tells the format; a trailing `/` makes it a folder.
    pub file: &'static str,
    /// Whether the stage may leave it unwritten (an `align` without a defect has no aligned defect).
    pub optional: bool,
    /// One line for `show <op>`.
    pub doc: &'static str,
}

/// How far a stage's bytes are promised to repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumericClass {
    /// The same bytes on every machine.
    BitExact,
    /// The same bytes on the same backend, architecture and kernel set, which enter the key.
    BackendExact,
}

/// The typed parameters of a stage: defaults, and checks that a type cannot say.
pub trait Params: Serialize + DeserializeOwned + JsonSchema + Default {
    /// Returns the name of the first parameter at fault and what is wrong with it.
    ///
    /// # Errors
    /// When a value is out of its range.
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        Ok(())
    }
}

/// What is known of an artifact before it exists: enough to foretell time and disk.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Extent {
    /// Voxels along each axis, zero for what is no volume.
    pub size: [usize; 3],
    /// Triangles, zero for what is no mesh.
    pub triangles: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// What an execution is expected to cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecast {
    /// Core-seconds: on a 2.5 GHz x86-64 with AVX2, or on this machine where the stage measures it.
    pub core_seconds: f64,
    /// Extent of each output.
    pub outputs: BTreeMap<&'static str, Extent>,
}

/// A stage with no parameters.
#[derive(Clone, Debug, Default, Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}
impl Params for NoParams {}

/// A built-in stage. Implement this; [`Typed`] makes it an [`Op`].
pub trait Stage: Send + Sync + 'static {
    /// Name under `uses:`.
    const NAME: &'static str;
    /// Raised when the same inputs give other bytes.
    const VERSION: u32;
    /// One line for people.
    const DOC: &'static str;
    /// Inputs.
    const INPUTS: &'static [Input];
    /// Outputs.
    const OUTPUTS: &'static [Output];
    /// What the bytes depend on.
    const CLASS: NumericClass = NumericClass::BitExact;
    /// Whether the stage draws random numbers: only then does its key hold a seed.
    const RANDOM: bool = false;
    /// Whether the stage computes on [`Job::device`]: on a card its bytes are then backend-exact, whatever `CLASS` says.
    const ON_DEVICE: bool = false;
    /// Parameters: `#[serde(deny_unknown_fields, default)]`.
    type Params: Params;

    /// Does the work.
    ///
    /// # Errors
    /// Unfit when an input cannot be used; the message needs no case name, the engine adds it.
    fn run(params: &Self::Params, job: &Job<'_>) -> Result<()>;

    /// Returns what an execution is expected to cost, from the extents of its inputs.
    #[must_use]
    fn forecast(_params: &Self::Params, _given: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        Forecast::default()
    }
}

/// One artifact given to a stage.
#[derive(Clone, Debug, Default)]
pub struct Artifact {
    /// Item id that it came from: `p07`, or `p16,method=msdnet,seed=2`. Empty for a stage without `foreach`.
    pub item: String,
    /// The item's case, if it has one.
    pub case: Option<String>,
    /// The item's axes, `method` -> `msdnet`.
    pub axes: BTreeMap<String, String>,
    /// Kind: `"ct"`, `"mesh"`, …
    pub kind: String,
    /// File or folder; none for a value that lives in the manifest alone (a ball-shaped defect), and for what an
    /// incomplete collection lacks.
    pub path: Option<PathBuf>,
    /// What the manifest says of how to read it: series, frame, unit, repairs. Empty for outputs of stages.
    pub options: Map<String, Value>,
}

/// Where a stage reports how far it is.
pub trait Progress: Send + Sync {
    /// Says that `done` of `total` steps are done, with a short note (`loss 0.034`).
    fn step(&self, done: u64, total: u64, note: &str);
    /// Returns whether its time is over, which [`Self::cancelled`] says too; a stage that cannot go on later lets a
    /// stopped run wait, and a late one not.
    fn expired(&self) -> bool {
        false
    }
    /// Takes a line that a program which the stage runs has written; it belongs into the log of the stage alone.
    fn log(&self, _line: &str) {}
    /// Returns whether the run was asked to stop; a long stage looks between steps and returns [`Fault`] `Interrupted`.
    fn cancelled(&self) -> bool;
}

/// A progress that nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;
impl Progress for Silent {
    fn step(&self, _: u64, _: u64, _: &str) {}
    fn cancelled(&self) -> bool {
        false
    }
}

/// Everything that one execution of a stage may touch.
pub struct Job<'a> {
    /// Artifacts by input port; absent ports are absent.
    pub inputs: BTreeMap<String, Vec<Artifact>>,
    /// Path to write by output port. Parents exist, the path itself does not.
    pub outputs: BTreeMap<String, PathBuf>,
    /// Case id of the item, for stages that simulate one.
    pub case: Option<String>,
    /// Seed of this execution.
    pub seed: Seed,
    /// A folder that survives a killed run of the same key: checkpoints live here. Not part of the result.
    pub scratch: PathBuf,
    /// Where heavy arithmetic runs: `cpu`, unless a person asks for a card.
    pub device: String,
    /// Progress and cancellation.
    pub progress: &'a dyn Progress,
}

impl Job<'_> {
    /// Returns the artifact of a port that takes exactly one.
    ///
    /// # Errors
    /// Unfit when it is not there (the plan's type check makes that impossible in a pipeline).
    pub fn one(&self, port: &str) -> Result<&Artifact> {
        self.optional(port).ok_or_else(|| Fault::unfit(format!("the input `{port}` is missing")))
    }

    /// Returns the artifact of an optional port.
    #[must_use]
    pub fn optional(&self, port: &str) -> Option<&Artifact> {
        self.inputs.get(port).and_then(|list| list.first())
    }

    /// Returns the collected artifacts of a port, sorted by item id.
    #[must_use]
    pub fn many(&self, port: &str) -> &[Artifact] {
        self.inputs.get(port).map_or(&[], Vec::as_slice)
    }

    /// Returns the path to write for an output.
    ///
    /// # Errors
    /// Unfit when the stage declares no such output.
    pub fn output(&self, port: &str) -> Result<&Path> {
        self.outputs
            .get(port)
            .map(PathBuf::as_path)
            .ok_or_else(|| Fault::unfit(format!("no output `{port}` is declared")))
    }
}

/// Parameters that could not be understood: which one, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamFault {
    /// Name of the parameter (`accept.median_mm`), when it is known.
    pub name: Option<String>,
    /// What is wrong.
    pub why: String,
}

/// What a stage declares of itself where its op has no ports of its own.
#[derive(Clone, Debug)]
pub struct Declaration<'a> {
    /// The ports under `with:`, and whether a list is collected for each.
    pub inputs: Vec<(&'a str, bool)>,
    /// The parameters as written, variables not replaced.
    pub params: Value,
}

/// A file that an execution depends on beside its artifacts: a program, a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnFile {
    /// The input port that it goes to.
    pub port: &'static str,
    /// Its name in the pipeline, which names no machine.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// A stage as the engine sees it: the object-safe side of [`Stage`].
pub trait Op: Send + Sync {
    /// Name under `uses:`.
    fn name(&self) -> &'static str;
    /// Version in the key.
    fn version(&self) -> u32;
    /// One line for people.
    fn doc(&self) -> &'static str;
    /// Inputs.
    fn inputs(&self) -> &'static [Input];
    /// Outputs.
    fn outputs(&self) -> &'static [Output];
    /// What the bytes depend on.
    fn class(&self) -> NumericClass;
    /// Whether a seed enters the key.
    fn random(&self) -> bool;
    /// Whether the bytes depend on the device.
    fn on_device(&self) -> bool {
        false
    }
    /// JSON Schema of the parameters.
    fn schema(&self) -> Value;
    /// Returns all effective parameters, defaults filled in.
    ///
    /// # Errors
    /// When a parameter is unknown, of the wrong type or out of range.
    fn resolve(&self, written: &Value) -> std::result::Result<Value, ParamFault>;
    /// Returns this op with the ports that a stage declares; none for an op whose ports are fixed.
    ///
    /// # Errors
    /// When the declaration is at fault.
    fn declared(&self, _declaration: &Declaration<'_>) -> std::result::Result<Option<&'static dyn Op>, ParamFault> {
        Ok(None)
    }
    /// Returns the files that an execution depends on beside its artifacts; `folder` is that of the pipeline.
    fn files(&self, _params: &Value, _folder: &Path) -> Vec<OwnFile> {
        Vec::new()
    }
    /// Does the work with resolved parameters.
    ///
    /// # Errors
    /// As [`Stage::run`].
    fn run(&self, params: &Value, job: &Job<'_>) -> Result<()>;
    /// Returns what an execution is expected to cost; nothing is foretold of parameters that do not resolve.
    fn forecast(&self, params: &Value, given: &BTreeMap<&str, Vec<Extent>>) -> Forecast;
}

/// The adapter from a typed stage to the engine.
#[derive(Debug)]
pub struct Typed<S>(PhantomData<S>);

impl<S> Typed<S> {
    /// Returns the adapter; `const` so that the registry can be one slice.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<S> Default for Typed<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Stage> Op for Typed<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }
    fn version(&self) -> u32 {
        S::VERSION
    }
    fn doc(&self) -> &'static str {
        S::DOC
    }
    fn inputs(&self) -> &'static [Input] {
        S::INPUTS
    }
    fn outputs(&self) -> &'static [Output] {
        S::OUTPUTS
    }
    fn class(&self) -> NumericClass {
        S::CLASS
    }
    fn random(&self) -> bool {
        S::RANDOM
    }
    fn on_device(&self) -> bool {
        S::ON_DEVICE
    }
    fn schema(&self) -> Value {
        schemars::schema_for!(S::Params).to_value()
    }
    fn resolve(&self, written: &Value) -> std::result::Result<Value, ParamFault> {
        let params: S::Params = serde_json::from_value(written.clone())
            .map_err(|error| ParamFault { name: None, why: error.to_string() })?;
        params.check().map_err(|(name, why)| ParamFault { name: Some(name.to_owned()), why })?;
        serde_json::to_value(&params).map_err(|error| ParamFault { name: None, why: error.to_string() })
    }
    fn run(&self, params: &Value, job: &Job<'_>) -> Result<()> {
        let params: S::Params = serde_json::from_value(params.clone())
            .map_err(|error| Fault::usage(format!("parameters of `{}`: {error}", S::NAME)))?;
        S::run(&params, job)
    }
    fn forecast(&self, params: &Value, given: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        serde_json::from_value(params.clone())
            .map_or_else(|_| Forecast::default(), |params| S::forecast(&params, given))
    }
}
