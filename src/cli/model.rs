//! `calvaria model`: networks from and for other programs.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use serde_json::{Value, json};

use super::{Context, alone::whole, info, out};
use crate::{
    fault::{Fault, Result},
    model::{
        Model,
        border::Border,
        dilations::Preset,
        exchange::{self, ImportOptions, Imported},
    },
    pipeline::digest::Digest,
};

/// Larger files are refused unread: the largest network of any use has a few hundred megabytes.
const MOST_BYTES: u64 = 1 << 30;

/// What to do with a network.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Read a PyTorch checkpoint of `msd_pytorch`; nothing in it is executed
    Import(Import),
    /// Write a network for PyTorch or ONNX
    Export(Export),
    /// Describe a network
    Info(Info),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PresetName {
    /// Dilations 1 to 10, repeated
    #[value(name = "public")]
    Public,
    /// Dilations 2 to 10, 1, repeated
    #[value(name = "v0.5")]
    V05,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BorderName {
    /// The edge pixel is repeated
    Symmetric,
    /// The edge pixel is not repeated
    Reflect,
}

/// What a checkpoint does not say of its network.
#[derive(Debug, clap::Args)]
struct Unsaid {
    /// Dilations of the layers, which are not in the file [default: public]
    #[arg(long, value_enum)]
    preset: Option<PresetName>,
    /// What lay beyond the edge of a slice [default: symmetric]
    #[arg(long, value_enum)]
    border: Option<BorderName>,
    /// Intensities beyond are clamped, HU [default: -1024,3071]
    #[arg(long, value_name = "LOW,HIGH", value_parser = pair, allow_hyphen_values = true)]
    clamp_hu: Option<[f64; 2]>,
    /// The network was trained on SCALE * HU + OFFSET [default: 1,0]
    #[arg(long, value_name = "SCALE,OFFSET", value_parser = pair, allow_hyphen_values = true)]
    from_hu: Option<[f64; 2]>,
}

impl Unsaid {
    fn options(&self) -> ImportOptions {
        let preset = |name| if matches!(name, PresetName::Public) { Preset::Public } else { Preset::V05 };
        let border = |name| if matches!(name, BorderName::Symmetric) { Border::Symmetric } else { Border::Reflect };
        ImportOptions {
            preset: self.preset.map(preset),
            border: self.border.map(border),
            clamp_hu: self.clamp_hu.map(|range| range.map(|hu| hu as f32)),
            from_hu: self.from_hu,
        }
    }
}

/// Arguments of `model import`.
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// A checkpoint (.pt, .pth, .torch), or safetensors with the names of its state dict
    file: PathBuf,
    #[command(flatten)]
    unsaid: Unsaid,
    /// The network
    #[arg(short, long, value_name = "MODEL.safetensors")]
    output: PathBuf,
}

/// Arguments of `model export`.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// A network of this program
    model: PathBuf,
    /// FILE.pt (a checkpoint with the names of `msd_pytorch`), FILE.safetensors (the same names), or FILE.onnx (HU in, logits out)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Arguments of `model info`.
#[derive(Debug, clap::Args)]
pub(super) struct Info {
    /// A network of this program, or one that can be imported
    file: PathBuf,
}

pub(super) fn run(command: &Command, context: &Context) -> Result<()> {
    match command {
        Command::Import(args) => import(args, context),
        Command::Export(args) => export(args).and_then(|()| out::written(context, &[&args.output])),
        Command::Info(args) => describe(args, context),
    }
}

fn import(args: &Import, context: &Context) -> Result<()> {
    if args.output.extension().is_none_or(|extension| extension != "safetensors") {
        return Err(Fault::usage("a network is written as FILE.safetensors").at(args.output.display()));
    }
    let bytes = read(&args.file)?;
    let Imported { model, notes } =
        exchange::import(&bytes, &args.unsaid.options()).map_err(|fault| fault.at(args.file.display()))?;
    whole(&args.output, |part| model.save(part))?;
    if !context.global.quiet {
        notes.iter().for_each(|note| out::talk(format!("note: {note}")));
    }
    if context.global.json {
        return out::json(&facts(&model, &model.to_bytes()?, "calvaria", &notes));
    }
    let net = &model.architecture;
    out::line(format!(
        "imported: depth {}, width {}, {} input channels, {} classes, {} parameters",
        net.depth,
        net.width,
        net.input_channels,
        net.classes,
        model.parameters.len()
    ))
}

