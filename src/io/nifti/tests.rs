//! Headers made by hand: both versions, both byte orders, pairs, and lies.

use super::*;
use crate::{
    io::{image::Repair, raw::Scalar},
    space::{DMat3, DVec3, Grid},
    volume::Volume,
};

fn example() -> Volume<f32> {
    let turn = DMat3::from_cols(DVec3::new(0.0, 0.6, 0.8), DVec3::new(0.0, -0.8, 0.6), DVec3::new(-1.0, 0.0, 0.0));
    let grid = Grid::new([3, 4, 5], DVec3::new(10.0, -20.0, 30.5), DVec3::new(0.5, 0.75, 2.0), turn).unwrap();
    Volume::new(grid, (0..60_i16).map(|v| f32::from(v) - 30.0).collect()).unwrap()
}

fn none() -> Result<Input<'static>> {
    Err(Fault::unfit("there is no other file"))
}

fn parse(bytes: &[u8], other: impl FnOnce() -> Result<Input<'static>>, options: &ImageOptions) -> Result<Image> {
    super::parse(&Input::memory(bytes), other, options)
}

fn bytes_of(volume: &Volume<f32>, name: &str, scalar: Scalar) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    write(&path, &volume.grid, scalar, &raw::encode(volume, scalar)).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn a_round_trip_keeps_world_and_values() {
    let volume = example();
    for (name, scalar) in [("a.nii", Scalar::I16), ("a.nii.gz", Scalar::F32), ("a.nii", Scalar::I8)] {
        let bytes = bytes_of(&volume, name, scalar);
        assert_eq!(bytes, bytes_of(&volume, name, scalar), "stable bytes");
        let back = parse(&bytes, none, &ImageOptions::default()).unwrap();
        assert_eq!(back.volume.data, volume.data);
        assert_eq!(back.dtype, scalar.name());
        assert!(back.notes.is_empty(), "{:?}", back.notes);
        assert!(back.volume.grid.same_place(&volume.grid));
    }
}

#[test]
fn qform_alone_says_the_same_as_sform() {
    let volume = example();
    let mut mirrored = volume.clone();
    mirrored.grid.direction.x_axis = -mirrored.grid.direction.x_axis;
    for volume in [volume, mirrored] {
        let mut bytes = bytes_of(&volume, "a.nii", Scalar::I16);
        bytes[254..256].copy_from_slice(&0_i16.to_le_bytes());
        let back = parse(&bytes, none, &ImageOptions::default()).unwrap();
        assert!(back.volume.grid.same_place(&volume.grid), "{:?}", back.volume.grid);
        bytes[252..254].copy_from_slice(&0_i16.to_le_bytes());
        let back = parse(&bytes, none, &ImageOptions::default()).unwrap();
        assert_eq!(back.volume.grid.direction, DMat3::IDENTITY);
        assert!(back.notes[0].contains("no orientation"), "{:?}", back.notes);
    }
}

#[test]
fn disagreeing_forms_are_noted_and_sform_wins() {
    let mut bytes = bytes_of(&example(), "a.nii", Scalar::I16);
    bytes[268..272].copy_from_slice(&99.0_f32.to_le_bytes());
    let back = parse(&bytes, none, &ImageOptions::default()).unwrap();
    assert!(back.notes[0].contains("disagree"), "{:?}", back.notes);
    assert!(back.volume.grid.same_place(&example().grid));
}

#[test]
fn slope_applies_and_zero_means_none() {
    let mut bytes = bytes_of(&example(), "a.nii", Scalar::I16);
    bytes[112..116].copy_from_slice(&0.5_f32.to_le_bytes());
    bytes[116..120].copy_from_slice(&7.0_f32.to_le_bytes());
    let back = parse(&bytes, none, &ImageOptions::default()).unwrap();
    assert_eq!((back.volume.data[0], back.dtype.as_str()), (-8.0, "float32"));
    bytes[112..116].copy_from_slice(&0.0_f32.to_le_bytes());
    assert_eq!(parse(&bytes, none, &ImageOptions::default()).unwrap().volume.data[0], -30.0);
}

#[test]
fn a_sheared_sform_is_refused_or_resampled() {
    let mut bytes = bytes_of(&example(), "a.nii", Scalar::I16);
    bytes[252..254].copy_from_slice(&0_i16.to_le_bytes());
    let z_of_row = |row: usize| 280 + 16 * row + 8;
    bytes[z_of_row(1)..z_of_row(1) + 4].copy_from_slice(&0.8_f32.to_le_bytes());
    assert!(parse(&bytes, none, &ImageOptions::default()).unwrap_err().what.contains("sheared"));
    let options = ImageOptions { tilt: Repair::Resample, ..ImageOptions::default() };
    assert_eq!(parse(&bytes, none, &options).unwrap().volume.grid.size[2], 5);
}

