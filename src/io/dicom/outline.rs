//! A walk over the element headers of a DICOM file before the library sees it: every declared length is held against what
//! is left of the file, so that a damaged or hostile length costs no memory (dicom-object allocates what a header says).
//! Of the values only those pass that the [`door`](super::door) admits.
//!
//! Syntax after DICOM PS3.5, chapter 7 and annex A.

use std::{borrow::Cow, ops::Range};

use dicom_core::{DataDictionary as _, Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use super::door::{self, Admitted, Room};
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
    /// Whether the words of the data set are big-endian.
    pub(super) big: bool,
    /// Fragments of compressed pixel data, the table of offsets first.
    pub(super) fragments: Vec<Range<usize>>,
    /// Admitted values: where they are in the data set.
    found: Vec<(Room, Tag, Range<usize>)>,
}

impl Outline<'_> {
    /// Returns the values that may enter the program.
    pub(super) fn admitted(&self) -> Admitted<'_> {
        let mut admitted = Admitted::new(self.big);
        for (room, tag, range) in &self.found {
            admitted.offer(*room, *tag, self.dataset.get(range.clone()).unwrap_or_default());
        }
        admitted.settle();
        admitted
    }

    /// Returns the pixel data as it is stored; nothing when it is compressed, and so in fragments.
    pub(super) fn native(&self) -> Option<&[u8]> {
        let (_, _, range) = self.found.iter().find(|(room, tag, _)| *room == Room::File && *tag == PIXEL_DATA)?;
        self.dataset.get(range.clone())
    }
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
/// Admitted elements of one file: real ones have about six a frame.
const MOST_FOUND: usize = 1 << 17;
/// What a deflated data set may inflate to, whatever its length, and a compressed byte.
const MOST_INFLATED: usize = 512 << 20;
const INFLATED_A_BYTE: usize = 200;
const INFLATED_ANYWAY: usize = 1 << 20;

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
    outline_through(bytes, door::admits)
}

/// As [`outline`], with a door of choice: a test opens it to show that the search for what leaks would find it.
pub(super) fn outline_through(bytes: &[u8], admits: fn(Tag) -> bool) -> Walk<Option<Outline<'_>>> {
    let start = match bytes {
        _ if bytes.get(128..132) == Some(b"DICM") => 132,
        _ if bytes.starts_with(b"DICM") => 4,
        _ if looks_bare(bytes) => 0,
        _ => return Ok(None),
    };
    let mut walker =
        Walker { bytes, at: start, explicit: true, big: false, fragments: Vec::new(), found: Vec::new(), admits };
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
    let big = syntax == BIG_ENDIAN;
    let mut walker = Walker { bytes: &dataset, at: 0, explicit, big, fragments: Vec::new(), found: Vec::new(), admits };
    let pixel_data = walker.dataset().map_err(|broken| Broken { offset: broken.offset + shift, ..broken })?;
    let (fragments, found) = (walker.fragments, walker.found);
    Ok(Some(Outline { syntax, pixel_data, big, fragments, found, dataset }))
}

fn inflate(packed: &[u8], offset: usize) -> Walk<Vec<u8>> {
    let most = packed.len().saturating_mul(INFLATED_A_BYTE).saturating_add(INFLATED_ANYWAY);
    gzip::inflate_all_raw(packed, most.min(MOST_INFLATED))
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
    fragments: Vec<Range<usize>>,
    found: Vec<(Room, Tag, Range<usize>)>,
    admits: fn(Tag) -> bool,
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
            self.skip(&element, 0, Room::File)?;
        }
        Ok(pixel_data)
    }

    fn skip(&mut self, element: &Element, depth: usize, room: Room) -> Walk<()> {
        if depth > MOST_DEPTH {
            return self.broken(format!("sequences are nested more than {MOST_DEPTH} deep"), element.at);
        }
        if element.length == UNDEFINED {
            if element.tag == PIXEL_DATA {
                return self.fragments(room);
            }
            self.note(room, element.tag, self.at..self.at);
            // Unknown elements of undefined length are implicit sequences, whatever the syntax (PS3.5, 6.2.2).
            let inside = self.explicit && element.vr != Some(*b"UN");
            let explicit = std::mem::replace(&mut self.explicit, inside);
            let result = self.items(usize::MAX, depth, (room, element.tag));
            self.explicit = explicit;
            return result;
        }
        if self.found.len() > MOST_FOUND {
            return self.broken("the file repeats elements without end", element.at);
        }
        let start = self.at;
        self.value(element)?;
        self.note(room, element.tag, start..self.at);
        if is_sequence(element) {
            let end = std::mem::replace(&mut self.at, start);
            self.items(end, depth, (room, element.tag))?;
            self.at = end;
        }
        Ok(())
    }

    /// Keeps the place of a value that the door may admit; the door decides.
    fn note(&mut self, room: Room, tag: Tag, value: Range<usize>) {
        if room != Room::Elsewhere && ((self.admits)(tag) || matches!(room, Room::Groups(_)) || tag == PIXEL_DATA) {
            self.found.push((room, tag, value));
        }
    }

    /// Walks the items of a sequence up to `end`, or to its delimiter.
    fn items(&mut self, end: usize, depth: usize, (room, sequence): (Room, Tag)) -> Walk<()> {
        let mut index = 0;
        while self.at < end {
            let item = self.header()?;
            let inside = room.inside(sequence, index);
            index += 1;
            match item.tag {
                SEQUENCE_END => return Ok(()),
                ITEM if item.length == UNDEFINED => self.item(usize::MAX, depth, inside)?,
                ITEM => {
                    let start = self.at;
                    self.value(&item)?;
                    let end = std::mem::replace(&mut self.at, start);
                    self.item(end, depth, inside)?;
                    self.at = end;
                }
                _ => return self.broken("a sequence holds something that is no item", item.at),
            }
        }
        Ok(())
    }

    fn item(&mut self, end: usize, depth: usize, room: Room) -> Walk<()> {
        while self.at < end {
            let element = self.header()?;
            if element.tag == ITEM_END {
                return Ok(());
            }
            self.skip(&element, depth + 1, room)?;
        }
        Ok(())
    }

    fn fragments(&mut self, room: Room) -> Walk<()> {
        loop {
            let item = self.header()?;
            match item.tag {
                SEQUENCE_END => return Ok(()),
                ITEM => {
                    let start = self.at;
                    self.value(&item)?;
                    if room == Room::File && self.fragments.len() <= MOST_FOUND {
                        self.fragments.push(start..self.at);
                    }
                }
                _ => return self.broken("the compressed pixel data holds something that is no fragment", item.at),
            }
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
#[path = "outline_tests.rs"]
mod tests;
