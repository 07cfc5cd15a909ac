//! The markers of a JPEG-LS stream, and the parameters that follow from them (annex C, and A.2).

use super::damaged;
use crate::fault::{Fault, Result};

const START_OF_FRAME: u8 = 0xF7;
const PRESET_PARAMETERS: u8 = 0xF8;
const START_OF_SCAN: u8 = 0xDA;
const RESTART_INTERVAL: u8 = 0xDD;

/// Sizes and coding parameters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// Largest sample.
    pub(super) most: i32,
    /// How far a sample may be from the true one: 0 is lossless.
    pub(super) near: i32,
    /// Counts at which a context forgets half.
    pub(super) reset: i32,
    thresholds: [i32; 3],
    /// Number of different errors.
    pub(super) range: i32,
    pub(super) error_bits: u32,
    /// Longest code.
    pub(super) limit: u32,
}

impl Header {
    /// Returns the header and the bytes of the scan.
    pub(super) fn parse(stream: &[u8]) -> Result<(Self, &[u8])> {
        let mut at = 2;
        if !stream.starts_with(&[0xFF, 0xD8]) {
            return Err(damaged());
        }
        let (mut frame, mut preset) = (None, [0; 5]);
        loop {
            let [0xFF, marker] = *stream.get(at..at + 2).ok_or_else(damaged)? else { return Err(damaged()) };
            let word = |at: usize| stream.get(at..at + 2).map(|w| usize::from(u16::from_be_bytes([w[0], w[1]])));
            let length = word(at + 2).filter(|&length| length >= 2).ok_or_else(damaged)?;
            let segment = stream.get(at + 4..at + 2 + length).ok_or_else(damaged)?;
            let short = |at: usize| segment.get(at..at + 2).map(|w| i32::from(u16::from_be_bytes([w[0], w[1]])));
            match (marker, segment) {
                (START_OF_FRAME, [bits, _, _, _, _, components, ..]) => {
                    if *components != 1 || !(2..=16).contains(bits) {
                        return Err(Fault::unfit(format!(
                            "a JPEG-LS stream of {components} components with {bits} bits is not supported"
                        )));
                    }
                    frame = Some((u32::from(*bits), short(1).unwrap_or(0), short(3).unwrap_or(0)));
                }
                (PRESET_PARAMETERS, [1, ..]) => {
                    for (index, value) in preset.iter_mut().enumerate() {
                        *value = short(1 + 2 * index).ok_or_else(damaged)?;
                    }
                }
                (PRESET_PARAMETERS, _) => return Err(Fault::unfit("JPEG-LS with mapping tables is not supported")),
                (RESTART_INTERVAL, interval) if interval.iter().any(|&byte| byte != 0) => {
                    return Err(Fault::unfit("JPEG-LS with restart intervals is not supported"));
                }
                (START_OF_SCAN, [1, _, 0, near, 0, 0]) => {
                    let (bits, rows, columns) = frame.ok_or_else(damaged)?;
                    let header = Self::new(bits, [columns, rows], i32::from(*near), preset).ok_or_else(damaged)?;
                    return Ok((header, &stream[at + 2 + length..]));
                }
                (START_OF_SCAN, _) => return Err(damaged()),
                _ => {}
            }
            at += 2 + length;
        }
    }

    /// Preset values of zero stand for the defaults (C.2.4.1.1).
    fn new(bits: u32, [columns, rows]: [i32; 2], near: i32, [most, t1, t2, t3, reset]: [i32; 5]) -> Option<Self> {
        let most = if most == 0 { (1 << bits) - 1 } else { most };
        if !(1..1 << bits).contains(&most) || near > most / 2 {
            return None;
        }
        let defaults = thresholds(most, near);
        let thresholds =
            [(t1, defaults[0]), (t2, defaults[1]), (t3, defaults[2])].map(|(t, d)| if t == 0 { d } else { t });
        let range = (most + 2 * near) / (2 * near + 1) + 1;
        let error_bits = bits_of(range - 1);
        let sample_bits = bits_of(most).max(2);
        let limit = 2 * (sample_bits + sample_bits.max(8));
        let ordered = near < thresholds[0] && thresholds[0] <= thresholds[1] && thresholds[1] <= thresholds[2];
        let reset = if reset == 0 { 64 } else { reset };
        (ordered && thresholds[2] <= most && reset >= 3).then_some(Self {
            columns: columns as usize,
            rows: rows as usize,
            most,
            near,
            reset,
            thresholds,
            range,
            error_bits,
            limit,
        })
    }

    /// Returns the context of three gradients: 0 for flat, negative where the error has the other sign (A.3.3, A.3.4).
    pub(super) fn context(&self, d1: i32, d2: i32, d3: i32) -> i32 {
        let level = |d: i32| {
            let size = d.abs();
            let level = if size <= self.near {
                0
            } else {
                1 + self.thresholds.iter().filter(|&&threshold| size >= threshold).count() as i32
            };
            level * d.signum()
        };
        (level(d1) * 9 + level(d2)) * 9 + level(d3)
    }

    /// Returns the sample at an error from its guess, errors taken modulo their range (A.4.5 and A.8).
    pub(super) fn reconstruct(&self, guess: i32, error: i32) -> i32 {
        let step = 2 * self.near + 1;
        let sample = guess + error * step;
        let sample = if sample < -self.near {
            sample + self.range * step
        } else if sample > self.most + self.near {
            sample - self.range * step
        } else {
            sample
        };
        sample.clamp(0, self.most)
    }
}

/// Returns how many bits a number needs.
fn bits_of(number: i32) -> u32 {
    32 - (number as u32).leading_zeros()
}

/// Default thresholds of the gradients (C.2.4.1.1.1).
fn thresholds(most: i32, near: i32) -> [i32; 3] {
    let clamp = |value: i32, least: i32| if value > most || value < least { least } else { value };
    let basic = [3, 7, 21];
    let by_near = [3, 5, 7];
    let mut out = [0; 3];
    let mut least = near + 1;
    for (index, value) in out.iter_mut().enumerate() {
        let (basic, more) = (basic[index], by_near[index] * near);
        let lowest = index as i32 + 2;
        *value = if most >= 128 {
            let factor = (most.min(4095) + 128) / 256;
            clamp(factor * (basic - lowest) + lowest + more, least)
        } else {
            let factor = 256 / (most + 1);
            clamp((basic / factor + more).max(lowest), least)
        };
        least = *value;
    }
    out
}
