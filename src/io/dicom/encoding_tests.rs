//! One image in every dress; enhanced files; and the door.

use std::path::Path;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::{maker::Syntax, outline};
use crate::{
    fault::Result,
    io::{
        image::{BurnedIn, Image, ImageOptions, Modality, read},
        series::{decoded_digest, list},
    },
    space::DVec3,
};

fn placed(syntax: Syntax, z: &str) -> Vec<u8> {
    [
        syntax.text(tags::MODALITY, "CS", "CT"),
        syntax.text(tags::SLICE_THICKNESS, "DS", "2"),
        syntax.text(tags::IMAGE_POSITION_PATIENT, "DS", &format!("1.5\\-2\\{z}")),
        syntax.text(tags::IMAGE_ORIENTATION_PATIENT, "DS", "1\\0\\0\\0\\1\\0"),
        syntax.text(tags::PIXEL_SPACING, "DS", "0.75\\0.5"),
        syntax.image([3, 2], true),
        syntax.text(tags::RESCALE_INTERCEPT, "DS", "-1024"),
        syntax.text(tags::RESCALE_SLOPE, "DS", "1"),
        syntax.words(tags::PIXEL_DATA, &[0, 1, 0xFFFF, 1024, 0x8000, 0x7FFF]),
    ]
    .concat()
}

fn alone(bytes: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), bytes).unwrap();
    folder
}

fn read_one(bytes: &[u8], options: &ImageOptions) -> Result<Image> {
    read(alone(bytes).path(), options)
}

#[test]
fn one_image_in_every_syntax_with_and_without_its_head_is_one_image() {
    let mut dresses: Vec<Vec<u8>> = Syntax::ALL.iter().map(|syntax| syntax.file(&placed(*syntax, "3"))).collect();
    let explicit = dresses[1].clone();
    dresses.push(explicit[128..].to_vec());
    dresses.push(explicit[132..].to_vec());
    // Bare data sets are recognised by the identifying group.
    for syntax in [Syntax::Implicit, Syntax::Explicit] {
        let first = syntax.text(tags::SOP_CLASS_UID, "UI", "1.2.840.10008.5.1.4.1.1.2");
        dresses.push([first, placed(syntax, "3")].concat());
    }
    let digests: Vec<[u8; 32]> =
        dresses.iter().map(|bytes| decoded_digest(alone(bytes).path(), None).unwrap()).collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]));
    for (at, bytes) in dresses.iter().enumerate() {
        let image = read_one(bytes, &ImageOptions::default()).unwrap();
        assert_eq!(image.volume.data, [-1024.0, -1023.0, -1025.0, 0.0, -33_792.0, 31_743.0], "dress {at}");
        assert_eq!(image.volume.grid.world(1, 1, 0), DVec3::new(2.0, -1.25, 3.0));
    }
}

/// An enhanced file of three frames, in the order in which the scanner sent them: top, bottom, middle.
fn enhanced(syntax: Syntax, frames: &str, modality: &str) -> Vec<u8> {
    let frame = |z: i32, slope: &str| {
        let position = syntax.text(tags::IMAGE_POSITION_PATIENT, "DS", &format!("0\\0\\{z}"));
        let rescale =
            [syntax.text(tags::RESCALE_INTERCEPT, "DS", "-10"), syntax.text(tags::RESCALE_SLOPE, "DS", slope)];
        [
            syntax.sequence(tags::PLANE_POSITION_SEQUENCE, &[position]),
            syntax.sequence(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, &[rescale.concat()]),
        ]
        .concat()
    };
    let orientation = syntax.text(tags::IMAGE_ORIENTATION_PATIENT, "DS", "1\\0\\0\\0\\1\\0");
    let measures = [syntax.text(tags::SLICE_THICKNESS, "DS", "5"), syntax.text(tags::PIXEL_SPACING, "DS", "0.5\\0.25")];
    let shared = [
        syntax.sequence(tags::PLANE_ORIENTATION_SEQUENCE, &[orientation]),
        syntax.sequence(tags::PIXEL_MEASURES_SEQUENCE, &[measures.concat()]),
    ];
    let dataset = [
        syntax.text(tags::MODALITY, "CS", modality),
        syntax.image([2, 1], false),
        syntax.text(tags::NUMBER_OF_FRAMES, "IS", frames),
        syntax.sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, &[shared.concat()]),
        syntax.sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, &[frame(20, "1"), frame(10, "1"), frame(15, "2")]),
        syntax.words(tags::PIXEL_DATA, &[5, 6, 1, 2, 3, 4]),
    ];
    syntax.file(&dataset.concat())
}

