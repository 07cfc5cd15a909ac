//! Headers made by hand, in every dress and with every lie.

use super::*;
use crate::{
    io::raw::Scalar,
    space::{DMat3, DVec3, Grid},
    volume::Volume,
};

fn example() -> Volume<f32> {
    let turn = DMat3::from_cols(DVec3::new(0.0, 0.6, 0.8), DVec3::new(0.0, -0.8, 0.6), DVec3::new(-1.0, 0.0, 0.0));
    let grid = Grid::new([3, 4, 5], DVec3::new(0.1, -20.0, 1e-7), DVec3::new(0.3, 0.75, 2.0), turn).unwrap();
    Volume::new(grid, (0..60_i16).map(|v| f32::from(v) - 30.0).collect()).unwrap()
}

fn image(text: &str, data: &[u8]) -> Result<Image> {
    let bytes = [text.as_bytes(), data].concat();
    parse(&Input::memory(bytes), &|name: &str| detached::open(Path::new("a.nrrd"), name), &ImageOptions::default())
}

#[test]
fn a_round_trip_keeps_geometry_to_the_last_digits() {
    let folder = tempfile::tempdir().unwrap();
    let volume = example();
    for scalar in [Scalar::I16, Scalar::F32, Scalar::I8] {
        let path = folder.path().join("a.nrrd");
        write(&path, &volume.grid, scalar, &raw::encode(&volume, scalar)).unwrap();
        let back = read(&path, &ImageOptions::default()).unwrap();
        assert_eq!(back.volume.data, volume.data);
        assert_eq!(back.volume.grid.origin_mm, volume.grid.origin_mm);
        assert!((back.volume.grid.spacing_mm - volume.grid.spacing_mm).length() < 1e-15);
        assert_eq!((back.dtype.as_str(), back.notes.len()), (scalar.name(), 0));
    }
    let text = String::from_utf8_lossy(&std::fs::read(folder.path().join("a.nrrd")).unwrap()[..120]).into_owned();
    assert!(text.starts_with("NRRD0004\ntype: int8\ndimension: 3\nspace: left-posterior-superior\n"), "{text}");
}

#[test]
fn frames_and_byte_orders_are_honoured() {
    let header = |space: &str, endian: &str| {
        format!(
            "NRRD0004\n# note\ntype: short\ndimension: 3\nspace: {space}\nsizes: 2 1 1\nendian: {endian}\n\
                 encoding: raw\nspace directions: (0.5,0,0) (0,2,0) (0,0,3)\nspace origin: (1,2,3)\nkey:=value\n\n"
        )
    };
    let ras = image(&header("RAS", "big"), &[0, 1, 255, 254]).unwrap().volume;
    assert_eq!(ras.data, [1.0, -2.0]);
    assert_eq!((ras.grid.origin_mm, ras.grid.world(1, 0, 0).x), (DVec3::new(-1.0, -2.0, 3.0), -1.5));
    let las = image(&header("left-anterior-superior", "little"), &[1, 0, 2, 0]).unwrap().volume;
    assert_eq!(las.grid.origin_mm, DVec3::new(1.0, -2.0, 3.0));
    assert!(image(&header("scanner-xyz", "little"), &[1, 0, 2, 0]).unwrap_err().what.contains("space"));
    assert!(image(&header("LPS", "little"), &[1, 0, 2]).unwrap_err().what.contains("declares 4 bytes"));
}

