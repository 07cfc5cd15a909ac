//! `calvaria surface`: extract the surface of a volume.

use std::path::PathBuf;

use super::{Context, alone::Alone, out, scan::ScanOptions, set};
use crate::{
    fault::{Fault, Result},
    stages::{Surface, SurfaceReport, load},
};

/// Arguments of `surface`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A label, a probability, or a scan
    #[arg(long, value_name = "VOLUME")]
    volume: PathBuf,
    /// The value on the surface [default: 0.5]
    #[arg(long, value_name = "X", allow_negative_numbers = true, conflicts_with = "label")]
    iso: Option<f64>,
    /// Of an image with several labels, the surface of this one
    #[arg(long, value_name = "N")]
    label: Option<u32>,
    /// Keep all pieces or the largest: all, largest
    #[arg(long, default_value = "all")]
    keep: String,
    /// Drop pieces of fewer voxels
    #[arg(long, value_name = "N")]
    min_voxels: Option<usize>,
    /// Drop pieces of less volume, mm³
    #[arg(long, value_name = "MM3")]
    min_mm3: Option<f64>,
    /// Drop closed shells of fewer triangles
    #[arg(long, value_name = "N")]
    min_triangles: Option<usize>,
    /// Close the mesh where the scan ends (the default)
    #[arg(long, conflicts_with = "open")]
    cap: bool,
    /// Leave the mesh open where the scan ends
    #[arg(long)]
    open: bool,
    /// Smooth for looks or printing, not to measure: taubin:N or sinc:N, N iterations (20 is usual)
    #[arg(long, value_name = "METHOD:N")]
    smooth: Option<String>,
    /// Use fewer triangles, for looks or printing: a number of triangles, or the largest error with its unit, `0.1mm`
    #[arg(long, value_name = "N|Xmm")]
    decimate: Option<String>,
    /// A parameter of the stage, `smooth.pass_band=0.05`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    scan: ScanOptions,
    /// The mesh: .stl, .ply, .obj or .glb
    #[arg(short, long, value_name = "MESH")]
    output: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let params = set::params::<Surface>(&overrides(args)?)?;
    let outputs = Alone::new().file("volume", "label", &args.volume, args.scan.to_map())?.run::<Surface>(
        &params,
        &args.output,
        context,
    )?;
    let report: SurfaceReport = load::json(outputs.path("report")?)?;
    outputs.mesh("mesh", &args.output)?;
    if context.global.json {
        return out::json(&report);
    }
    if !context.global.quiet {
        lines(&report).iter().for_each(out::talk);
    }
    Ok(())
}

/// Returns the options as overrides of the stage's parameters.
fn overrides(args: &Args) -> Result<Vec<String>> {
    let mut list = args.overrides.clone();
    list.push(format!("keep={}", args.keep));
    list.extend(args.iso.map(|iso| format!("iso={iso:?}")));
    list.extend(args.label.map(|label| format!("label={label}")));
    list.extend(args.min_voxels.map(|n| format!("min_voxels={n}")));
    list.extend(args.min_mm3.map(|mm3| format!("min_mm3={mm3:?}")));
    list.extend(args.min_triangles.map(|n| format!("min_triangles={n}")));
    list.extend(args.cap.then(|| "border=cap".to_owned()));
    list.extend(args.open.then(|| "border=open".to_owned()));
    if let Some(text) = &args.smooth {
        let (method, iterations) = text.split_once(':').unwrap_or((text, "20"));
        if !["taubin", "sinc"].contains(&method) || iterations.parse::<u32>().is_err() {
            return Err(Fault::usage(format!("`--smooth {text}` is neither taubin:N nor sinc:N")));
        }
        list.extend([format!("smooth.method={method}"), format!("smooth.iterations={iterations}")]);
    }
    if let Some(text) = &args.decimate {
        let number = text.strip_suffix("mm").map(str::trim);
        list.push(match (number.map(str::parse::<f64>), text.parse::<usize>()) {
            (Some(Ok(mm)), _) => format!("decimate.max_error_mm={mm:?}"),
            (None, Ok(triangles)) => format!("decimate.triangles={triangles}"),
            _ => {
                return Err(Fault::usage(format!("`--decimate {text}` is neither a number of triangles nor a length"))
                    .hint("`--decimate 100000`, or `--decimate 0.1mm`"));
            }
        });
    }
    Ok(list)
}

/// Returns the report as lines for people.
fn lines(report: &SurfaceReport) -> Vec<String> {
    let mut lines: Vec<String> = report
        .changes
        .iter()
        .map(|change| {
            let numbers: Vec<String> = change.numbers.iter().map(|(name, value)| format!("{name} {value}")).collect();
            format!("{}: {}", change.what, numbers.join(", "))
        })
        .collect();
    let state = match (report.closed, report.oriented && report.manifold) {
        (true, true) => "closed, oriented, manifold",
        (false, true) => "open at the border, oriented, manifold",
        _ => "not a manifold",
    };
    lines.push(format!(
        "surface: {} triangles in {} pieces, {:.1} mm², {:.1} mm³; {state}",
        report.triangles, report.components, report.area_mm2, report.volume_mm3
    ));
    let change = 100.0 * (report.volume_mm3 / report.volume_before_mm3 - 1.0);
    // Below that the same volume was summed in another order.
    if change.is_finite() && change.abs() >= 1e-6 {
        lines.push(format!("the volume changed by {change:+.3} %: measure on a surface without these options"));
    }
    lines
}
