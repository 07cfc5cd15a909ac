//! One header of a tar file in the POSIX form (`ustar`): a name, a length, whether it can be executed, and nothing else.
//!
//! Owner, group, time and device are zero, so equal contents give equal bytes. Field offsets: IEEE Std 1003.1, `pax`.

/// Length of a header, and what contents are padded to.
pub(super) const BLOCK: usize = 512;
/// Largest length of a file: eleven octal digits.
pub(super) const LARGEST: u64 = 0o777_7777_7777;

const NAME: usize = 100;
const PREFIX: usize = 155;

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) executable: bool,
}

impl Header {
    /// Returns the 512 bytes; none when the name or the length does not fit.
    pub(super) fn encode(&self) -> Option<[u8; BLOCK]> {
        let (prefix, name) = split(&self.name)?;
        if self.bytes > LARGEST {
            return None;
        }
        let mut block = [0; BLOCK];
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(field) = block.get_mut(at..at + bytes.len()) {
                field.copy_from_slice(bytes);
            }
        };
        put(0, name.as_bytes());
        put(100, if self.executable { b"0000755\0" } else { b"0000644\0" });
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, format!("{:011o}\0", self.bytes).as_bytes());
        put(136, b"00000000000\0");
        put(148, b"        ");
        put(156, b"0");
        put(257, b"ustar\x0000");
        put(329, b"0000000\0");
        put(337, b"0000000\0");
        put(345, prefix.as_bytes());
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        for (field, byte) in block.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").bytes()) {
            *field = byte;
        }
        Some(block)
    }

    /// Returns what 512 bytes say, if they are exactly what [`Self::encode`] gives for it.
    pub(super) fn decode(block: &[u8; BLOCK]) -> Option<Self> {
        let text = |at: usize, length: usize| {
            let field = block.get(at..at + length)?;
            std::str::from_utf8(field.split(|byte| *byte == 0).next()?).ok()
        };
        let name = match text(345, PREFIX)? {
            "" => text(0, NAME)?.to_owned(),
            prefix => format!("{prefix}/{}", text(0, NAME)?),
        };
        let bytes = u64::from_str_radix(text(124, 12)?, 8).ok()?;
        let header = Self { name, bytes, executable: text(100, 8)? == "0000755" };
        (header.encode()? == *block).then_some(header)
    }

    /// Returns the zero bytes that follow the contents.
    pub(super) const fn padding(&self) -> usize {
        (BLOCK - (self.bytes % BLOCK as u64) as usize) % BLOCK
    }
}

/// Splits a name over the two fields of a header, at the first place that fits.
fn split(name: &str) -> Option<(&str, &str)> {
    if name.len() <= NAME {
        return Some(("", name));
    }
    let at = name.match_indices('/').map(|(at, _)| at).find(|at| name.len() - at - 1 <= NAME && *at <= PREFIX)?;
    name.split_at_checked(at).map(|(prefix, rest)| (prefix, rest.trim_start_matches('/')))
}