#[test]
fn other_shapes_and_encodings_are_refused_by_name() {
    let with = |sizes: &str, lines: &str| {
        let text = format!("NRRD0004\ntype: uchar\ndimension: 3\nspacings: 1 1 1\nsizes: {sizes}\n{lines}\n\n");
        image(&text, &[7, 7])
    };
    let one = |lines: &str| with("1 1 1", lines);
    assert_eq!(one("encoding: raw").unwrap().volume.data, [7.0], "no space: axes taken as LPS");
    let notes = one("encoding: raw").unwrap().notes;
    assert!(notes.len() == 2 && notes[1].contains("longer than the header declares"), "{notes:?}");
    assert!(one("encoding: zstd").unwrap_err().what.contains("zstd"));
    assert!(one("encoding: raw\ndata file: ../b.raw").unwrap_err().what.contains("outside"));
    assert!(one("encoding: raw\ndata file: /etc/passwd").unwrap_err().what.contains("outside"));
    assert!(one("encoding: raw\ndata file: LIST\na.raw\nb.raw").unwrap_err().what.contains("data files"));
    assert!(one("encoding: raw\ndata file: LIST 4\na.raw").unwrap_err().what.contains("4 axes"));
    assert!(one("encoding: raw\ndata file: a%03d.raw 1 9 1").unwrap_err().what.contains("9 data files"));
    assert!(with("1 1 99999999999", "encoding: raw").unwrap_err().what.contains("voxels"));
    assert!(with("1 x 1", "encoding: raw").unwrap_err().place.unwrap().contains("line 5"));
    let twice = one("encoding: raw\nspacings: 2 2 2").unwrap_err();
    assert!(twice.what.contains("twice") && twice.place.unwrap().contains("line 7"));
    assert!(image("NRRD0004\ntype: uchar\n", &[]).is_err());
    assert!(image("NRRD0004\ntype: uchar\ndimension: 3\nencoding: raw\n\n", &[]).unwrap_err().what.contains("sizes"));
}

#[test]
fn units_of_the_space_are_honoured() {
    let with = |units: &str| {
        let text = format!(
            "NRRD0004\ntype: uchar\ndimension: 3\nspace: RAS\nsizes: 1 1 1\nencoding: raw\nspace units: {units}\n\
             space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (1,2,3)\n\n"
        );
        image(&text, &[7])
    };
    let grid = |units: &str| with(units).unwrap().volume.grid;
    assert_eq!(grid("\"mm\" \"mm\" \"mm\"").origin_mm, DVec3::new(-1.0, -2.0, 3.0));
    assert_eq!(grid("\"cm\" \"mm\" \"m\"").spacing_mm, DVec3::new(10.0, 1.0, 1000.0));
    assert!(with("\"inch\" \"mm\" \"mm\"").unwrap_err().what.contains("units"));
}

#[test]
fn every_encoding_and_skip_gives_the_same_image() {
    let folder = tempfile::tempdir().unwrap();
    let samples = [1_u8, 2, 3, 250];
    let packed = gzip::deflate(&[&samples]).unwrap();
    let skipped = gzip::deflate(&[b"xyz", &samples]).unwrap();
    let head = |lines: &str| {
        format!(
            "NRRD0005\r\ntype: uint8\r\ndimension: 3\r\nsizes: 2 2 1\r\nspace: LPS\r\nspace directions: (1,0,0) (0,1,0) (0,0,1)\r\n{lines}\r\n\r\n"
        )
    };
    let of = |lines: &str, data: &[u8]| image(&head(lines), data).unwrap().volume.data;
    let expected = [1.0, 2.0, 3.0, 250.0];
    assert_eq!(of("encoding: raw", &samples), expected);
    assert_eq!(of("encoding: raw\nbyte skip: -1", &[b"junk", samples.as_slice()].concat()), expected);
    assert_eq!(of("encoding: raw\nline skip: 2", &[b"a\nb\n", samples.as_slice()].concat()), expected);
    assert_eq!(of("encoding: gzip", &packed), expected);
    assert_eq!(of("encoding: gz\nbyte skip: 3", &skipped), expected);
    let bzip2 = |parts: &[u8]| {
        let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(9));
        std::io::Write::write_all(&mut packer, parts).unwrap();
        packer.finish().unwrap()
    };
    assert_eq!(of("encoding: bzip2", &bzip2(&samples)), expected);
    assert_eq!(
        of(
            "encoding: bz2\nbyte skip: 2\nline skip: 1",
            &[b"a line\n", bzip2(&[9, 9, 1, 2, 3, 250]).as_slice()].concat()
        ),
        expected
    );
    assert_eq!(of("encoding: gzip\nline skip: 1", &[b"a line\n", packed.as_slice()].concat()), expected);
    assert_eq!(of("encoding: ascii", b"1 2\n3 250\n"), expected);
    assert_eq!(of("encoding: text\nbyte skip: 2", b"9 1 2 3 250"), expected);
    assert!(image(&head("encoding: gzip\nbyte skip: -1"), &packed).unwrap_err().what.contains("raw data"));
    for (name, lines, data) in [("a", "encoding: raw", samples.as_slice()), ("b", "encoding: gzip", &packed)] {
        let header = folder.path().join(format!("{name}.nhdr"));
        std::fs::write(&header, head(&format!("{lines}\ndata file: {name}.bin"))).unwrap();
        std::fs::write(folder.path().join(format!("{name}.bin")), data).unwrap();
        assert_eq!(read(&header, &ImageOptions::default()).unwrap().volume.data, expected);
    }
}