#[test]
fn hostile_headers_are_refused_without_their_memory() {
    let good = bytes_of(&example(), "a.nii", Scalar::I16);
    let broken = |at: usize, value: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        parse(&bytes, none, &ImageOptions::default()).unwrap_err().what
    };
    assert!(broken(42, &30_000_i16.to_le_bytes()).contains("declares"), "wide");
    assert!(broken(42, &(-1_i16).to_le_bytes()).contains("-1"), "negative");
    assert!(broken(70, &128_i16.to_le_bytes()).contains("RGB"));
    assert!(broken(108, &f32::NAN.to_le_bytes()).contains("offset"));
    assert!(broken(344, b"????").contains("NIfTI"));
    assert!(broken(280, &f32::INFINITY.to_le_bytes()).contains("finite"));
    assert!(parse(&good[..400], none, &ImageOptions::default()).unwrap_err().what.contains("the file has 400"));
    assert!(parse(&good[..100], none, &ImageOptions::default()).is_err());
}

/// Rewrites a little-endian NIfTI-1 file as NIfTI-2 of either byte order.
fn version_2(bytes: &[u8], big: bool) -> Vec<u8> {
    let short = |at: usize| i16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let float = |at: usize| f64::from(f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
    let mut out = vec![0; 544];
    let mut put = |at: usize, word: &[u8]| {
        out[at..at + word.len()].copy_from_slice(word);
        if big {
            out[at..at + word.len()].reverse();
        }
    };
    put(0, &540_i32.to_le_bytes());
    put(12, &short(70).to_le_bytes());
    put(14, &short(72).to_le_bytes());
    put(168, &544_i64.to_le_bytes());
    put(344, &i32::from(short(252)).to_le_bytes());
    put(348, &i32::from(short(254)).to_le_bytes());
    put(500, &2_i32.to_le_bytes());
    for i in 0..8 {
        put(16 + 8 * i, &i64::from(short(40 + 2 * i)).to_le_bytes());
        put(104 + 8 * i, &float(76 + 4 * i).to_le_bytes());
    }
    put(176, &float(112).to_le_bytes());
    put(184, &float(116).to_le_bytes());
    (0..6).for_each(|i| put(352 + 8 * i, &float(256 + 4 * i).to_le_bytes()));
    (0..12).for_each(|i| put(400 + 8 * i, &float(280 + 4 * i).to_le_bytes()));
    out[4..12].copy_from_slice(b"n+2\0\r\n\x1a\n");
    let width = short(72) as usize / 8;
    for sample in bytes[352..].chunks(width) {
        let at = out.len();
        out.extend_from_slice(sample);
        if big {
            out[at..].reverse();
        }
    }
    out
}

#[test]
fn version_2_of_both_byte_orders_and_every_type_is_the_same_image() {
    let volume = example();
    for scalar in Scalar::all().filter(|scalar| scalar.range().is_none_or(|(low, _)| low < 0.0)) {
        let bytes = bytes_of(&volume, "a.nii", scalar);
        let first = parse(&bytes, none, &ImageOptions::default()).unwrap();
        for big in [false, true] {
            let second = parse(&version_2(&bytes, big), none, &ImageOptions::default()).unwrap();
            assert_eq!(second, first, "{} big: {big}", scalar.name());
        }
        assert!(parse(&version_2(&bytes, true)[..540], none, &ImageOptions::default()).is_err());
    }
}

#[test]
fn a_pair_is_read_from_either_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let volume = example();
    let whole = bytes_of(&volume, "a.nii", Scalar::I16);
    let mut header = whole[..348].to_vec();
    header[344..348].copy_from_slice(b"ni1\0");
    header[108..112].copy_from_slice(&0_f32.to_le_bytes());
    std::fs::write(at("a.hdr"), &header).unwrap();
    let lonely = read(&at("a.hdr"), &ImageOptions::default()).unwrap_err();
    assert!(lonely.what.contains("image (.img) is not beside it"), "{lonely}");
    std::fs::write(at("a.img"), &whole[352..]).unwrap();
    std::fs::write(at("b.HDR"), &header).unwrap();
    std::fs::write(at("b.img.gz"), gzip::deflate(&[&whole[352..]]).unwrap()).unwrap();
    for name in ["a.hdr", "a.img", "b.HDR", "b.img.gz"] {
        let image = crate::io::image::read(&at(name), &ImageOptions::default()).unwrap();
        assert_eq!(image.volume.data, volume.data, "{name}");
    }
    std::fs::write(at("c.img"), &whole[352..]).unwrap();
    assert!(read(&at("c.img"), &ImageOptions::default()).unwrap_err().what.contains("header (.hdr)"));
    header[344..348].copy_from_slice(&[0; 4]);
    std::fs::write(at("a.hdr"), &header).unwrap();
    assert!(read(&at("a.hdr"), &ImageOptions::default()).unwrap_err().what.contains("Analyze"));
}
