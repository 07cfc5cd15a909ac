//! The samples of a NRRD or MetaImage: in which files, after which bytes, packed how.

use super::{
    input::{Input, Part},
    packed::{self, Packing},
    raw::{self, Sample},
    text,
};
use crate::fault::{Fault, Result};

/// More files than this are not one scan.
pub(super) const MOST_FILES: usize = 1 << 16;

/// How samples are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Raw,
    /// Decimal numbers.
    Text,
    Packed(Packing),
}

/// Where the samples are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the file of the header, after it.
    Attached,
    /// In other files, in this order, as many bytes in each.
    Files(Vec<String>),
}

/// What a header says of its samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Samples {
    pub(super) sample: Sample,
    pub(super) encoding: Encoding,
    /// Lines before the data.
    pub(super) line_skip: usize,
    /// Bytes before the data; of packed data, bytes of its content. -1: all but the last that are needed.
    pub(super) byte_skip: i64,
    /// Bytes of the stored file before the data.
    pub(super) file_skip: usize,
}

impl Samples {
    /// Returns `count` bytes of samples as values, and whether more follows than the header declares. They are in `own`
    /// from `data_at`, or in the files that `beside` opens.
    ///
    /// # Errors
    /// Unfit when a file is missing, too short, or damaged.
    pub(super) fn read<'a>(
        &self,
        place: &Place,
        (own, data_at): (&Input<'_>, usize),
        beside: &dyn Fn(&str) -> Result<Input<'a>>,
        count: usize,
    ) -> Result<(Vec<f32>, bool)> {
        let names = match place {
            Place::Attached => return self.file(own, data_at, count),
            Place::Files(names) => names,
        };
        if let [name] = names.as_slice() {
            return self.file(&beside(name)?, 0, count);
        }
        let each = count / names.len().max(1);
        if each * names.len() != count || !each.is_multiple_of(self.sample.scalar.bytes()) {
            return Err(Fault::unfit(format!("{count} bytes of data do not part evenly into {} files", names.len())));
        }
        // Memory is taken as the files turn out to hold what is declared.
        let (mut values, mut longer) = (Vec::new(), false);
        for (index, name) in names.iter().enumerate() {
            let nth = |fault: Fault| fault.at(format!("data file {} of {}", index + 1, names.len()));
            let (of_file, more) = beside(name).and_then(|input| self.file(&input, 0, each)).map_err(nth)?;
            values.extend_from_slice(&of_file);
            longer |= more;
        }
        Ok((values, longer))
    }

    fn file(&self, stored: &Input<'_>, data_at: usize, count: usize) -> Result<(Vec<f32>, bool)> {
        let from = data_at.saturating_add(self.file_skip).min(stored.len());
        if self.line_skip == 0 && self.encoding != Encoding::Text {
            let part = stored.part(from..stored.len()).ok_or_else(|| short(0, count))?;
            return self.part(part, count);
        }
        let all = stored.all()?;
        let bytes = skip_lines(all.get(from..).unwrap_or_default(), self.line_skip)?;
        self.part(Part::Memory(bytes), count)
    }

    fn part(&self, part: Part<'_>, count: usize) -> Result<(Vec<f32>, bool)> {
        // In raw data -1 means the last bytes of the file; in the others only a skip forwards has a meaning.
        let forwards = || {
            usize::try_from(self.byte_skip)
                .map_err(|_| Fault::unfit(format!("the byte skip {} needs raw data", self.byte_skip)))
        };
        match self.encoding {
            Encoding::Raw => {
                let from = after_skip(part.len(), self.byte_skip, count)?;
                let values = raw::decode(part.piece(from..from + count), self.sample)?;
                Ok((values, self.byte_skip == 0 && part.len() > count))
            }
            Encoding::Packed(packing) => packed::decode(part, packing, [forwards()?, count], self.sample),
            Encoding::Text => {
                let Part::Memory(text) = part else { return Err(Fault::unfit("the numbers are not in memory")) };
                let text = text.get(forwards()?..).unwrap_or_default();
                let scalar = self.sample.scalar;
                Ok((text::decode(text, scalar, count / scalar.bytes())?, false))
            }
        }
    }
}

/// Returns the names that a pattern gives for numbers from `first` to `last`: `slice%03d.raw`.
///
/// # Errors
/// Unfit when the pattern is not one `%d`, perhaps with zeros and a width, or gives too many names.
pub(super) fn names(pattern: &str, first: i64, last: i64, step: i64) -> Result<Vec<String>> {
    let senseless = || Fault::unfit("the pattern of file names needs one number like %d or %03d");
    let (before, rest) = pattern.split_once('%').ok_or_else(senseless)?;
    let (format, after) = rest.split_once('d').ok_or_else(senseless)?;
    let width: usize = if format.is_empty() { 0 } else { format.parse().map_err(|_| senseless())? };
    if after.contains('%') || width > 20 || !format.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(senseless());
    }
    let steps = last.checked_sub(first).filter(|_| step != 0).map(|apart| apart / step);
    let count = steps.filter(|&steps| (0..MOST_FILES as i64).contains(&steps)).ok_or_else(|| {
        Fault::unfit(format!(
            "numbers from {first} to {last} in steps of {step} are no list of at most {MOST_FILES} files"
        ))
    })?;
    let zeros = format.starts_with('0');
    let name = |index: i64| {
        let number = first + index * step;
        if zeros { format!("{before}{number:0width$}{after}") } else { format!("{before}{number:width$}{after}") }
    };
    Ok((0..=count).map(name).collect())
}

