//! `command`: any program as a stage: `dcm2niix`, a Python script. No shell; its inputs and outputs are declared, its
//! environment is empty, and where the kernel has Landlock it reads nothing else and has no network.
//!
//! ```yaml
//! convert:
//!   uses: command
//!   foreach: cases
//!   with: { scan: case.ct }
//!   params:
//!     argv: [dcm2niix, -z, y, -f, ct, -o, "{out.ct}", "{in.scan}"]
//!     outputs: { ct: { kind: ct, file: ct.nii.gz } }
//! ```
//! Its key holds the words of `argv`, the environment, the content of the inputs, of the `files`, and of the program
//! itself, found in `PATH`; `version` stands for the program's content where that differs from machine to machine.

mod check;
mod landlock;
mod params;
mod ports;
mod process;
mod words;

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

pub use self::params::{CommandParams, DeclaredOutput, Word};
use self::{ports::Ports, process::Program};
use crate::{
    fault::{Fault, Result},
    pipeline::stage::{
        Declaration, Extent, Forecast, Input, Job, NumericClass, Op, Output, OwnFile, ParamFault, Params as _,
    },
};

/// The op as the registry has it: without ports.
pub static COMMAND: Command = Command { ports: Ports { inputs: &[], outputs: &[] } };

const NAME: &str = "command";
/// Raised when programs are called another way, so that they may give other bytes.
const VERSION: u32 = 1;
/// The port of the program itself, which `with:` cannot name.
const PROGRAM: &str = "file.program";

/// A program as a stage, with the ports that the stage declares.
#[derive(Debug)]
pub struct Command {
    ports: Ports,
}

impl Op for Command {
    fn name(&self) -> &'static str {
        NAME
    }
    fn version(&self) -> u32 {
        VERSION
    }
    fn doc(&self) -> &'static str {
        "Run a program, without a shell: its inputs and outputs are declared, and it sees nothing else."
    }
    fn inputs(&self) -> &'static [Input] {
        self.ports.inputs
    }
    fn outputs(&self) -> &'static [Output] {
        self.ports.outputs
    }
    fn class(&self) -> NumericClass {
        NumericClass::BitExact
    }
    fn random(&self) -> bool {
        false
    }
    fn schema(&self) -> Value {
        schemars::schema_for!(CommandParams).to_value()
    }

    fn resolve(&self, written: &Value) -> std::result::Result<Value, ParamFault> {
        let params = parse(written)?;
        words::check(&params, &self.ports).map_err(|(name, why)| ParamFault { name: Some(name.to_owned()), why })?;
        serde_json::to_value(&params).map_err(|error| ParamFault { name: None, why: error.to_string() })
    }

    fn declared(&self, declaration: &Declaration<'_>) -> std::result::Result<Option<&'static dyn Op>, ParamFault> {
        let params = parse(&declaration.params)?;
        Ok(Some(ports::declare(declaration, &params)))
    }

    fn files(&self, params: &Value, folder: &Path) -> Vec<OwnFile> {
        // Parameters that do not parse were refused before.
        let Ok(params) = parse(params) else { return Vec::new() };
        let mut files: Vec<OwnFile> = Vec::new();
        for (name, path) in &params.files {
            let port = self.ports.inputs.iter().find(|input| input.name.strip_prefix("file.") == Some(name));
            let file = |port: &Input| OwnFile { port: port.name, name: path.clone(), path: folder.join(path) };
            files.extend(port.map(file));
        }
        if params.version.is_none()
            && let Some(name) = params.argv.first().map(Word::text)
        {
            files.push(OwnFile { port: PROGRAM, path: process::find(&name, folder), name });
        }
        files
    }

    fn run(&self, params: &Value, job: &Job<'_>) -> Result<()> {
        let params = parse(params).map_err(|fault| Fault::usage(format!("parameters of `{NAME}`: {}", fault.why)))?;
        Program::new(&params, &self.ports, job)?.run()?;
        check::outputs(&params, job)
    }

    fn forecast(&self, _: &Value, given: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        // Nothing is known of the program: that it gives about as much as it takes is no worse than any other guess.
        let bytes = given.values().flatten().map(|extent| extent.bytes).sum();
        let each = |output: &Output| (output.name, Extent { bytes, ..Extent::default() });
        Forecast { core_seconds: 1.0, outputs: self.ports.outputs.iter().map(each).collect() }
    }
}

fn parse(written: &Value) -> std::result::Result<CommandParams, ParamFault> {
    let params: CommandParams =
        serde_json::from_value(written.clone()).map_err(|error| ParamFault { name: None, why: error.to_string() })?;
    params.check().map_err(|(name, why)| ParamFault { name: Some(name.to_owned()), why })?;
    Ok(params)
}
