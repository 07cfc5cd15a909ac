//! Series made by hand, good and bad in every way that scanners and copies are.

use super::*;
use crate::{
    io::image::{Repair, read},
    space::{DMat3, DVec3, Grid},
};

fn grid(size: [usize; 3]) -> Grid {
    let turn = DMat3::from_cols(DVec3::new(0.0, 1.0, 0.0), DVec3::new(0.0, 0.0, -1.0), DVec3::new(-1.0, 0.0, 0.0));
    Grid::new(size, DVec3::new(10.5, -20.25, 30.0), DVec3::new(0.5, 0.75, 2.0), turn).unwrap()
}

fn volume(size: [usize; 3]) -> Volume<i16> {
    let count = size.iter().product::<usize>() as i32;
    Volume::new(grid(size), (0..count).map(|v| (v * 37 % 4000 - 1024) as i16).collect()).unwrap()
}

struct Case(tempfile::TempDir);

impl Case {
    /// A sound series of six slices.
    fn new() -> Self {
        let case = Self(tempfile::tempdir().unwrap());
        write_series(case.path(), &volume([5, 4, 6]), &SeriesHeader::default()).unwrap();
        case
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn slice(&self, number: usize) -> std::path::PathBuf {
        self.path().join(format!("slice-{number:04}.dcm"))
    }

    /// Replaces bytes of a slice by as many others.
    fn patch(&self, number: usize, from: &[u8], to: &[u8]) {
        assert_eq!(from.len(), to.len());
        let mut bytes = std::fs::read(self.slice(number)).unwrap();
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to);
        std::fs::write(self.slice(number), bytes).unwrap();
    }

    fn read(&self) -> Result<Image> {
        read(self.path(), &ImageOptions::default())
    }
}

#[test]
fn a_written_series_reads_back_exactly_under_any_names() {
    let case = Case::new();
    let back = case.read().unwrap();
    assert_eq!(back.volume, volume([5, 4, 6]).map(f32::from));
    assert_eq!((back.dtype.as_str(), back.notes.len()), ("int16", 0), "{:?}", back.notes);
    for (number, name) in [(1, "z"), (2, "a.dcm"), (6, "IM0")] {
        std::fs::rename(case.slice(number), case.path().join(name)).unwrap();
    }
    assert_eq!(case.read().unwrap(), back);
    assert_eq!(
        read(&case.slice(3), &ImageOptions::default()).unwrap().volume,
        back.volume,
        "a file stands for its series"
    );
}

#[test]
fn equal_volumes_give_equal_files_without_names_or_dates() {
    let (a, b) = (Case::new(), Case::new());
    for number in 1..=6 {
        assert_eq!(std::fs::read(a.slice(number)).unwrap(), std::fs::read(b.slice(number)).unwrap());
    }
    let other = Case(tempfile::tempdir().unwrap());
    let header = SeriesHeader { identity: "p02".to_owned(), ..SeriesHeader::default() };
    write_series(other.path(), &volume([5, 4, 6]), &header).unwrap();
    assert_ne!(std::fs::read(a.slice(1)).unwrap(), std::fs::read(other.slice(1)).unwrap());
}

#[test]
fn values_below_the_usual_intercept_survive() {
    let case = Case(tempfile::tempdir().unwrap());
    let mut low = volume([3, 2, 2]);
    low.data[0] = i16::MIN;
    low.data[1] = i16::MAX;
    write_series(case.path(), &low, &SeriesHeader::default()).unwrap();
    assert_eq!(case.read().unwrap().volume, low.map(f32::from));
}

#[test]
fn slices_keep_their_own_rescale() {
    let case = Case::new();
    case.patch(2, b"-1024 ", b"-1023 ");
    let (plain, changed) = (volume([5, 4, 6]), case.read().unwrap().volume);
    assert_eq!(changed.at(0, 0, 1), f32::from(plain.at(0, 0, 1)) + 1.0);
    assert_eq!(changed.at(0, 0, 2), f32::from(plain.at(0, 0, 2)));
}

#[test]
fn a_missing_slice_is_refused_with_numbers_or_filled() {
    let case = Case::new();
    std::fs::remove_file(case.slice(3)).unwrap();
    let fault = case.read().unwrap_err();
    assert!(fault.what.contains("5 slices 2 to 4 mm apart, median 2 mm, about 1 missing"), "{fault}");
    assert!(fault.hint.unwrap().contains("gaps: resample"));
    let image = read(case.path(), &ImageOptions { gaps: Repair::Resample, ..ImageOptions::default() }).unwrap();
    let whole = volume([5, 4, 6]);
    assert_eq!(image.volume.grid, whole.grid);
    assert_eq!(image.volume.slice(3), whole.map(f32::from).slice(3));
    let mean = (f32::from(whole.at(1, 1, 1)) + f32::from(whole.at(1, 1, 3))) / 2.0;
    assert_eq!(image.volume.at(1, 1, 2), mean);
    assert!(image.notes[0].contains("missing"), "{:?}", image.notes);
}

