//! Zip archives as PyTorch writes them: read with every size checked before it is believed, written with stored entries.
//!
//! Source: PKWARE APPNOTE 6.3.10, sections 4.3 to 4.5.3 (ZIP64).

use std::{borrow::Cow, collections::BTreeMap, io::Read as _};

use flate2::{Crc, read::DeflateDecoder};

use super::cursor::{Cursor, shown};
use crate::fault::{Fault, Result};

const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const LOCAL: u32 = 0x0403_4b50;
/// The end record lies within this many bytes of the end: its own 22 and a comment.
const END_WITHIN: usize = 22 + 0xffff;
/// Most entries: a network of a thousand layers with its optimiser has some thousands.
const MOST_ENTRIES: usize = 100_000;
/// Most bytes that a packed entry may become.
const MOST_INFLATED: usize = 1 << 30;
/// Data begins at multiples of this, as PyTorch has it, so that a file can be mapped.
const ALIGNMENT: usize = 64;

/// Where an entry lies.
#[derive(Clone, Copy, Debug)]
struct Entry {
    method: u16,
    crc: u32,
    packed: usize,
    size: usize,
    header: usize,
}

/// The directory of an archive in memory.
#[derive(Clone, Debug)]
pub(super) struct Archive<'a> {
    bytes: &'a [u8],
    entries: BTreeMap<String, Entry>,
}

impl<'a> Archive<'a> {
    /// Reads the directory.
    ///
    /// # Errors
    /// Unfit when it is broken, does not fit the file, or names an entry twice.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self> {
        let (count, start) = directory(bytes)?;
        if count > MOST_ENTRIES {
            return Err(Fault::unfit(format!("the archive claims {count} entries: more than any checkpoint has")));
        }
        let mut cursor = Cursor::new(bytes, "the archive");
        cursor.seek(start);
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let at = cursor.at();
            let (name, entry) = central(&mut cursor)?;
            if entries.insert(name, entry).is_some() {
                return Err(cursor.fault(at, "the archive names an entry twice"));
            }
        }
        Ok(Self { bytes, entries })
    }

    /// Returns the names of all entries.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Returns the size of an entry when unpacked.
    pub(super) fn size(&self, name: &str) -> Option<usize> {
        self.entries.get(name).map(|entry| entry.size)
    }

    /// Returns the bytes of an entry, after their checksum was compared.
    ///
    /// # Errors
    /// Unfit when there is none of that name, or it is broken or encrypted.
    pub(super) fn read(&self, name: &str) -> Result<Cow<'a, [u8]>> {
        let entry = self
            .entries
            .get(name)
            .ok_or_else(|| Fault::unfit(format!("the archive has no entry `{}`", shown(name))))?;
        let mut cursor = Cursor::new(self.bytes, "the archive");
        cursor.seek(entry.header);
        if cursor.u32()? != LOCAL {
            return Err(
                cursor.fault(entry.header, format!("the archive's entry `{}` is not where it should be", shown(name)))
            );
        }
        cursor.take(22)?;
        let (name_length, extra) = (usize::from(cursor.u16()?), usize::from(cursor.u16()?));
        cursor.take(name_length + extra)?;
        let packed = cursor.take(entry.packed)?;
        let data = match entry.method {
            0 => Cow::Borrowed(packed),
            _ => Cow::Owned(inflate(packed, entry.size, name)?),
        };
        let mut crc = Crc::new();
        crc.update(&data);
        if data.len() != entry.size || crc.sum() != entry.crc {
            return Err(Fault::unfit(format!(
                "the archive's entry `{}` is damaged: its checksum differs",
                shown(name)
            ))
            .hint("copy or download the file again"));
        }
        Ok(data)
    }
}