#[test]
fn frames_of_an_enhanced_file_go_to_their_own_places_with_their_own_rescale() {
    for syntax in Syntax::ALL {
        let bytes = enhanced(syntax, "3", "CT");
        let image = read_one(&bytes, &ImageOptions::default()).unwrap();
        assert_eq!(image.volume.data, [-9.0, -8.0, -4.0, -2.0, -5.0, -4.0], "{syntax:?}");
        assert_eq!(image.volume.grid.size, [2, 1, 3]);
        assert_eq!(image.volume.grid.spacing_mm, DVec3::new(0.25, 0.5, 5.0));
        assert_eq!(image.volume.grid.origin_mm, DVec3::new(0.0, 0.0, 10.0));
        let folder = alone(&bytes);
        let listed = list(folder.path()).unwrap();
        assert_eq!((listed[0].files, listed[0].size), (1, [2, 1, 3]));
    }
    let fault = read_one(&enhanced(Syntax::Explicit, "4", "CT"), &ImageOptions::default()).unwrap_err();
    assert!(fault.what.contains("4 frames and states the places of 3"), "{fault}");
}

#[test]
fn what_is_no_ct_or_has_text_in_its_pixels_is_read_only_when_asked() {
    let other = enhanced(Syntax::Explicit, "3", "MR");
    let fault = read_one(&other, &ImageOptions::default()).unwrap_err();
    assert!(fault.what.contains("is MR") && fault.hint.unwrap().contains("modality: any"));
    let any = ImageOptions { modality: Modality::Any, ..ImageOptions::default() };
    assert!(read_one(&other, &any).unwrap().notes[0].contains("not CT"));
    let unknown = read_one(&enhanced(Syntax::Explicit, "3", "SECRET"), &ImageOptions::default()).unwrap_err();
    assert!(unknown.what.ends_with("is other"), "text of the file is not repeated: {unknown}");

    let syntax = Syntax::Explicit;
    let burned = [placed(syntax, "3"), syntax.text(tags::BURNED_IN_ANNOTATION, "CS", "YES")].concat();
    let fault = read_one(&syntax.file(&burned), &ImageOptions::default()).unwrap_err();
    assert!(fault.what.contains("1 of 1 slices say that text is burned"), "{fault}");
    let accept = ImageOptions { burned_in: BurnedIn::Accept, ..ImageOptions::default() };
    let read = read_one(&syntax.file(&burned), &accept).unwrap();
    assert!(read.notes.iter().any(|note| note.contains("burned")), "{:?}", read.notes);
}

#[test]
fn a_rescale_that_is_no_number_is_not_taken_for_none() {
    let syntax = Syntax::Explicit;
    let mut bytes = syntax.file(&placed(syntax, "3"));
    let at = bytes.windows(6).position(|window| window == b"-1024 ").unwrap();
    bytes[at..at + 6].copy_from_slice(b"-1x24 ");
    let fault = read_one(&bytes, &ImageOptions::default()).unwrap_err();
    assert!(fault.what.contains("RescaleIntercept"), "{fault}");
}

