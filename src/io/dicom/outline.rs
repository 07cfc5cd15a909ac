//! A walk over the element headers of a DICOM file before the library sees it: every declared length is held against what
//! is left of the file, so that a damaged or hostile length costs no memory (dicom-object allocates what a header says).
//!
//! Syntax after DICOM PS3.5, chapter 7 and annex A. No value is looked at but the transfer syntax and the lengths.

use std::borrow::Cow;

use dicom_core::{DataDictionary as _, Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use crate::io::gzip;

/// Where things are in a file.
#[derive(Debug)]
pub(super) struct Outline<'a> {
    /// UID of the transfer syntax that `dataset` is in.
    pub(super) syntax: String,
    /// The data set after the file meta group, inflated where the file is deflated.
    pub(super) dataset: Cow<'a, [u8]>,
    /// Offset of the element Pixel Data in the data set.
    pub(super) pixel_data: Option<usize>,
}

/// What is wrong with a file, and at which byte of it (of the inflated data set for deflated files).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) what: String,
    pub(super) offset: usize,
}

type Walk<T> = std::result::Result<T, Broken>;

const IMPLICIT: &str = "1.2.840.10008.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

const UNDEFINED: u32 = u32::MAX;
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);
const PIXEL_DATA: Tag = Tag(0x7FE0, 0x0010);
/// Sequences in sequences: real files have four or five.
const MOST_DEPTH: usize = 32;
/// What a deflated header and image may inflate to.
const MOST_INFLATED: usize = 512 << 20;

/// Returns whether the bytes begin like a DICOM file without the usual 128-byte preamble: with the file meta group, or
/// bare with the identifying group.
pub(in crate::io) fn looks_bare(head: &[u8]) -> bool {
    let Some(&[g0, g1, e0, e1, a, b, c, d]) = head.first_chunk::<8>() else { return false };
    let (group, element) = (u16::from_le_bytes([g0, g1]), u16::from_le_bytes([e0, e1]));
    let explicit = matches!(&[a, b], b"UL" | b"CS" | b"UI" | b"DA" | b"TM" | b"OB" | b"LO");
    let implicit = u32::from_le_bytes([a, b, c, d]) <= 64;
    match (group, element) {
        (2, 0 | 1 | 0x10) => explicit,
        (8, 0 | 1 | 5 | 8 | 0x12 | 0x16 | 0x18) => explicit || implicit,
        _ => false,
    }
}

/// Returns the outline of a file, or nothing when it is no DICOM file at all.
///
/// # Errors
/// When a length reaches beyond the end of the file or the element structure makes no sense.
pub(super) fn outline(bytes: &[u8]) -> Walk<Option<Outline<'_>>> {
    let start = match bytes {
        _ if bytes.get(128..132) == Some(b"DICM") => 132,
        _ if bytes.starts_with(b"DICM") => 4,
        _ if looks_bare(bytes) => 0,
        _ => return Ok(None),
    };
    let mut walker = Walker { bytes, at: start, explicit: true, big: false };
    let mut syntax = None;
    while walker.peek_group() == Some(2) {
        let element = walker.header()?;
        let value = walker.value(&element)?;
        if element.tag == Tag(2, 0x10) {
            syntax = Some(String::from_utf8_lossy(value).trim_end_matches(['\0', ' ']).to_owned());
        }
    }
    let start = walker.at;
    let syntax = match syntax {
        Some(syntax) => syntax,
        // Without file meta, an explicit data set shows a value representation in letters after the first tag.
        None if bytes.get(start + 4..start + 6).is_some_and(|vr| vr.iter().all(u8::is_ascii_uppercase)) => {
            EXPLICIT.to_owned()
        }
        None => IMPLICIT.to_owned(),
    };
    let (syntax, dataset) = if syntax == DEFLATED {
        (EXPLICIT.to_owned(), Cow::Owned(inflate(&bytes[start..], start)?))
    } else {
        (syntax, Cow::Borrowed(&bytes[start..]))
    };
    // Offsets in messages count from the beginning of the file, where there is one.
    let shift = if matches!(dataset, Cow::Borrowed(_)) { start } else { 0 };
    let explicit = syntax != IMPLICIT;
    let mut walker = Walker { bytes: &dataset, at: 0, explicit, big: syntax == BIG_ENDIAN };
    let pixel_data = walker.dataset().map_err(|broken| Broken { offset: broken.offset + shift, ..broken })?;
    Ok(Some(Outline { syntax, pixel_data, dataset }))
}

fn inflate(packed: &[u8], offset: usize) -> Walk<Vec<u8>> {
    gzip::inflate_all_raw(packed, MOST_INFLATED)
        .ok_or_else(|| Broken { what: "the deflated data set is damaged or too large".to_owned(), offset })
}

struct Element {
    tag: Tag,
    /// Nothing in implicit syntax.
    vr: Option<[u8; 2]>,
    length: u32,
    /// Offset of the element's tag.
    at: usize,
}

struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
    explicit: bool,
    big: bool,
}

impl<'a> Walker<'a> {
    fn broken<T>(&self, what: impl Into<String>, offset: usize) -> Walk<T> {
        Err(Broken { what: what.into(), offset })
    }

