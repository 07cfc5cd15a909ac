//! The standard's own example, and what must be refused. Whole slices are compared in the torture suite.

use super::*;

/// The 4 x 4 image of ITU-T T.87, H.3, coded with the default parameters.
const EXAMPLE: [u8; 57] = [
    0xFF, 0xD8, 0xFF, 0xF7, 0x00, 0x0B, 0x08, 0x00, 0x04, 0x00, 0x04, 0x01, 0x01, 0x11, 0x00, 0xFF, 0xDA, 0x00, 0x08,
    0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0xC0, 0x00, 0x00, 0x6C, 0x80, 0x20, 0x8E, 0x01, 0xC0, 0x00, 0x00, 0x57, 0x40,
    0x00, 0x00, 0x6E, 0xE6, 0x00, 0x00, 0x01, 0xBC, 0x18, 0x00, 0x00, 0x05, 0xD8, 0x00, 0x00, 0x91, 0x60, 0xFF, 0xD9,
];
const SAMPLES: [u16; 16] = [0, 0, 90, 74, 68, 50, 43, 205, 64, 145, 145, 145, 100, 145, 145, 145];

#[test]
fn the_standards_example_is_decoded() {
    assert_eq!(decode(&EXAMPLE, 4, 4).unwrap(), SAMPLES);
}

#[test]
fn other_sizes_truncations_and_damage_are_refused_or_harmless() {
    assert!(decode(&EXAMPLE, 4, 5).unwrap_err().what.contains("4 x 4"));
    for cut in 0..EXAMPLE.len() - 2 {
        assert!(decode(&EXAMPLE[..cut], 4, 4).is_err(), "cut at {cut}");
    }
    for at in 2..EXAMPLE.len() {
        for bit in 0..8 {
            let mut stream = EXAMPLE;
            stream[at] ^= 1 << bit;
            if let Ok(samples) = decode(&stream, 4, 4) {
                assert_eq!(samples.len(), 16);
            }
        }
    }
}

#[test]
fn default_thresholds_are_the_standards() {
    let header = |bits: u8| {
        let mut stream = EXAMPLE;
        stream[6] = bits;
        Header::parse(&stream).unwrap().0
    };
    // C.2.4.1.1.1: 3, 7, 21 at 8 bits, 18, 67, 276 at 12 and more.
    assert_eq!(header(8).context(3, 7, 21), (2 * 9 + 3) * 9 + 4);
    assert_eq!(header(12).context(-17, 66, 275), (-9 + 2) * 9 + 3);
    assert_eq!(header(16).context(18, 67, 276), (2 * 9 + 3) * 9 + 4);
}
