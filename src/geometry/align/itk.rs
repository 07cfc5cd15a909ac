//! Rigid motions as ITK's transform text files (`.tfm`, `.txt`), which 3D Slicer, SimpleITK and ANTs read.
//!
//! ITK writes a transform as the resampler needs it, from the fixed image to the moving one: the file holds the *inverse* of
//! the motion that carries the mesh to the scan. 3D Slicer inverts it again, so that the node moves the model. Points are
//! LPS mm. (3D Slicer developer guide, "Transforms"; `itkTxtTransformIO`.)

use std::fmt::Write as _;

use crate::{
    fault::{Fault, Result},
    space::{DMat3, DQuat, DVec3, Rigid},
};

/// The first words of such a file.
pub const MAGIC: &str = "#Insight Transform File";

/// Returns the text of the file for a motion from mesh to scan.
#[must_use]
pub fn to_text(world_from_mesh: &Rigid) -> String {
    let inverse = world_from_mesh.inverse();
    let rows = inverse.to_rows();
    let mut text = format!("{MAGIC} V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\nParameters:");
    let matrix = rows.iter().take(3).flat_map(|row| row[..3].to_vec());
    for number in matrix.chain(inverse.translation_mm.to_array()) {
        // Writing to a string does not fail; minus nought would only puzzle people.
        let _ = write!(text, " {}", number + 0.0);
    }
    text.push_str("\nFixedParameters: 0 0 0\n");
    text
}

/// Returns the motion from mesh to scan of such a file.
///
/// Affine transforms whose matrix is a rotation, `VersorRigid3DTransform` and `Euler3DTransform` are understood, with a
/// centre.
///
/// # Errors
/// Unfit when the text is no such file, holds several transforms or another type, or is not rigid.
pub fn from_text(text: &str) -> Result<Rigid> {
    if !text.starts_with(MAGIC) {
        return Err(Fault::unfit(format!("not an ITK transform file: it does not begin with `{MAGIC}`")));
    }
    let lines = |key: &str| text.lines().filter_map(|line| line.trim().strip_prefix(key)).collect::<Vec<_>>();
    let [name] = lines("Transform:")[..] else {
        return Err(Fault::unfit("the ITK transform file must hold exactly one transform")
            .hint("in 3D Slicer, harden the transform chain first and save one linear transform"));
    };
    let numbers = |key: &str| -> Result<Vec<f64>> {
        let all = lines(key).concat();
        let number = |word: &str| word.parse::<f64>().ok().filter(|number| number.is_finite());
        all.split_whitespace()
            .map(|word| number(word).ok_or_else(|| Fault::unfit(format!("`{key}` holds `{word}`, which is no number"))))
            .collect()
    };
    let (parameters, fixed) = (numbers("Parameters:")?, numbers("FixedParameters:")?);
    let kind = name.trim().split('_').next().unwrap_or_default();
    let (rotation, translation) = parts(kind, &parameters, &fixed)?;
    let centre = DVec3::from_array(std::array::from_fn(|i| fixed.get(i).copied().unwrap_or(0.0)));
    // y = R (x - c) + c + t
    let mesh_from_world = Rigid { rotation, translation_mm: centre + translation - rotation * centre };
    Rigid::from_rows(mesh_from_world.to_rows()).map(|motion| motion.inverse()).ok_or_else(|| {
        Fault::unfit("the ITK transform is not rigid: its matrix must be a rotation, without scale, shear or mirror")
    })
}