fn inflate(packed: &[u8], size: usize, name: &str) -> Result<Vec<u8>> {
    if size > MOST_INFLATED {
        return Err(Fault::unfit(format!(
            "the archive's entry `{}` would unpack to {size} bytes: no network has so many",
            shown(name)
        )));
    }
    let mut data = Vec::new();
    let unpacked = DeflateDecoder::new(packed).take(size as u64).read_to_end(&mut data);
    unpacked.map_err(|error| Fault::unfit(format!("the archive's entry `{}` is damaged: {error}", shown(name))))?;
    Ok(data)
}

/// Returns the number of entries and where their list begins.
fn directory(bytes: &[u8]) -> Result<(usize, usize)> {
    let from = bytes.len().saturating_sub(END_WITHIN);
    let tail = bytes.get(from..).unwrap_or_default();
    let end = tail.windows(4).rposition(|window| window == END.to_le_bytes());
    let end = from + end.ok_or_else(|| Fault::unfit("the archive has no end record: the file is cut short"))?;
    let mut cursor = Cursor::new(bytes, "the archive");
    cursor.seek(end + 10);
    let (count, _size, start) = (usize::from(cursor.u16()?), cursor.u32()?, cursor.u32()?);
    let comment = usize::from(cursor.u16()?);
    cursor.take(comment)?;
    if count != 0xffff && start != u32::MAX {
        return Ok((count, start as usize));
    }
    cursor.seek(end.saturating_sub(20));
    let at = cursor.at();
    if cursor.u32()? != LOCATOR_64 {
        return Err(cursor.fault(at, "the archive's end record is not one"));
    }
    cursor.take(4)?;
    let end_64 = cursor.long_length()?;
    cursor.seek(end_64);
    if cursor.u32()? != END_64 {
        return Err(cursor.fault(end_64, "the archive's end record is not one"));
    }
    cursor.take(28)?;
    let count = cursor.long_length()?;
    cursor.take(8)?;
    Ok((count, cursor.long_length()?))
}

/// Reads one line of the directory.
fn central(cursor: &mut Cursor<'_>) -> Result<(String, Entry)> {
    let at = cursor.at();
    if cursor.u32()? != CENTRAL {
        return Err(cursor.fault(at, "the archive's directory is broken"));
    }
    cursor.take(4)?;
    let (flags, method) = (cursor.u16()?, cursor.u16()?);
    if flags & 1 != 0 || !matches!(method, 0 | 8) {
        return Err(cursor.fault(at, "an entry of the archive is encrypted, or packed in a way that no checkpoint is"));
    }
    cursor.take(4)?;
    let crc = cursor.u32()?;
    let (packed, size) = (cursor.length()?, cursor.length()?);
    let (name, extra, comment) = (usize::from(cursor.u16()?), usize::from(cursor.u16()?), usize::from(cursor.u16()?));
    cursor.take(8)?;
    let header = cursor.length()?;
    let bytes = cursor.take(name)?;
    let name = cursor.text(bytes, at)?.to_owned();
    let mut entry = Entry { method, crc, packed, size, header };
    large(cursor.take(extra)?, &mut entry)?;
    cursor.take(comment)?;
    if method == 0 && entry.size != entry.packed {
        return Err(cursor.fault(at, "an entry of the archive has two sizes"));
    }
    Ok((name, entry))
}

/// Replaces the numbers that did not fit 32 bits by those in the ZIP64 field.
fn large(extra: &[u8], entry: &mut Entry) -> Result<()> {
    let mut fields = Cursor::new(extra, "an entry's extra field");
    while fields.rest().len() >= 4 {
        let (id, length) = (fields.u16()?, usize::from(fields.u16()?));
        let mut field = Cursor::new(fields.take(length)?, "an entry's ZIP64 field");
        if id != 1 {
            continue;
        }
        for number in [&mut entry.size, &mut entry.packed, &mut entry.header] {
            if *number == u32::MAX as usize {
                *number = field.long_length()?;
            }
        }
    }
    Ok(())
}