#[test]
fn lists_of_files_give_the_same_image() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, data: &[u8]| std::fs::write(folder.path().join(name), data).unwrap();
    let image = |encoding: &str, files: &str| {
        let text = format!(
            "NRRD0005\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nspacings: 1 1 1\nspace: LPS\nencoding: {encoding}\ndata file: {files}"
        );
        write("a.nhdr", text.as_bytes());
        read(&folder.path().join("a.nhdr"), &ImageOptions::default())
    };
    write("z00.raw", &[1, 2, 3, 4]);
    write("z02.raw", &[5, 6, 7, 250]);
    write("z.gz", &gzip::deflate(&[&[1, 2, 3, 4]]).unwrap());
    write("z.bin", &gzip::deflate(&[&[5, 6, 7, 250]]).unwrap());
    (1..=4_u8).for_each(|row| write(&format!("row{row}"), &[2 * row - 1, if row == 4 { 250 } else { 2 * row }]));
    let expected = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 250.0];
    for (encoding, files) in [
        ("raw", "LIST\nz00.raw\nz02.raw\n"),
        ("raw", "LIST 2\r\nz00.raw\r\nz02.raw\r\n"),
        ("raw", "LIST 3\nz00.raw\nz02.raw"),
        ("raw", "LIST 1\nrow1\nrow2\nrow3\nrow4"),
        ("raw", "row%d 1 4 1 1"),
        ("raw", "z%02d.raw 0 2 2"),
        ("raw", "z%02d.raw 0 3 2 3\n\n"),
        ("gzip", "LIST\nz.gz\nz.bin"),
    ] {
        let found = image(encoding, files).unwrap_or_else(|fault| panic!("{files}: {fault}"));
        assert_eq!((found.volume.data.as_slice(), found.notes.len()), (expected.as_slice(), 0), "{files}");
    }
    assert_eq!(crate::io::series::parts(&folder.path().join("a.nhdr")).unwrap().len(), 3);
    let refused = |files: &str| image("raw", files).unwrap_err();
    assert!(refused("LIST\nz00.raw").what.contains("1 data files"));
    assert!(refused("LIST 1\nz00.raw\nz02.raw").what.contains("2 data files"));
    assert!(refused("LIST\nz00.raw\n../z02.raw").what.contains("outside"));
    assert!(refused("z%02d.raw 0 1 1").what.contains("missing"));
    assert!(refused("z%s.raw 0 1 1").what.contains("pattern"));
    write("z02.raw", &[5, 6, 7]);
    let short = refused("LIST\nz00.raw\nz02.raw");
    assert!(short.what.contains("4 bytes of data, the file has 3"), "{short}");
    assert!(short.place.unwrap().ends_with("data file 2 of 2"));
}