/// Returns rotation and translation of a transform by its kind.
fn parts(kind: &str, parameters: &[f64], fixed: &[f64]) -> Result<(DMat3, DVec3)> {
    let vector = |at: usize| DVec3::new(parameters[at], parameters[at + 1], parameters[at + 2]);
    match (kind, parameters.len()) {
        ("AffineTransform" | "MatrixOffsetTransformBase" | "Rigid3DTransform", 12) => {
            Ok((DMat3::from_cols(vector(0), vector(3), vector(6)).transpose(), vector(9)))
        }
        ("VersorRigid3DTransform", 6) => {
            let v = vector(0);
            let w = (1.0 - v.length_squared()).max(0.0).sqrt();
            Ok((DMat3::from_quat(DQuat::from_xyzw(v.x, v.y, v.z, w).normalize()), vector(3)))
        }
        ("Euler3DTransform", 6) => {
            let turn = |axis: DVec3, angle: f64| {
                let (sin, cos) = (libm::sin(0.5 * angle), libm::cos(0.5 * angle));
                DMat3::from_quat(DQuat::from_xyzw(axis.x * sin, axis.y * sin, axis.z * sin, cos))
            };
            let [x, y, z] = vector(0).to_array();
            let (x, y, z) = (turn(DVec3::X, x), turn(DVec3::Y, y), turn(DVec3::Z, z));
            // The fourth fixed parameter asks for the order ZYX; the default is ZXY.
            let zyx = fixed.get(3).is_some_and(|&flag| flag != 0.0);
            Ok((if zyx { z * y * x } else { z * x * y }, vector(3)))
        }
        _ => Err(Fault::unfit(format!("an ITK `{kind}` with {} parameters is not understood", parameters.len()))
            .hint("save it as an affine, versor or Euler rigid transform")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_the_inverse_and_comes_back() {
        let shift = Rigid { translation_mm: DVec3::new(1.0, -2.0, 3.5), ..Rigid::IDENTITY };
        assert_eq!(
            to_text(&shift),
            "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n\
             Parameters: 1 0 0 0 1 0 0 0 1 -1 2 -3.5\nFixedParameters: 0 0 0\n"
        );
        let motion = Rigid::about(DVec3::new(10.0, 0.0, -4.0), DVec3::new(0.1, -0.4, 0.7), DVec3::new(3.0, 2.0, 1.0));
        let back = from_text(&to_text(&motion)).unwrap();
        let p = DVec3::new(60.0, -80.0, 900.0);
        assert!(back.apply(p).distance(motion.apply(p)) < 1e-10);
    }

    #[test]
    fn other_rigid_types_and_a_centre_are_understood() {
        let head = "#Insight Transform File V1.0\n#Transform 0\n";
        let quarter = std::f64::consts::FRAC_PI_2;
        // A quarter turn about z through (1, 0, 0): the origin goes to (1, -1, 0).
        let euler = format!(
            "{head}Transform: Euler3DTransform_double_3_3\nParameters: 0 0 {quarter} 0 0 0\nFixedParameters: 1 0 0 0\n"
        );
        let s = libm::sin(quarter / 2.0);
        let versor = format!(
            "{head}Transform: VersorRigid3DTransform_double_3_3\nParameters: 0 0 {s} 0 0 0\nFixedParameters: 1 0 0\n"
        );
        for text in [euler, versor] {
            let mesh_from_world = from_text(&text).unwrap().inverse();
            assert!(mesh_from_world.apply(DVec3::ZERO).distance(DVec3::new(1.0, -1.0, 0.0)) < 1e-12, "{text}");
        }
    }

    #[test]
    fn what_is_not_one_rigid_transform_is_refused() {
        let scaled = "#Insight Transform File V1.0\nTransform: AffineTransform_double_3_3\n\
                      Parameters: 2 0 0 0 1 0 0 0 1 0 0 0\nFixedParameters: 0 0 0\n";
        assert!(from_text(scaled).unwrap_err().what.contains("not rigid"));
        assert!(from_text(&scaled.replace("Affine", "BSpline")).unwrap_err().what.contains("BSpline"));
        assert!(from_text(&scaled.replace("2 0", "two 0")).unwrap_err().what.contains("`two`"));
        assert!(from_text("{}").is_err());
        let twice = format!("{scaled}{scaled}");
        assert!(from_text(&twice).unwrap_err().what.contains("exactly one"));
    }
}
