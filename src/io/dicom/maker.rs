//! DICOM files made element by element, in any syntax, for tests.

use std::io::Write as _;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

/// How a data set is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Implicit,
    Explicit,
    Deflated,
    BigEndian,
}

impl Syntax {
    pub(super) const ALL: [Self; 4] = [Self::Implicit, Self::Explicit, Self::Deflated, Self::BigEndian];

    fn uid(self) -> &'static str {
        match self {
            Self::Implicit => "1.2.840.10008.1.2",
            Self::Explicit => "1.2.840.10008.1.2.1",
            Self::Deflated => "1.2.840.10008.1.2.1.99",
            Self::BigEndian => "1.2.840.10008.1.2.2",
        }
    }

    fn short(self, value: u16) -> [u8; 2] {
        if self == Self::BigEndian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn long(self, value: u32) -> [u8; 4] {
        if self == Self::BigEndian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn tag(self, tag: Tag) -> Vec<u8> {
        [self.short(tag.0), self.short(tag.1)].concat()
    }

    /// Returns an element; a value of odd length is padded.
    pub(super) fn element(self, tag: Tag, vr: &str, value: &[u8]) -> Vec<u8> {
        let mut value = value.to_vec();
        if value.len() % 2 == 1 {
            value.push(if vr == "UI" || vr == "OB" { 0 } else { b' ' });
        }
        let mut out = self.tag(tag);
        if self == Self::Implicit {
            out.extend(self.long(value.len() as u32));
        } else {
            out.extend_from_slice(vr.as_bytes());
            if ["OB", "OW", "SQ", "UN", "UT"].contains(&vr) {
                out.extend_from_slice(&[0, 0]);
                out.extend(self.long(value.len() as u32));
            } else {
                out.extend(self.short(value.len() as u16));
            }
        }
        out.extend(value);
        out
    }

    pub(super) fn text(self, tag: Tag, vr: &str, value: &str) -> Vec<u8> {
        self.element(tag, vr, value.as_bytes())
    }

    pub(super) fn word(self, tag: Tag, value: u16) -> Vec<u8> {
        self.element(tag, "US", &self.short(value))
    }

    pub(super) fn words(self, tag: Tag, values: &[u16]) -> Vec<u8> {
        let bytes: Vec<u8> = values.iter().flat_map(|&value| self.short(value)).collect();
        self.element(tag, "OW", &bytes)
    }

    pub(super) fn sequence(self, tag: Tag, items: &[Vec<u8>]) -> Vec<u8> {
        let item = |content: &Vec<u8>| {
            [self.tag(Tag(0xFFFE, 0xE000)), self.long(content.len() as u32).to_vec(), content.clone()].concat()
        };
        self.element(tag, "SQ", &items.iter().flat_map(item).collect::<Vec<u8>>())
    }

    /// Returns a file of a data set: preamble, meta group, data set.
    pub(super) fn file(self, dataset: &[u8]) -> Vec<u8> {
        let mut out = vec![0; 128];
        out.extend_from_slice(b"DICM");
        out.extend(Self::Explicit.text(Tag(2, 0x10), "UI", self.uid()));
        if self == Self::Deflated {
            let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(6));
            packer.write_all(dataset).unwrap();
            out.extend(packer.finish().unwrap());
        } else {
            out.extend_from_slice(dataset);
        }
        out
    }

    /// Returns what every image of these tests says of itself.
    pub(super) fn image(self, [columns, rows]: [u16; 2], signed: bool) -> Vec<u8> {
        [
            self.text(tags::SERIES_INSTANCE_UID, "UI", "1.2.3"),
            self.word(tags::SAMPLES_PER_PIXEL, 1),
            self.text(tags::PHOTOMETRIC_INTERPRETATION, "CS", "MONOCHROME2"),
            self.word(tags::ROWS, rows),
            self.word(tags::COLUMNS, columns),
            self.word(tags::BITS_ALLOCATED, 16),
            self.word(tags::BITS_STORED, 16),
            self.word(tags::HIGH_BIT, 15),
            self.word(tags::PIXEL_REPRESENTATION, u16::from(signed)),
        ]
        .concat()
    }
}