fn export(args: &Export) -> Result<()> {
    let extension = args.output.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let write: fn(&Model) -> Result<Vec<u8>> = match extension {
        "pt" | "pth" | "torch" => exchange::to_torch,
        "onnx" => exchange::to_onnx,
        "safetensors" => exchange::to_named_safetensors,
        _ => {
            return Err(
                Fault::usage("a network can be exported as .pt, .onnx or .safetensors").at(args.output.display())
            );
        }
    };
    let bytes = write(&Model::load(&args.model)?)?;
    whole(&args.output, |part| std::fs::write(part, &bytes).map_err(|error| Fault::file("write", &args.output, &error)))
}

fn describe(args: &Info, context: &Context) -> Result<()> {
    let bytes = read(&args.file)?;
    let facts = match Model::from_bytes(&bytes) {
        Ok(model) => facts(&model, &bytes, "calvaria", &[]),
        Err(not_ours) => match exchange::import(&bytes, &ImportOptions::default()) {
            Ok(Imported { model, notes }) => {
                let format = if bytes.starts_with(b"PK") {
                    "torch zip"
                } else if bytes.starts_with(b"\x80") {
                    "torch legacy"
                } else {
                    "safetensors with a state dict's names"
                };
                facts(&model, &bytes, format, &notes)
            }
            // What is wrong is told by the reader of the format that the file has.
            Err(fault) if bytes.starts_with(b"PK") || bytes.starts_with(b"\x80") => {
                return Err(fault.at(args.file.display()));
            }
            Err(_) => return Err(not_ours.at(args.file.display())),
        },
    };
    if context.global.json { out::json(&facts) } else { out::line(info::lines(&facts)) }
}

/// Everything that is known of a network; `digest` is blake3 of the file, `weights_digest` that of the parameters alone.
fn facts(model: &Model, bytes: &[u8], format: &str, notes: &[String]) -> Value {
    let (net, normalisation) = (&model.architecture, &model.normalisation);
    let dilations: Vec<usize> = (0..net.depth).map(|layer| net.dilation(layer)).collect();
    let weights: Vec<u8> = model.parameters.iter().flat_map(|value| value.to_le_bytes()).collect();
    json!({
        "kind": "model",
        "format": format,
        "preset": net.preset,
        "depth": net.depth,
        "width": net.width,
        "input_channels": net.input_channels,
        "classes": net.classes,
        "border": net.border,
        "parameters": model.parameters.len(),
        "largest_dilation": net.largest_dilation(),
        "receptive_field_px": 1 + 2 * dilations.iter().sum::<usize>(),
        "multiply_adds_per_pixel": net.multiply_adds_per_pixel(),
        "clamp_hu": normalisation.clamp_hu,
        "mean_hu": normalisation.mean_hu,
        "std_hu": normalisation.std_hu,
        "bytes": bytes.len(),
        "digest": Digest::of_bytes(bytes).to_string(),
        "weights_digest": Digest::of_bytes(&weights).to_string(),
        "notes": notes,
    })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let cannot = |error| Fault::file("read the network", path, &error);
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes)).map_err(cannot)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Fault::unfit("the file is larger than any network: over 1 GiB").at(path.display()));
    }
    Ok(bytes)
}

fn pair(text: &str) -> std::result::Result<[f64; 2], String> {
    let numbers: Option<Vec<f64>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[first, second]) if first.is_finite() && second.is_finite() => Ok([first, second]),
        _ => Err("two numbers with a comma between them are needed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_two_finite_numbers() {
        assert_eq!(pair("-1024, 3071"), Ok([-1024.0, 3071.0]));
        for wrong in ["", "1", "1,2,3", "a,b", "nan,1"] {
            assert!(pair(wrong).is_err(), "{wrong}");
        }
    }
}
