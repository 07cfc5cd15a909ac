//! Each format says which element a byte is of, and how far two numbers lie apart.

use super::{Element, first_difference};

fn differ(name: &str, before: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Element {
    let mut after = before.to_vec();
    change(&mut after);
    first_difference(name, before, &after).unwrap()
}

fn nudge_f32(bytes: &mut [u8], at: usize, steps: u32) {
    let bits = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) + steps;
    bytes[at..at + 4].copy_from_slice(&bits.to_le_bytes());
}

#[test]
fn equal_files_do_not_differ() {
    assert_eq!(first_difference("a.nrrd", b"NRRD", b"NRRD"), None);
}

#[test]
fn a_voxel_is_named_by_its_place() {
    let header = "NRRD0004\ntype: float\ndimension: 3\nsizes: 4 3 2\nendian: little\nencoding: raw\n\n";
    let mut bytes = header.as_bytes().to_vec();
    (0..24_u8).for_each(|voxel| bytes.extend(f32::from(voxel).to_le_bytes()));
    // x 1, y 2, z 1: number 1 + 4 (2 + 3).
    let at = header.len() + 4 * 21;
    let found = differ("ct.nrrd", &bytes, |bytes| nudge_f32(bytes, at, 3));
    assert_eq!((found.element.as_str(), found.ulps, found.bytes), ("voxel (1, 2, 1)", Some(3), Some(1)));
    assert_eq!((found.before.as_str(), found.after.as_str()), ("21.0", "21.000006"));
    assert_eq!(found.offset, at as u64);
    let shorter = first_difference("ct.nrrd", &bytes, &bytes[..at + 2]).unwrap();
    assert_eq!((shorter.offset, shorter.bytes), (at as u64 + 2, None));
}

#[test]
fn a_vertex_a_corner_and_a_triangle_are_named() {
    let header = "ply\nformat binary_little_endian 1.0\nelement vertex 2\nproperty double x\nproperty double y\n\
                  property double z\nproperty float deviation_mm\nelement face 1\n\
                  property list uchar uint vertex_indices\nend_header\n";
    let mut bytes = header.as_bytes().to_vec();
    for vertex in [0.0, 1.0] {
        [vertex, 2.0, 3.0_f64].iter().for_each(|mm| bytes.extend(mm.to_le_bytes()));
        bytes.extend(0.5_f32.to_le_bytes());
    }
    bytes.push(3);
    [0_u32, 1, 0].iter().for_each(|corner| bytes.extend(corner.to_le_bytes()));
    let found = differ("mesh.ply", &bytes, |bytes| bytes[header.len() + 28 + 8] += 1);
    assert_eq!((found.element.as_str(), found.ulps), ("vertex 1 y", Some(1)));
    let found = differ("mesh.ply", &bytes, |bytes| nudge_f32(bytes, header.len() + 28 + 24, 2));
    assert_eq!((found.element.as_str(), found.ulps), ("vertex 1 deviation_mm", Some(2)));
    let found = differ("mesh.ply", &bytes, |bytes| bytes[header.len() + 56 + 1 + 8] = 1);
    assert_eq!((found.element.as_str(), found.before.as_str(), found.after.as_str()), ("face 0 corner 2", "0", "1"));

    let mut bytes = vec![0; 80];
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend([0; 50]);
    let found = differ("gold.stl", &bytes, |bytes| bytes[84 + 4 * 7] = 1);
    assert_eq!((found.element.as_str(), found.ulps), ("triangle 0 corner 1 y", Some(1)));
}

#[test]
fn a_weight_is_named_by_its_tensor() {
    let header = r#"{"bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    [1.0_f32, 2.0, -0.0, 4.0].iter().for_each(|weight| bytes.extend(weight.to_le_bytes()));
    let at = 8 + header.len() + 8;
    let found = differ("model.safetensors", &bytes, |bytes| bytes[at..at + 4].copy_from_slice(&[1, 0, 0, 0]));
    assert_eq!((found.element.as_str(), found.before.as_str(), found.ulps), ("tensor w [0]", "-0.0", Some(1)));
}

#[test]
fn a_cell_of_a_table_is_named_by_its_column() {
    let before = b"patient,dsc,mad\n1,0.871,0.44\n2,0.9,0.5\n";
    let found = differ("table.csv", before, |bytes| bytes[before.len() - 2] = b'6');
    assert_eq!(found.element, "line 3, column 9 `mad`");
    assert_eq!((found.before.as_str(), found.after.as_str()), ("0.5", "0.6"));
    assert!(found.ulps.unwrap() > 1_000_000);
    let found =
        first_difference("row.json", b"{\"dsc\": 0.30000000000000004}", b"{\"dsc\": 0.30000000000000010}").unwrap();
    assert_eq!((found.element.as_str(), found.ulps), ("line 1, column 26", Some(1)));
    let unknown = first_difference("x.png", &[0, 1, 2], &[0, 1, 3]).unwrap();
    assert_eq!((unknown.element.as_str(), unknown.before.as_str(), unknown.after.as_str()), ("byte", "0x02", "0x03"));
}