#[test]
fn a_dicomdir_beside_the_slices_is_left_out_with_a_note_and_is_no_scan() {
    let syntax = Syntax::Explicit;
    let folder = tempfile::tempdir().unwrap();
    for z in 0..2 {
        std::fs::write(folder.path().join(format!("{z}")), syntax.file(&placed(syntax, &z.to_string()))).unwrap();
    }
    let directory = syntax.sequence(Tag(0x0004, 0x1220), &[syntax.text(Tag(0x0004, 0x1500), "CS", "0")]);
    std::fs::write(folder.path().join("DICOMDIR"), syntax.file(&directory)).unwrap();
    let image = read(folder.path(), &ImageOptions::default()).unwrap();
    assert_eq!((image.volume.grid.size[2], image.notes.len()), (2, 1));
    assert!(image.notes[0].contains("1 files are no DICOM images"));
    let fault = read(&folder.path().join("DICOMDIR"), &ImageOptions::default()).unwrap_err();
    assert!(fault.what.contains("holds no slice"), "{fault}");
}

/// Text-like value representations, cycled over the tags of the canaries.
const TEXTS: [&str; 13] = ["PN", "LO", "SH", "LT", "ST", "UT", "CS", "DA", "TM", "DT", "AS", "AE", "UI"];

fn with_canaries(syntax: Syntax) -> (Vec<u8>, usize) {
    let mut dataset = placed(syntax, "3");
    let mut count = 0;
    let mut plant = |tag: Tag| {
        let text = format!("CANARY{count:03}");
        count += 1;
        syntax.text(tag, TEXTS[count % TEXTS.len()], &text)
    };
    let named = [
        tags::PATIENT_NAME,
        tags::PATIENT_ID,
        tags::PATIENT_BIRTH_DATE,
        tags::PATIENT_COMMENTS,
        tags::STUDY_INSTANCE_UID,
        tags::FRAME_OF_REFERENCE_UID,
        tags::SOP_INSTANCE_UID,
        tags::INSTITUTION_NAME,
        tags::STUDY_DESCRIPTION,
        tags::SERIES_DESCRIPTION,
        tags::STATION_NAME,
        tags::PROTOCOL_NAME,
        tags::IMAGE_COMMENTS,
        tags::ACQUISITION_DATE,
    ];
    named.into_iter().for_each(|tag| dataset.extend(plant(tag)));
    // Private tags, curves, unknown groups, and members of sequences.
    (0..100).for_each(|n| dataset.extend(plant(Tag(0x0009 + 2 * (n % 10), 0x1000 + n))));
    (0..60).for_each(|n| dataset.extend(plant(Tag(0x0018 + n % 3 * 0x10, 0x9A00 + n))));
    let inside: Vec<u8> = (0..30).flat_map(|n| plant(Tag(0x0040, 0xA000 + n))).collect();
    dataset.extend(syntax.sequence(Tag(0x0040, 0x0275), &[inside]));
    (syntax.file(&dataset), count)
}

fn canaries(bytes: &[u8]) -> usize {
    bytes.windows(6).filter(|window| window == b"CANARY").count()
}

#[test]
fn nothing_but_the_admitted_tags_enters_and_an_open_door_would_be_noticed() {
    for syntax in [Syntax::Implicit, Syntax::Explicit, Syntax::BigEndian] {
        let (bytes, planted) = with_canaries(syntax);
        assert!(planted > 200 && canaries(&bytes) == planted);
        let shut = outline::outline(&bytes).unwrap().unwrap();
        let entered = shut.admitted().everything();
        assert_eq!(canaries(&entered), 0);
        assert!(entered.windows(5).any(|window| window == b"-1024"), "what is needed did enter");
        let open = outline::outline_through(&bytes, |_| true).unwrap().unwrap();
        assert!(canaries(&open.admitted().everything()) > 150, "{syntax:?}");
        let folder = alone(&bytes);
        let image = read(folder.path(), &ImageOptions::default()).unwrap();
        let said = format!("{:?} {:?}", image, list(Path::new(folder.path())).unwrap());
        assert_eq!(canaries(said.as_bytes()), 0);
    }
}
