//! Files of a few elements, with lengths that lie.

use super::*;

fn element(tag: Tag, vr: &[u8; 2], length: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
    bytes.extend_from_slice(vr);
    if matches!(vr, b"OW" | b"SQ" | b"OB") {
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&length.to_le_bytes());
    } else {
        bytes.extend_from_slice(&(length as u16).to_le_bytes());
    }
    bytes.extend_from_slice(value);
    bytes
}

fn file(elements: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0; 128];
    bytes.extend_from_slice(b"DICM");
    bytes.extend(element(Tag(2, 0x10), b"UI", 20, b"1.2.840.10008.1.2.1\0"));
    bytes.extend(elements.concat());
    bytes
}

#[test]
fn a_sound_file_has_its_pixels_found() {
    let rows = element(Tag(0x28, 0x10), b"US", 2, &[1, 0]);
    let pixels = element(PIXEL_DATA, b"OW", 2, &[7, 0]);
    let bytes = file(&[rows.clone(), pixels.clone()]);
    let found = outline(&bytes).unwrap().unwrap();
    assert_eq!((found.syntax.as_str(), found.pixel_data), (EXPLICIT, Some(rows.len())));
    let bare = [element(Tag(8, 0x16), b"UI", 2, b"1\0"), pixels].concat();
    assert_eq!(outline(&bare).unwrap().unwrap().pixel_data, Some(10), "no preamble, no meta");
    assert!(outline(b"hello world, this is text").unwrap().is_none());
    assert!(outline(b"").unwrap().is_none());
}

#[test]
fn a_length_beyond_the_file_is_found_wherever_it_is() {
    let huge = |vr| element(PIXEL_DATA, vr, 0xFFFF_FFF0, &[0; 8]);
    let broken = outline(&file(&[huge(b"OW")])).unwrap_err();
    assert!(broken.what.contains("(7FE0,0010) declares 4294967280 bytes, 8 are left"), "{broken:?}");
    assert_eq!(broken.offset, 132 + 28);
    // The same inside an item of a sequence whose own length is right.
    let inner = element(Tag(0x40, 0x1), b"OB", 1 << 30, &[]);
    let mut item = element(ITEM, b"OW", 0, &[])[..4].to_vec();
    item.extend_from_slice(&(inner.len() as u32).to_le_bytes());
    item.extend_from_slice(&inner);
    let sequence = element(Tag(0x40, 0x275), b"SQ", item.len() as u32, &item);
    assert!(outline(&file(&[sequence])).unwrap_err().what.contains("(0040,0001)"));
    let mut nested = Vec::new();
    for _ in 0..100 {
        nested.extend(element(Tag(0x40, 0x275), b"SQ", UNDEFINED, &[0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]));
    }
    assert!(outline(&file(&[nested])).unwrap_err().what.contains("nested"));
}

#[test]
fn every_truncation_is_an_error_or_a_smaller_file() {
    let bytes = file(&[element(Tag(0x28, 0x10), b"US", 2, &[1, 0]), element(PIXEL_DATA, b"OW", 2, &[7, 0])]);
    let whole = (0..bytes.len()).filter(|&cut| outline(&bytes[..cut]).is_ok_and(|found| found.is_some())).count();
    // After the magic, after the meta group, and after Rows: three places where the structure is complete.
    assert_eq!(whole, 3);
}
