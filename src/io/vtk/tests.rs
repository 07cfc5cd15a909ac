//! Files made by hand in each dress, and lies.

use super::*;
use crate::space::Frame;

const ASCII: &str = "# vtk DataFile Version 3.0\n3D Slicer output. SPACE=RAS\nASCII\nDATASET POLYDATA\nPOINTS 5 float\n\
                     0 0 0 1 0 0 1 1 0\n0 1 0 2 2 2\nMETADATA\nINFORMATION 1\nNAME L2\n\nPOLYGONS 2 9\n4 0 1 2 3\n3 1 4 2\n\
                     TRIANGLE_STRIPS 1 5\n4 0 1 2 4\nLINES 1 3\n2 0 1\nPOINT_DATA 5\nanything at all\n";

#[test]
fn ascii_polygons_and_strips_become_triangles() {
    let parsed = parse(ASCII.as_bytes()).unwrap();
    assert_eq!(parsed.mesh.triangles, [[0, 1, 2], [0, 2, 3], [1, 4, 2], [0, 1, 2], [2, 1, 4]]);
    assert_eq!((parsed.mesh.vertices[4], parsed.frame), (DVec3::splat(2.0), Some(Frame::Ras)));
    assert_eq!(parsed.notes, ["1 lines and single vertices are left out"]);
    let silent = parse(ASCII.replace(" SPACE=RAS", "").as_bytes()).unwrap();
    assert!(silent.notes[1].contains("before 2020"), "{:?}", silent.notes);
}

/// Three points and one triangle in binary, in the old form or in that of version 5.1.
fn binary(new: bool) -> Vec<u8> {
    let version = if new { "5.1" } else { "4.2" };
    let mut bytes =
        format!("# vtk DataFile Version {version}\nvtk output SPACE=LPS\nBINARY\nDATASET POLYDATA\n").into_bytes();
    bytes.extend_from_slice(b"FIELD FieldData 1\nage 1 2 int\n");
    bytes.extend_from_slice(&[0, 0, 0, 7, 0, 0, 10, 10]);
    bytes.extend_from_slice(b"\nPOINTS 3 double\n");
    for value in [0.0, 0.0, 0.0, 1.5, 0.0, 0.0, 0.0, 2.5, 0.0] {
        bytes.extend_from_slice(&f64::to_be_bytes(value));
    }
    if new {
        bytes.extend_from_slice(b"\nPOLYGONS 2 3\nOFFSETS vtktypeint64\n");
        [0_i64, 3].iter().for_each(|v| bytes.extend_from_slice(&v.to_be_bytes()));
        bytes.extend_from_slice(b"\nCONNECTIVITY vtktypeint64\n");
        [2_i64, 0, 1].iter().for_each(|v| bytes.extend_from_slice(&v.to_be_bytes()));
    } else {
        bytes.extend_from_slice(b"\nPOLYGONS 1 4\n");
        [3_i32, 2, 0, 1].iter().for_each(|v| bytes.extend_from_slice(&v.to_be_bytes()));
    }
    bytes.extend_from_slice(b"\nCELL_DATA 1\n");
    bytes
}

#[test]
fn binary_of_both_versions_is_the_same_mesh() {
    let (old, new) = (parse(&binary(false)).unwrap(), parse(&binary(true)).unwrap());
    assert_eq!(old, new);
    assert_eq!((old.mesh.triangles.as_slice(), old.mesh.vertices[1].x), ([[2, 0, 1]].as_slice(), 1.5));
    assert!(old.notes.is_empty());
    for bytes in [binary(false), binary(true)] {
        for cut in 0..bytes.len() - 13 {
            assert!(
                parse(&bytes[..cut]).is_ok_and(|parsed| parsed.mesh.triangles.is_empty())
                    || parse(&bytes[..cut]).is_err()
            );
        }
    }
}

#[test]
fn lies_are_refused_with_a_place() {
    let fault = |from: &str, to: &str| parse(ASCII.replace(from, to).as_bytes()).unwrap_err();
    assert!(fault("POLYDATA", "STRUCTURED_POINTS").what.contains("no polydata"));
    assert!(fault("POINTS 5", "POINTS 500000000").what.contains("declares 1500000000 numbers"));
    assert!(fault("POLYGONS 2 9", "POLYGONS 2 8").what.contains("do not make"));
    assert!(fault("3 1 4 2", "3 1 5 2").what.contains("does not exist"));
    assert!(fault("3 1 4 2", "3 1 -4 2").place.unwrap().contains("line 14"));
    assert!(fault("0 1 0 2 2 2", "0 1 0 2 2 nan").what.contains("point 4"));
    assert!(fault("ASCII", "BASE64").place.is_some());
    assert!(fault("POINTS 5 float", "POINTS 5 string").what.contains("type"));
    assert!(parse(b"# vtk DataFile Version 3.0\n").is_err() && parse(b"").is_err());
    let mut lie = binary(true);
    let at = lie.windows(16).position(|w| w == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]).unwrap();
    lie[at + 15] = 2;
    assert!(parse(&lie).unwrap_err().what.contains("do not divide"));
}
