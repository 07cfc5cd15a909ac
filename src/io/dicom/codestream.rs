//! The size that a compressed frame states in its own header, held against Rows and Columns before the codec allocates
//! what the stream asks for.

use crate::fault::{Fault, Result};

/// Refuses a JPEG, JPEG-LS or JPEG 2000 stream of another size than the DICOM header's. Streams that are none (RLE) pass.
pub(super) fn check(stream: &[u8], columns: usize, rows: usize) -> Result<()> {
    match size(&stream[..stream.len().min(MOST_LOOKED_AT)]) {
        Some(stated) if stated != (columns, rows) => Err(Fault::unfit(format!(
            "the compressed frame is {} x {}, the header says {columns} x {rows}",
            stated.0, stated.1
        ))),
        _ => Ok(()),
    }
}

/// A stream states its size in its first bytes.
const MOST_LOOKED_AT: usize = 1 << 16;

fn size(frame: &[u8]) -> Option<(usize, usize)> {
    let short = |at: usize| frame.get(at..at + 2).map(|w| usize::from(u16::from_be_bytes([w[0], w[1]])));
    let long = |at: usize| frame.get(at..at + 4).map(|w| u32::from_be_bytes([w[0], w[1], w[2], w[3]]) as usize);
    // A JP2 file wraps the codestream in boxes; DICOM wants the bare stream, but both are met.
    let soc = frame.windows(4).position(|w| w == [0xFF, 0x4F, 0xFF, 0x51]);
    if let Some(soc) = soc {
        // SIZ: marker, Lsiz, Rsiz, Xsiz, Ysiz, XOsiz, YOsiz (ISO 15444-1, A.5.1).
        let width = long(soc + 8)?.checked_sub(long(soc + 16)?)?;
        return Some((width, long(soc + 12)?.checked_sub(long(soc + 20)?)?));
    }
    if !frame.starts_with(&[0xFF, 0xD8]) {
        return None;
    }
    // JPEG: segments up to the start of frame, whose payload is length, precision, height, width (ISO 10918-1, B.2.2).
    let mut at = 2;
    loop {
        let marker = short(at)?;
        match marker {
            0xFFF7 | 0xFFC0..=0xFFC3 | 0xFFC5..=0xFFC7 | 0xFFC9..=0xFFCB | 0xFFCD..=0xFFCF => {
                return Some((short(at + 7)?, short(at + 5)?));
            }
            0xFF01 | 0xFFD0..=0xFFD8 | 0xFFFF => at += if marker == 0xFFFF { 1 } else { 2 },
            0xFF00..=0xFFFF => at += 2 + short(at + 2)?,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_found_in_both_streams() {
        let jpeg = [0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 9, 9, 0xFF, 0xC3, 0, 11, 16, 0, 100, 0, 50, 1];
        assert_eq!(size(&jpeg), Some((50, 100)));
        let mut j2k = vec![0xFF, 0x4F, 0xFF, 0x51, 0, 41, 0, 0];
        for value in [512_u32, 256, 0, 0] {
            j2k.extend_from_slice(&value.to_be_bytes());
        }
        assert_eq!(size(&j2k), Some((512, 256)));
        assert_eq!(size(&jpeg[..10]), None);
        assert_eq!(size(&[1, 0, 0, 0]), None);
    }
}
