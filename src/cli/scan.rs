//! How to read a scan, for commands that take one: the same words as in a manifest.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use crate::{
    fault::{Fault, Result},
    io::image::ImageOptions,
};

/// What to do with a scan that is not a regular grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Repair {
    /// Refuse it, with the numbers.
    Refuse,
    /// Resample it onto a regular grid.
    Resample,
}

/// Options of reading a scan.
#[derive(Clone, Debug, Args)]
pub(super) struct ScanOptions {
    /// Which series of the folder, from 1 (`calvaria info DIR` lists them)
    #[arg(long, value_name = "N")]
    series: Option<usize>,
    /// A scan with tilted gantry
    #[arg(long, value_enum, default_value = "refuse")]
    tilt: Repair,
    /// A scan with uneven or missing slices
    #[arg(long, value_enum, default_value = "refuse")]
    gaps: Repair,
    /// Read a DICOM series that is no CT
    #[arg(long)]
    any_modality: bool,
    /// Read slices whose header says that text is burned into the pixels
    #[arg(long)]
    burned_in: bool,
    /// Added to every intensity, where the header forgot the offset
    #[arg(long, value_name = "HU", allow_negative_numbers = true)]
    add_hu: Option<f64>,
    /// Resample to this spacing, mm
    #[arg(long, value_name = "MM")]
    resample_mm: Option<f64>,
}

impl ScanOptions {
    /// Returns the options as the readers take them.
    pub(super) fn to_options(&self) -> Result<ImageOptions> {
        serde_json::from_value(Value::Object(self.to_map()))
            .map_err(|error| Fault::usage(format!("options of the scan: {error}")))
    }

    /// Returns the options as an artifact carries them; what was not asked for is absent, as in a manifest.
    pub(super) fn to_map(&self) -> Map<String, Value> {
        let mut map = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                map.insert(key.to_owned(), value);
            }
        };
        put("series", self.series.map(Value::from));
        put("tilt", (self.tilt == Repair::Resample).then(|| "resample".into()));
        put("gaps", (self.gaps == Repair::Resample).then(|| "resample".into()));
        put("modality", self.any_modality.then(|| "any".into()));
        put("burned_in", self.burned_in.then(|| "accept".into()));
        put("add_hu", self.add_hu.map(Value::from));
        put("resample_mm", self.resample_mm.map(Value::from));
        map
    }
}