#[test]
fn a_tilted_series_is_refused_with_its_angle_or_straightened() {
    let case = Case::new();
    // Along the rows the first voxel moves by 0.5 mm a slice; the slices are 2 mm apart: atan(0.25) = 14.04 degrees.
    for number in 2..=6 {
        let x = 10.5 - 2.0 * (number - 1) as f64;
        let position = format!("{x}\\-20.25\\30");
        let moved = format!("{x}\\{}\\30", -20.25 + 0.5 * (number - 1) as f64);
        let pad = |text: &str| format!("{text:<16}").into_bytes();
        let moved = &pad(&moved)[..position.len().next_multiple_of(2)];
        let mut from = position.into_bytes();
        if from.len() % 2 == 1 {
            from.push(b' ');
        }
        // Only numbers that take no more room can be patched in place.
        case.patch(number, &from, moved);
    }
    let fault = case.read().unwrap_err();
    assert!(fault.what.contains("14.04 degrees") && fault.what.contains("2.50 mm"), "{fault}");
    let image = read(case.path(), &ImageOptions { tilt: Repair::Resample, ..ImageOptions::default() }).unwrap();
    assert_eq!(image.volume.grid.size, [10, 4, 6], "five voxels of shift");
    let plain = volume([5, 4, 6]);
    assert_eq!(image.volume.at(5, 2, 5), f32::from(plain.at(0, 2, 5)), "a whole voxel a slice needs no interpolation");
    assert_eq!(image.volume.at(0, 2, 0), f32::from(plain.at(0, 2, 0)));
}

#[test]
fn slices_at_one_place_are_no_volume() {
    let case = Case::new();
    std::fs::copy(case.slice(2), case.path().join("copy")).unwrap();
    let fault = case.read().unwrap_err();
    assert!(fault.what.contains("7 slices lie at 6 places"), "{fault}");
}

#[test]
fn several_series_are_listed_by_number() {
    let case = Case::new();
    let header = SeriesHeader { identity: "other".to_owned(), number: 7, ..SeriesHeader::default() };
    let beside = case.path().join("sub");
    write_series(&beside, &volume([3, 3, 2]), &header).unwrap();
    assert!(case.read().is_ok(), "a folder's own files come first");
    for number in 1..=2 {
        let file = format!("slice-{number:04}.dcm");
        std::fs::rename(beside.join(&file), case.path().join(format!("b{number}"))).unwrap();
    }
    let fault = case.read().unwrap_err();
    assert_eq!(fault.kind.exit_code(), 2);
    assert!(
        fault.what.contains("series 1: 6 slices of 5 x 4") && fault.what.contains("series 2: 2 slices of 3 x 3"),
        "{fault}"
    );
    let second = read(case.path(), &ImageOptions { series: Some(2), ..ImageOptions::default() }).unwrap();
    assert_eq!(second.volume.grid.size, [3, 3, 2]);
    let none = read(case.path(), &ImageOptions { series: Some(3), ..ImageOptions::default() }).unwrap_err();
    assert_eq!(none.kind.exit_code(), 2);
    // One slice of another orientation makes a series of its own, so it cannot slip into the volume.
    let odd = Case::new();
    odd.patch(4, b"0\\1\\0\\0\\0\\-1", b"0\\0\\1\\0\\1\\00");
    assert!(odd.read().unwrap_err().what.contains("2 series"));
}

#[test]
fn damaged_files_are_refused_and_strays_left_out() {
    let case = Case::new();
    std::fs::write(case.path().join("readme.txt"), "no image").unwrap();
    assert!(case.read().unwrap().notes[0].contains("1 files are no DICOM images"));
    let bytes = std::fs::read(case.slice(2)).unwrap();
    std::fs::write(case.slice(2), &bytes[..bytes.len() - 10]).unwrap();
    let fault = case.read().unwrap_err();
    assert!(fault.what.contains("(7FE0,0010) declares 40 bytes, 30 are left"), "{fault}");
    assert!(fault.place.unwrap().contains("slice-0002.dcm"));
    std::fs::write(case.slice(2), bytes).unwrap();
    // Rows says more than the pixels hold.
    case.patch(2, &[0x28, 0, 0x10, 0, b'U', b'S', 2, 0, 4, 0], &[0x28, 0, 0x10, 0, b'U', b'S', 2, 0, 255, 255]);
    assert!(
        read(case.path(), &ImageOptions { series: Some(2), ..ImageOptions::default() })
            .unwrap_err()
            .what
            .contains("need")
    );
    assert!(read(tempfile::tempdir().unwrap().path(), &ImageOptions::default()).is_err(), "an empty folder");
}

#[test]
fn a_file_without_preamble_or_meta_is_read_too() {
    let case = Case::new();
    let plain = case.read().unwrap();
    let bytes = std::fs::read(case.slice(1)).unwrap();
    std::fs::write(case.slice(1), &bytes[132..]).unwrap();
    let second = std::fs::read(case.slice(2)).unwrap();
    let dataset = second.windows(8).position(|w| w == [8, 0, 8, 0, b'C', b'S', 22, 0]).unwrap();
    std::fs::write(case.slice(2), &second[dataset..]).unwrap();
    assert_eq!(case.read().unwrap(), plain);
}

#[test]
fn no_text_of_a_file_reaches_a_message() {
    let case = Case::new();
    let secret = "SECRET";
    for number in 1..=6 {
        // ImageType is text that nothing needs; KVP and the series UID are neighbours of what is read.
        case.patch(number, b"ORIGINAL", b"SECRETSE");
    }
    case.patch(3, b"-20.25", b"SECRET");
    let fault = case.read().unwrap_err().to_string();
    let uid = format!("{:?}", dicom_uid(&case));
    assert!(fault.contains("1 of 6 slices lack ImagePositionPatient"), "{fault}");
    assert!(!fault.contains(secret) && !fault.contains(&uid), "{fault}");
    let listed = format!("{:?}", crate::io::series::list(case.path()).unwrap());
    assert!(!listed.contains(secret) && !listed.contains("2.25."), "{listed}");
}

fn dicom_uid(case: &Case) -> String {
    let bytes = std::fs::read(case.slice(1)).unwrap();
    let at = bytes.windows(5).position(|window| window == b"2.25.").unwrap();
    String::from_utf8_lossy(&bytes[at..at + 20]).into_owned()
}
