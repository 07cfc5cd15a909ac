//! The door: the tags of a file that enter the program. Geometry, pixel format and rescale, and what is needed to refuse a
//! file; of text only codes, and two identifiers that are compared and go nowhere. No name, date, comment, private tag or
//! unknown tag is looked at, at any depth.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

/// Every tag that enters.
const ADMITTED: [Tag; 24] = [
    // What it is: told apart, refused by name.
    tags::MODALITY,
    tags::BURNED_IN_ANNOTATION,
    tags::MODALITY_LUT_SEQUENCE,
    tags::SERIES_INSTANCE_UID,
    tags::SERIES_NUMBER,
    // Where it lies.
    tags::IMAGE_POSITION_PATIENT,
    tags::IMAGE_ORIENTATION_PATIENT,
    tags::PIXEL_SPACING,
    tags::SLICE_THICKNESS,
    // How its samples are stored.
    tags::NUMBER_OF_FRAMES,
    tags::SAMPLES_PER_PIXEL,
    tags::PHOTOMETRIC_INTERPRETATION,
    tags::PLANAR_CONFIGURATION,
    tags::ROWS,
    tags::COLUMNS,
    tags::BITS_ALLOCATED,
    tags::BITS_STORED,
    tags::HIGH_BIT,
    tags::PIXEL_REPRESENTATION,
    // What they mean.
    tags::PIXEL_PADDING_VALUE,
    tags::PIXEL_PADDING_RANGE_LIMIT,
    tags::RESCALE_SLOPE,
    tags::RESCALE_INTERCEPT,
    tags::RESCALE_TYPE,
];

/// Returns whether a tag may enter.
pub(super) fn admits(tag: Tag) -> bool {
    ADMITTED.contains(&tag)
}

/// The functional groups of an enhanced image (PS3.3, C.7.6.16) whose members are of [`ADMITTED`].
const GROUPS: [Tag; 4] = [
    tags::PLANE_POSITION_SEQUENCE,
    tags::PLANE_ORIENTATION_SEQUENCE,
    tags::PIXEL_MEASURES_SEQUENCE,
    tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE,
];

/// Where in a data set an element is, as far as the door cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Outermost.
    File,
    /// In an item of the shared functional groups, or of those of one frame (from 0).
    Groups(Option<usize>),
    /// In one of the admitted groups of these.
    Group(Option<usize>),
    /// In any other sequence: nothing enters from there.
    Elsewhere,
}

impl Room {
    /// Returns where the elements of item `index` of a sequence in this room are.
    pub(super) fn inside(self, sequence: Tag, index: usize) -> Self {
        match self {
            Self::File if sequence == tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE => Self::Groups(None),
            Self::File if sequence == tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE => Self::Groups(Some(index)),
            Self::Groups(frame) if GROUPS.contains(&sequence) => Self::Group(frame),
            _ => Self::Elsewhere,
        }
    }
}

/// A value that entered.
#[derive(Debug)]
struct Entered<'a> {
    frame: Option<usize>,
    tag: Tag,
    value: &'a [u8],
}

/// The values that entered, and nothing else of a file.
#[derive(Debug, Default)]
pub(super) struct Admitted<'a> {
    entered: Vec<Entered<'a>>,
    /// Whether numbers are big-endian.
    big: bool,
    /// Number of items in the functional groups of single frames.
    pub(super) frames: usize,
}

impl<'a> Admitted<'a> {
    /// Returns the door of a data set, with nothing through it yet.
    pub(super) fn new(big: bool) -> Self {
        Self { big, ..Self::default() }
    }

    /// Lets a value in, if it is where values enter from; the walk offers those only that [`admits`] knows.
    pub(super) fn offer(&mut self, room: Room, tag: Tag, value: &'a [u8]) {
        let frame = match room {
            Room::File | Room::Group(None) => None,
            Room::Group(frame) => frame,
            Room::Groups(frame) => {
                self.frames = self.frames.max(frame.map_or(0, |frame| frame + 1));
                return;
            }
            Room::Elsewhere => return,
        };
        self.entered.push(Entered { frame, tag, value });
    }

