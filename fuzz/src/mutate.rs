//! Damage: a few changes to a good file, from a stream of random numbers that a number gives, so that each can be made again.

/// Splitmix64 (Steele, Lea, Flood 2014).
pub struct Random(pub u64);

impl Random {
    /// Returns the next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number below `end`, or 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Numbers at which parsers break.
const NUMBERS: [u64; 12] =
    [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFF0, 0x7FF0_0000_0000_0000];
/// The same as words.
const WORDS: [&str; 10] =
    ["-1", "0", "1e308", "nan", "inf", "4294967296", "99999999999999999999", "2147483647", "1e-320", "../x"];

/// Returns the seed, or damage number `number` of it.
pub fn damaged(seeds: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut random = Random(number.wrapping_mul(0x2545_F491_4F6C_DD1D));
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        change(&mut bytes, seeds, &mut random);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(bytes.len());
    let end = (at + 1 + random.below(24)).min(bytes.len());
    match random.below(11) {
        _ if bytes.is_empty() => bytes.push(random.next() as u8),
        0 => bytes[at] = random.next() as u8,
        1 => bytes[at] ^= 1 << random.below(8),
        2 | 3 => {
            let width = [1, 2, 4, 8][random.below(4)].min(bytes.len() - at);
            let mut word = NUMBERS[random.below(NUMBERS.len())].to_le_bytes()[..width].to_vec();
            if random.below(2) == 0 {
                word.reverse();
            }
            bytes[at..at + width].copy_from_slice(&word);
        }
        4 => bytes.truncate(at),
        5 => bytes.extend_from_within(at..end),
        6 => drop(bytes.drain(at..end)),
        7 => {
            let piece = bytes[at..end].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, piece);
        }
        8 => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from.min(other.len())..]);
        }
        9 => {
            // A number of a text becomes another.
            let digit = (0..bytes.len()).map(|i| (at + i) % bytes.len()).find(|&i| bytes[i].is_ascii_digit());
            let from = digit.unwrap_or(at);
            let length = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            bytes.splice(from..from + length, WORDS[random.below(WORDS.len())].bytes());
        }
        _ => bytes[at..end].fill([0, 0xFF, b' ', b'\n'][random.below(4)]),
    }
}
