//! Headers made by hand, and what is written read back.

use super::*;
use crate::volume::Volume;

#[test]
fn a_round_trip_is_exact() {
    let turn = DMat3::from_cols(DVec3::new(0.0, 0.6, 0.8), DVec3::new(0.0, -0.8, 0.6), DVec3::new(-1.0, 0.0, 0.0));
    let grid = Grid::new([3, 4, 5], DVec3::new(0.1, -20.0, 1e-7), DVec3::new(0.3, 0.75, 2.0), turn).unwrap();
    let volume = Volume::new(grid, (0..60_i16).map(|v| f32::from(v) - 30.0).collect()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mha");
    write(&path, &grid, Scalar::I16, &raw::encode(&volume, Scalar::I16)).unwrap();
    let back = read(&path, &ImageOptions::default()).unwrap();
    assert_eq!(back.volume.data, volume.data);
    assert!(back.volume.grid.same_place(&grid));
    assert_eq!(back.dtype, "int16");
}

#[test]
fn broken_headers_are_refused() {
    let image = |text: &str| {
        parse(
            &Input::memory(text.as_bytes()),
            &|name: &str| detached::open(Path::new("a.mha"), name),
            &ImageOptions::default(),
        )
        .unwrap_err()
    };
    assert!(image("DimSize = 2 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\nabcd").what.contains("DimSize"));
    assert!(image("DimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\nabcd").what.contains("8 bytes"));
    assert!(image("DimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = ../x\n").what.contains("outside"));
    assert!(image("DimSize = 2 q 2\n").place.unwrap().contains("line 1"));
    assert!(image("ObjectType = Image\n").what.contains("ElementDataFile"));
}

#[test]
fn letters_of_orientation_are_held_against_the_matrix() {
    let image = |lines: &str| {
        let text = format!("DimSize = 1 1 1\n{lines}ElementType = MET_UCHAR\nElementDataFile = Local\n\u{7}");
        parse(&Input::memory(text.as_bytes()), &|_| Err(Fault::unfit("no file")), &ImageOptions::default())
    };
    assert!(image("AnatomicalOrientation = RAI\n").unwrap().notes.is_empty());
    assert!(image("AnatomicalOrientation = ???\n").unwrap().notes.is_empty());
    assert!(image("AnatomicalOrientation = RPI\n").unwrap_err().what.contains("AnatomicalOrientation only"));
    let matrix = "TransformMatrix = 1 0 0 0 -1 0 0 0 1\n";
    assert!(image(&format!("{matrix}AnatomicalOrientation = RPI\n")).unwrap().notes.is_empty());
    let noted = image(&format!("{matrix}AnatomicalOrientation = RAI\n")).unwrap();
    assert!(noted.notes[0].contains("disagrees") && noted.volume.grid.direction.y_axis.y == -1.0);
    assert!(image("ElementSpacing = 1 -1 1\n").unwrap_err().what.contains("positive"));
}

#[test]
fn detached_and_compressed_data_give_the_same_image() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let samples = [1_u8, 2, 3, 250];
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
    packer.write_all(&samples).unwrap();
    let packed = packer.finish().unwrap();
    for (name, lines, data) in [
        ("a.raw", "", samples.to_vec()),
        ("b.zraw", "CompressedData = True\n", packed),
        ("c.raw", "HeaderSize = -1\n", [9, 9, 1, 2, 3, 250].to_vec()),
    ] {
        let path = folder.path().join("a.mhd");
        let text = format!(
            "ObjectType = Image\nNDims = 3\n{lines}DimSize = 2 2 1\nElementType = MET_UCHAR\nElementDataFile = {name}\n"
        );
        std::fs::write(&path, text).unwrap();
        std::fs::write(folder.path().join(name), data).unwrap();
        assert_eq!(read(&path, &ImageOptions::default()).unwrap().volume.data, [1.0, 2.0, 3.0, 250.0], "{name}");
    }
}

#[test]
fn numbers_and_lists_of_files_give_the_same_image() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, data: &[u8]| std::fs::write(folder.path().join(name), data).unwrap();
    let head = "ObjectType = Image\nNDims = 3\nDimSize = 2 1 2\nElementType = MET_SHORT\n";
    let image = |lines: &str| {
        write("a.mhd", format!("{head}{lines}\n").as_bytes());
        read(&folder.path().join("a.mhd"), &ImageOptions::default())
    };
    [("s1", [1, 0, 2, 0]), ("s2", [3, 0, 0xFE, 0xFF])].iter().for_each(|(name, data)| write(name, data));
    write("numbers.txt", b"1 2\n3\t-2\n");
    [("r1", [1, 0]), ("r2", [2, 0]), ("r3", [3, 0]), ("r4", [0xFE, 0xFF])]
        .iter()
        .for_each(|(name, data)| write(name, data));
    for lines in [
        "BinaryData = False\nElementDataFile = numbers.txt",
        "BinaryData = False\nHeaderSize = 1\nElementDataFile = LOCAL\n\n1 2 3 -2",
        "ElementDataFile = LIST\ns1\ns2",
        "ElementDataFile = LIST 2D\r\ns1\r\n\r\ns2\r",
        "ElementDataFile = LIST 1\nr1\nr2\nr3\nr4",
        "ElementDataFile = s%d 1 2 1",
        "ElementDataFile = s%d 1",
    ] {
        let found = image(lines);
        if lines.contains("LIST 1") {
            // One axis a file: two voxels each, and these hold one.
            assert!(found.unwrap_err().what.contains("4 data files"), "{lines}");
            continue;
        }
        let found = found.unwrap_or_else(|fault| panic!("{lines}: {fault}"));
        assert_eq!((found.volume.data, found.notes.len()), (vec![1.0, 2.0, 3.0, -2.0], 0), "{lines}");
        assert_eq!(
            parts(&folder.path().join("a.mhd")),
            if lines.contains("s%d") || lines.contains("LIST") {
                3
            } else {
                1 + usize::from(lines.contains("numbers"))
            }
        );
    }
    let refused = |lines: &str| image(lines).unwrap_err();
    assert!(refused("ElementDataFile = LIST\ns1").what.contains("1 data files"));
    assert!(refused("ElementDataFile = LIST\ns1\ns1x").what.contains("missing"));
    let outside = refused("ElementDataFile = LIST\ns1\n../s2");
    assert!(outside.what.contains("outside") && outside.place.unwrap().ends_with("data file 2 of 2"));
    write("s2", &[3, 0, 0xFE]);
    assert!(refused("ElementDataFile = LIST\ns1\ns2").what.contains("the file has 3"));
    assert!(refused("BinaryData = False\nElementDataFile = s1").what.contains("the text holds"));
    assert!(refused("BinaryData = False\nCompressedData = True\nElementDataFile = s1").what.contains("both"));
}

fn parts(path: &Path) -> usize {
    crate::io::series::parts(path).unwrap().len()
}
