//! What a `command` stage writes under `params:`.

use std::{collections::BTreeMap, path::Path};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pipeline::{spec::typed::is_name, stage::Params};

/// Parameters of `command`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CommandParams {
    /// The program and its arguments, each one word, no shell: `{in.port}`, `{out.port}` and `{file.name}` stand for
    /// paths; a collected input that is a word alone becomes as many words.
    pub argv: Vec<Word>,
    /// What it writes, by port.
    pub outputs: BTreeMap<String, DeclaredOutput>,
    /// The output port that gets what the program prints; without it that goes into the log.
    pub stdout: Option<String>,
    /// Environment beside `PATH`, `HOME`, `TMPDIR`, `LC_ALL` and `TZ`; nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// Files beside the pipeline that it reads (scripts), by name: their content is part of the key.
    pub files: BTreeMap<String, String>,
    /// Version of the program, to stand in the key for the content of its file.
    pub version: Option<String>,
}

/// An output of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredOutput {
    /// Kind of artifact: `ct`, `label`, `mesh`, `row`, or a word of one's own.
    pub kind: String,
    /// Its file name, whose extension tells the format; a final `/` makes it a folder.
    pub file: String,
    /// Whether the program may leave it unwritten.
    #[serde(default)]
    pub optional: bool,
}

/// A word of the command line: numbers and flags need no quotes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Word {
    /// Text.
    Text(String),
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// Any other number, written with as few digits as tell it from its neighbours.
    Number(f64),
}

impl Word {
    /// Returns the word as the program gets it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Flag(flag) => flag.to_string(),
            Self::Whole(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
        }
    }
}

impl Params for CommandParams {
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        let Some(program) = self.argv.first().map(Word::text) else {
            return Err(("argv", "names no program: `argv: [program, argument, …]`".to_owned()));
        };
        if program.is_empty() || Path::new(&program).is_absolute() {
            return Err((
                "argv",
                "the program is a name that is looked for in PATH, or a path from the pipeline on: an \
                absolute path names a machine"
                    .to_owned(),
            ));
        }
        if self.argv.iter().any(|word| word.text().contains('\0')) {
            return Err(("argv", "a word holds a zero byte".to_owned()));
        }
        if self.outputs.is_empty() {
            return Err((
                "outputs",
                "a stage without outputs has no result: `outputs: { port: { kind: …, file: … } }`".to_owned(),
            ));
        }
        for (port, output) in &self.outputs {
            if !is_name(port) || !is_name(&output.kind) {
                return Err(("outputs", format!("`{port}` of kind `{}`: ports and kinds are names", output.kind)));
            }
            let file = output.file.strip_suffix('/').unwrap_or(&output.file);
            if !plain(file) {
                return Err(("outputs", format!("`{}` is no plain file name", output.file.escape_debug())));
            }
        }
        for (name, value) in &self.env {
            let sound = !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
            if !sound {
                return Err(("env", format!("`{}` cannot be a variable", name.escape_debug())));
            }
        }
        for (name, path) in &self.files {
            if !is_name(name) || name == "program" {
                return Err(("files", format!("`{}` cannot name a file", name.escape_debug())));
            }
            if path.is_empty() || Path::new(path).is_absolute() {
                return Err((
                    "files",
                    format!("`{name}` is a path from the pipeline on: an absolute path names a machine"),
                ));
            }
        }
        Ok(())
    }
}

/// Whether a name stays in its folder on every system.
fn plain(file: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    !file.is_empty() && file.len() <= 128 && !file.starts_with(['.', '-']) && file.chars().all(sound)
}