    /// Brings the values in an order in which they are found quickly: by frame, then by tag.
    pub(super) fn settle(&mut self) {
        self.entered.sort_by_key(|entered| (entered.frame, entered.tag));
    }

    /// Returns the value of a tag for a frame: its own, else the one that all frames share.
    pub(super) fn value(&self, frame: usize, tag: Tag) -> Option<&'a [u8]> {
        let of = |frame: Option<usize>| {
            let at = self.entered.binary_search_by_key(&(frame, tag), |entered| (entered.frame, entered.tag)).ok()?;
            self.entered.get(at).map(|entered| entered.value)
        };
        of(Some(frame)).or_else(|| of(None))
    }

    /// Returns a text without its padding.
    pub(super) fn text(&self, frame: usize, tag: Tag) -> Option<&'a str> {
        let text = std::str::from_utf8(self.value(frame, tag)?).ok()?;
        Some(text.trim_matches(['\0', ' ']))
    }

    /// Returns a 16-bit word.
    pub(super) fn word(&self, frame: usize, tag: Tag) -> Option<i64> {
        let word = *self.value(frame, tag)?.first_chunk::<2>()?;
        Some(i64::from(if self.big { u16::from_be_bytes(word) } else { u16::from_le_bytes(word) }))
    }

    /// Returns a whole number written in decimals.
    pub(super) fn whole(&self, frame: usize, tag: Tag) -> Option<i64> {
        self.text(frame, tag)?.trim_start_matches('+').parse().ok()
    }

    /// Returns exactly `N` finite decimal numbers.
    pub(super) fn numbers<const N: usize>(&self, frame: usize, tag: Tag) -> Option<[f64; N]> {
        let mut parts = self.text(frame, tag)?.split('\\');
        let mut out = [0.0; N];
        for value in &mut out {
            *value = parts.next()?.trim_matches(['\0', ' ']).parse().ok().filter(|v: &f64| v.is_finite())?;
        }
        parts.next().is_none().then_some(out)
    }

    /// Returns every byte that entered, for the test that looks for what must not.
    #[cfg(test)]
    pub(super) fn everything(&self) -> Vec<u8> {
        self.entered.iter().flat_map(|entered| entered.value).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frames_own_value_goes_before_the_shared_one() {
        let mut admitted = Admitted::default();
        admitted.offer(Room::Groups(Some(1)), tags::PLANE_POSITION_SEQUENCE, b"");
        admitted.offer(Room::Group(Some(1)), tags::RESCALE_SLOPE, b"2.5 ");
        admitted.offer(Room::File, tags::RESCALE_SLOPE, b"1\0");
        admitted.offer(Room::Elsewhere, tags::RESCALE_INTERCEPT, b"7");
        admitted.offer(Room::File, tags::PIXEL_SPACING, b"0.5\\ 0.75 ");
        admitted.settle();
        assert_eq!((admitted.numbers(0, tags::RESCALE_SLOPE), admitted.frames), (Some([1.0]), 2));
        assert_eq!(admitted.numbers(1, tags::RESCALE_SLOPE), Some([2.5]));
        assert_eq!(admitted.numbers(1, tags::PIXEL_SPACING), Some([0.5, 0.75]));
        assert_eq!(admitted.numbers::<3>(1, tags::PIXEL_SPACING), None);
        assert_eq!(admitted.value(0, tags::RESCALE_INTERCEPT), None);
        assert!(!admits(tags::PATIENT_NAME) && !admits(tags::STUDY_DATE) && !admits(Tag(0x0009, 0x1001)));
    }

    #[test]
    fn rooms_follow_the_functional_groups_only() {
        let frame = Room::File.inside(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, 3);
        assert_eq!(frame.inside(tags::PLANE_POSITION_SEQUENCE, 0), Room::Group(Some(3)));
        assert_eq!(frame.inside(tags::FRAME_CONTENT_SEQUENCE, 0), Room::Elsewhere);
        assert_eq!(Room::File.inside(tags::PLANE_POSITION_SEQUENCE, 0), Room::Elsewhere);
        assert_eq!(Room::Elsewhere.inside(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, 0), Room::Elsewhere);
    }
}