    fn take<const N: usize>(&mut self) -> Walk<[u8; N]> {
        match self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()) {
            Some(word) => {
                self.at += N;
                Ok(*word)
            }
            None => self.broken("the file ends within an element", self.at),
        }
    }

    fn short(&mut self) -> Walk<u16> {
        self.take().map(|word| if self.big { u16::from_be_bytes(word) } else { u16::from_le_bytes(word) })
    }

    fn long(&mut self) -> Walk<u32> {
        self.take().map(|word| if self.big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) })
    }

    fn peek_group(&self) -> Option<u16> {
        let word = *self.bytes.get(self.at..)?.first_chunk::<2>()?;
        Some(if self.big { u16::from_be_bytes(word) } else { u16::from_le_bytes(word) })
    }

    fn header(&mut self) -> Walk<Element> {
        let at = self.at;
        let tag = Tag(self.short()?, self.short()?);
        if tag.0 == 0xFFFE || !self.explicit {
            return Ok(Element { tag, vr: None, length: self.long()?, at });
        }
        let vr = self.take::<2>()?;
        if !vr.iter().all(u8::is_ascii_uppercase) {
            return self.broken(format!("element ({:04X},{:04X}) has no value representation", tag.0, tag.1), at);
        }
        let wide = matches!(
            &vr,
            b"OB" | b"OW" | b"OF" | b"OD" | b"OL" | b"OV" | b"SQ" | b"UC" | b"UR" | b"UT" | b"UN" | b"SV" | b"UV"
        );
        let length = if wide {
            self.take::<2>()?;
            self.long()?
        } else {
            u32::from(self.short()?)
        };
        Ok(Element { tag, vr: Some(vr), length, at })
    }

    /// Steps over a value of defined length.
    fn value(&mut self, element: &Element) -> Walk<&'a [u8]> {
        match self.at.checked_add(element.length as usize).and_then(|end| self.bytes.get(self.at..end)) {
            Some(value) if element.length != UNDEFINED => {
                self.at += value.len();
                Ok(value)
            }
            _ => {
                let (group, number) = (element.tag.0, element.tag.1);
                let left = self.bytes.len() - self.at;
                self.broken(
                    format!(
                        "element ({group:04X},{number:04X}) declares {} bytes, {left} are left in the file",
                        element.length
                    ),
                    element.at,
                )
            }
        }
    }

    /// Walks the whole data set; returns where the pixel data is.
    fn dataset(&mut self) -> Walk<Option<usize>> {
        let mut pixel_data = None;
        while self.at < self.bytes.len() {
            // Some writers pad the end with zeros.
            if self.bytes[self.at..].iter().take(64).all(|&byte| byte == 0) {
                break;
            }
            let element = self.header()?;
            if element.tag == PIXEL_DATA {
                pixel_data = Some(element.at);
            }
            self.skip(&element, 0)?;
        }
        Ok(pixel_data)
    }

    fn skip(&mut self, element: &Element, depth: usize) -> Walk<()> {
        if depth > MOST_DEPTH {
            return self.broken(format!("sequences are nested more than {MOST_DEPTH} deep"), element.at);
        }
        if element.length == UNDEFINED {
            if element.tag == PIXEL_DATA {
                return self.fragments();
            }
            // Unknown elements of undefined length are implicit sequences, whatever the syntax (PS3.5, 6.2.2).
            let inside = self.explicit && element.vr != Some(*b"UN");
            let explicit = std::mem::replace(&mut self.explicit, inside);
            let result = self.items(usize::MAX, depth);
            self.explicit = explicit;
            return result;
        }
        let start = self.at;
        self.value(element)?;
        if is_sequence(element) {
            let end = std::mem::replace(&mut self.at, start);
            self.items(end, depth)?;
            self.at = end;
        }
        Ok(())
    }

    /// Walks the items of a sequence up to `end`, or to its delimiter.
    fn items(&mut self, end: usize, depth: usize) -> Walk<()> {
        while self.at < end {
            let item = self.header()?;
            match item.tag {
                SEQUENCE_END => return Ok(()),
                ITEM if item.length == UNDEFINED => self.item(usize::MAX, depth)?,
                ITEM => {
                    let start = self.at;
                    self.value(&item)?;
                    let end = std::mem::replace(&mut self.at, start);
                    self.item(end, depth)?;
                }
                _ => return self.broken("a sequence holds something that is no item", item.at),
            }
        }
        Ok(())
    }

    fn item(&mut self, end: usize, depth: usize) -> Walk<()> {
        while self.at < end {
            let element = self.header()?;
            if element.tag == ITEM_END {
                return Ok(());
            }
            self.skip(&element, depth + 1)?;
        }
        Ok(())
    }

    fn fragments(&mut self) -> Walk<()> {
        loop {
            let item = self.header()?;
            match item.tag {
                SEQUENCE_END => return Ok(()),
                ITEM => self.value(&item)?,
                _ => return self.broken("the compressed pixel data holds something that is no fragment", item.at),
            };
        }
    }
}

fn is_sequence(element: &Element) -> bool {
    match element.vr {
        Some(vr) => vr == *b"SQ",
        None => StandardDataDictionary.by_tag(element.tag).is_some_and(|entry| entry.vr.exact() == Some(VR::SQ)),
    }
}

#[cfg(test)]
mod tests {
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
            nested.extend(element(
                Tag(0x40, 0x275),
                b"SQ",
                UNDEFINED,
                &[0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF],
            ));
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
}