/// Returns the names in a text, one a line.
///
/// # Errors
/// Unfit when there are too many, or they are no text.
pub(super) fn listed(text: &[u8]) -> Result<Vec<String>> {
    let lines = text.split(|&byte| byte == b'\n').map(|line| line.trim_ascii()).filter(|line| !line.is_empty());
    let mut names = Vec::new();
    for line in lines {
        if names.len() >= MOST_FILES {
            return Err(Fault::unfit(format!("the header names more than {MOST_FILES} data files")));
        }
        names.push(String::from_utf8(line.to_vec()).map_err(|_| Fault::unfit("a data file's name is no text"))?);
    }
    Ok(names)
}

/// Holds the number of files against the sizes: a file for each step along the axes from `inside` on, or, where each file
/// has as many axes as the image, a share of the last axis.
///
/// # Errors
/// Unfit with both numbers.
pub(super) fn counted(files: usize, size: [usize; 3], inside: usize) -> Result<()> {
    let wanted = size.iter().skip(inside).try_fold(1_usize, |product, &side| product.checked_mul(side));
    let fits = if inside >= 3 { files > 0 && size[2].is_multiple_of(files) } else { wanted == Some(files) };
    if fits {
        return Ok(());
    }
    Err(Fault::unfit(format!("the header names {files} data files, which do not make up {size:?} voxels"))
        .hint("the list of files is incomplete, or the header is another image's"))
}

fn skip_lines(bytes: &[u8], lines: usize) -> Result<&[u8]> {
    (0..lines).try_fold(bytes, |rest, _| match rest.iter().position(|&byte| byte == b'\n') {
        Some(end) => Ok(&rest[end + 1..]),
        None => Err(Fault::unfit(format!("the data has fewer lines than the {lines} that the header skips"))),
    })
}

/// Returns where `count` bytes begin after a skip, among so many; -1 means the last `count` bytes.
fn after_skip(held: usize, skip: i64, count: usize) -> Result<usize> {
    let from = match skip {
        -1 => held.checked_sub(count).ok_or_else(|| short(held, count))?,
        skip => usize::try_from(skip).map_err(|_| Fault::unfit(format!("the byte skip {skip} is impossible")))?,
    };
    match from.checked_add(count) {
        Some(end) if end <= held => Ok(from),
        _ => Err(short(held, count)),
    }
}

fn short(held: usize, count: usize) -> Fault {
    Fault::unfit(format!("the header declares {count} bytes of data, the file has {held}"))
        .hint("the file is truncated: copy it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_give_names_in_order() {
        assert_eq!(names("a%03d.raw", 9, 11, 1).unwrap(), ["a009.raw", "a010.raw", "a011.raw"]);
        assert_eq!(names("%d", 4, 0, -2).unwrap(), ["4", "2", "0"]);
        assert_eq!(names("x%2d.d", 9, 10, 1).unwrap(), ["x 9.d", "x10.d"]);
        assert_eq!(names("a%d", 1, 6, 2).unwrap(), ["a1", "a3", "a5"], "the last step may end before the last number");
        for bad in ["a", "a%s", "a%d%d", "a%99d", "a%-3d", "a%+3d"] {
            assert!(names(bad, 1, 2, 1).is_err(), "{bad}");
        }
        for (first, last, step) in [(1, 2, 0), (2, 1, 1), (0, 1 << 40, 1), (i64::MIN, i64::MAX, 1)] {
            assert!(names("%d", first, last, step).is_err(), "{first} {last} {step}");
        }
    }

    #[test]
    fn files_are_counted_by_the_axes_that_they_stand_for() {
        let size = [4, 3, 6];
        assert!(counted(6, size, 2).is_ok() && counted(18, size, 1).is_ok() && counted(3, size, 3).is_ok());
        assert!(counted(5, size, 2).is_err() && counted(4, size, 3).is_err() && counted(0, size, 3).is_err());
        assert_eq!(listed(b"a.raw\r\n\n b.raw \n").unwrap(), ["a.raw", "b.raw"]);
        assert!(listed(&b"a\n".repeat(MOST_FILES + 1)).is_err() && listed(b"\xff").is_err());
    }

    #[test]
    fn skips_count_from_either_end() {
        assert_eq!((after_skip(6, -1, 2).unwrap(), after_skip(6, 1, 2).unwrap()), (4, 1));
        assert!(after_skip(3, 2, 2).is_err() && after_skip(3, -2, 1).is_err() && after_skip(1, -1, 2).is_err());
        assert!(after_skip(3, i64::MAX, usize::MAX).is_err());
        assert_eq!(skip_lines(b"a\nb\nc", 2).unwrap(), b"c");
        assert!(skip_lines(b"a", 1).is_err());
    }
}