/// Returns an archive of stored entries, in the order given, with no time in it: equal entries give equal bytes.
///
/// # Errors
/// Unfit when the archive would have 4 GiB or 65,535 entries: no network has.
pub(super) fn write(entries: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut archive = Vec::new();
    let mut list = Vec::new();
    for (name, data) in entries {
        let mut crc = Crc::new();
        crc.update(data);
        let mut common = vec![20, 0, 0, 8, 0, 0, 0, 0, 0x21, 0]; // version 2.0; UTF-8 names; stored; 1980-01-01
        for number in [crc.sum(), data.len() as u32, data.len() as u32] {
            common.extend(number.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        let header = archive.len();
        // A field of padding, at least its own four bytes.
        let unpadded = header + 30 + name.len() + 4;
        let padding = unpadded.next_multiple_of(ALIGNMENT) - unpadded;
        archive.extend(LOCAL.to_le_bytes());
        archive.extend(&common);
        archive.extend((padding as u16 + 4).to_le_bytes());
        archive.extend(name.as_bytes());
        archive.extend(b"FB");
        archive.extend((padding as u16).to_le_bytes());
        archive.extend(std::iter::repeat_n(b'Z', padding));
        archive.extend(data);
        list.extend(CENTRAL.to_le_bytes());
        list.extend([20, 0]);
        list.extend(&common);
        list.extend([0; 12]); // no extra field, comment, disk, attributes
        list.extend((header as u32).to_le_bytes());
        list.extend(name.as_bytes());
    }
    if archive.len() + list.len() >= u32::MAX as usize || entries.len() >= 0xffff {
        return Err(Fault::unfit("the network is too large for a checkpoint file"));
    }
    let (start, count) = (archive.len() as u32, entries.len() as u16);
    archive.extend(&list);
    archive.extend(END.to_le_bytes());
    archive.extend([0; 4]);
    archive.extend(count.to_le_bytes());
    archive.extend(count.to_le_bytes());
    archive.extend((list.len() as u32).to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0; 2]);
    Ok(archive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> Vec<u8> {
        write(&[("a/data.pkl".to_owned(), b"hello".to_vec()), ("a/data/0".to_owned(), vec![7; 100])]).unwrap()
    }

    #[test]
    fn what_was_written_is_read_and_lies_at_round_places() {
        let bytes = archive();
        let found = Archive::open(&bytes).unwrap();
        assert_eq!(found.names().collect::<Vec<_>>(), ["a/data.pkl", "a/data/0"]);
        assert_eq!((&*found.read("a/data.pkl").unwrap(), found.size("a/data/0")), (&b"hello"[..], Some(100)));
        let at = bytes.windows(100).position(|window| window == [7; 100]).unwrap();
        assert_eq!(at % ALIGNMENT, 0);
        assert!(found.read("b").is_err());
    }

    #[test]
    fn damaged_archives_are_refused_and_nothing_panics() {
        let bytes = archive();
        for cut in 0..bytes.len() {
            let read = Archive::open(&bytes[..cut]).and_then(|found| found.read("a/data/0").map(|data| data.len()));
            assert!(read.is_err(), "cut at {cut}");
        }
        let mut wrong = 0;
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0xff;
            let read = Archive::open(&damaged).and_then(|found| found.read("a/data/0").map(Cow::into_owned));
            wrong += usize::from(read.is_ok_and(|data| data != [7; 100]));
        }
        assert_eq!(wrong, 0, "no wrong data passes for right");
    }

    #[test]
    fn a_size_that_the_file_does_not_have_is_refused_before_anything_is_allocated() {
        let mut bytes = archive();
        let end = bytes.len() - 22;
        bytes[end + 16..end + 20].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Archive::open(&bytes).is_err());
        let mut bytes = archive();
        let list = bytes.windows(4).rposition(|window| window == CENTRAL.to_le_bytes()).unwrap();
        bytes[list + 20..list + 28].copy_from_slice(&[0xf0; 8]);
        assert!(Archive::open(&bytes).unwrap().read("a/data/0").unwrap_err().what.contains("cut short"));
    }
}
