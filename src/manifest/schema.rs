//! JSON Schema of the manifest, for editors.

use serde_json::{Value, json};

use super::{Split, VERSION};

/// Returns the schema of a manifest.
#[must_use]
pub fn schema() -> Value {
    let splits: Vec<&str> = Split::ALL.iter().map(|split| split.word()).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Calvaria manifest",
        "type": "object",
        "additionalProperties": false,
        "required": ["manifest", "cases"],
        "properties": {
            "manifest": { "const": VERSION, "description": "version of this file format" },
            "root": { "type": "string", "description": "where paths begin, relative to this file; --data-root replaces it" },
            "defaults": { "type": "object", "description": "what holds for every case that does not say otherwise" },
            "cases": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": { "pattern": "^[a-z0-9][a-z0-9-]{0,63}$" },
                "additionalProperties": { "$ref": "#/$defs/case" }
            }
        },
        "$defs": {
            "case": {
                "type": "object",
                "properties": {
                    "split": { "enum": splits },
                    "ct": { "$ref": "#/$defs/ct" },
                    "gold": { "$ref": "#/$defs/gold" },
                    "defect": { "$ref": "#/$defs/defect" },
                    "label": { "$ref": "#/$defs/label" }
                },
                "additionalProperties": { "type": ["string", "number", "boolean", "object"] }
            },
            "path": { "type": "string", "pattern": "^[^/\\\\~]", "description": "below the root, with /" },
            "blake3": {
                "type": ["string", "number"], "pattern": "^[0-9a-f]{6,64}$",
                "description": "digest, possibly shortened"
            },
            "ct": {
                "type": "object", "additionalProperties": false, "required": ["path"],
                "properties": {
                    "path": { "$ref": "#/$defs/path" },
                    "blake3": { "$ref": "#/$defs/blake3" },
                    "files": { "type": "integer", "minimum": 0, "description": "number of files of the series" },
                    "series": { "type": "integer", "minimum": 0, "description": "number of the series in the folder" },
                    "tilt": { "enum": ["refuse", "resample"], "description": "gantry tilt" },
                    "gaps": { "enum": ["refuse", "resample"], "description": "missing slices, uneven spacing" },
                    "modality": { "enum": ["ct", "any"], "description": "whether a series must be a CT" },
                    "burned_in": { "enum": ["refuse", "accept"], "description": "text burned into the pixels" },
                    "add_hu": { "type": "number", "description": "offset that the header lacks" },
                    "resample_mm": { "type": "number", "exclusiveMinimum": 0, "description": "isotropic spacing" }
                }
            },
            "gold": {
                "type": "object", "additionalProperties": false, "required": ["path"],
                "properties": {
                    "path": { "$ref": "#/$defs/path" },
                    "blake3": { "$ref": "#/$defs/blake3" },
                    "frame": { "enum": ["LPS", "RAS"], "description": "wins over the file's header" },
                    "unit": { "enum": ["mm", "m"] }
                }
            },
            "defect": {
                "type": "object", "additionalProperties": false,
                "oneOf": [{ "required": ["path"] }, { "required": ["centre_mm", "radius_mm"] }],
                "properties": {
                    "path": { "$ref": "#/$defs/path" },
                    "blake3": { "$ref": "#/$defs/blake3" },
                    "frame": { "enum": ["LPS", "RAS", "ct"], "description": "the gold's frame unless `ct`" },
                    "unit": { "enum": ["mm", "m"] },
                    "centre_mm": { "type": "array", "items": { "type": "number" }, "minItems": 3, "maxItems": 3 },
                    "radius_mm": { "type": "number", "exclusiveMinimum": 0 }
                }
            },
            "label": {
                "type": "object", "additionalProperties": false, "required": ["path"],
                "properties": { "path": { "$ref": "#/$defs/path" }, "blake3": { "$ref": "#/$defs/blake3" } }
            }
        }
    })
}
