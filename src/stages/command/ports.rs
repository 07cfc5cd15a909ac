//! The ports of a command are those that its stage declares. Ports live as long as the program does, so each set of them
//! is made once and kept.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{Command, CommandParams, PROGRAM};
use crate::pipeline::stage::{Arity, Declaration, Input, Output};

/// Inputs and outputs of one stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) inputs: &'static [Input],
    pub(super) outputs: &'static [Output],
}

/// Returns the op with the ports of a declaration.
pub(super) fn declare(declaration: &Declaration<'_>, params: &CommandParams) -> &'static Command {
    static KNOWN: Mutex<BTreeMap<String, &'static Command>> = Mutex::new(BTreeMap::new());
    let name = format!("{:?} {:?} {:?}", declaration.inputs, params.files.keys(), params.outputs);
    // Nothing that can panic runs while it is held.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(name).or_insert_with(|| Box::leak(Box::new(Command { ports: make(declaration, params) })))
}

fn make(declaration: &Declaration<'_>, params: &CommandParams) -> Ports {
    let mut inputs: Vec<Input> = Vec::new();
    for &(name, collected) in &declaration.inputs {
        let arity = if collected { Arity::Many } else { Arity::One };
        inputs.push(Input { name: kept(name), kinds: &[], arity, doc: "an input of the program" });
    }
    let own = |name: &str, doc| Input { name: kept(name), kinds: &["file"], arity: Arity::Optional, doc };
    inputs.extend(params.files.keys().map(|name| own(&format!("file.{name}"), "a file beside the pipeline")));
    inputs.push(Input { name: PROGRAM, ..own("", "the program itself") });
    let output = |(name, output): (&String, &super::DeclaredOutput)| Output {
        name: kept(name),
        kind: kept(&output.kind),
        file: kept(&output.file),
        optional: output.optional,
        doc: "an output of the program",
    };
    let outputs: Vec<Output> = params.outputs.iter().map(output).collect();
    Ports { inputs: Vec::leak(inputs), outputs: Vec::leak(outputs) }
}

/// Returns text that is never freed.
fn kept(text: &str) -> &'static str {
    String::leak(text.to_owned())
}
