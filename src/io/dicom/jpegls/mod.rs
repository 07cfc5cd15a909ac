//! JPEG-LS (ISO 14495-1, ITU-T T.87): the decoder for single-component images, lossless and near-lossless. The libraries that
//! know it need a C++ compiler and cmake; the standard's decoder is short.
//!
//! ```text
//!   c b d      samples already decoded around x; gradients d-b, b-c, c-a choose one of 364 contexts,
//!   a x        or a run when all are flat. The median edge predictor guesses x; Golomb codes hold the error.
//! ```

mod bits;
mod context;
mod header;

use self::{
    bits::Bits,
    context::{Contexts, Run},
    header::Header,
};
use crate::fault::{Fault, Result};

/// Lengths of run segments as powers of two, by run index (A.7.1.1).
const RUN_LENGTHS: [u32; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// What is said of any stream that makes no sense.
fn damaged() -> Fault {
    Fault::unfit("the JPEG-LS stream is damaged").hint("copy the file again")
}

/// Returns the samples of a stream of the given size, row after row.
///
/// # Errors
/// Unfit when the stream has another size, several components, restart intervals, or is damaged.
pub(super) fn decode(stream: &[u8], columns: usize, rows: usize) -> Result<Vec<u16>> {
    let (header, data) = Header::parse(stream)?;
    if (header.columns, header.rows) != (columns, rows) {
        return Err(Fault::unfit(format!(
            "the compressed frame is {} x {}, the header says {columns} x {rows}",
            header.columns, header.rows
        )));
    }
    if columns == 0 {
        return Ok(Vec::new());
    }
    let mut decoder = Decoder {
        contexts: Contexts::new(&header),
        runs: [Run::new(&header); 2],
        bits: Bits::new(data),
        run_index: 0,
        header,
    };
    // One sample more at either end of a line: what lies beyond the edges.
    let (mut above, mut line) = (vec![0_i32; columns + 2], vec![0_i32; columns + 2]);
    let mut samples = Vec::with_capacity(columns * rows);
    for _ in 0..rows {
        above[columns + 1] = above[columns];
        line[0] = above[1];
        decoder.line(&above, &mut line)?;
        samples.extend(line[1..=columns].iter().map(|&sample| sample as u16));
        std::mem::swap(&mut above, &mut line);
    }
    Ok(samples)
}

struct Decoder<'a> {
    header: Header,
    contexts: Contexts,
    /// Contexts of the sample that ends a run: of unlike and of like neighbours.
    runs: [Run; 2],
    bits: Bits<'a>,
    run_index: usize,
}

impl Decoder<'_> {
    /// Decodes one line; positions 1 to the width hold samples.
    fn line(&mut self, above: &[i32], line: &mut [i32]) -> Result<()> {
        let width = line.len() - 2;
        let mut x = 1;
        while x <= width {
            let (a, b, c, d) = (line[x - 1], above[x], above[x - 1], above[x + 1]);
            let context = self.header.context(d - b, b - c, c - a);
            if context == 0 {
                x += self.run(above, line, x)?;
                continue;
            }
            line[x] = self.regular(context, predicted(a, b, c))?;
            x += 1;
        }
        Ok(())
    }

    /// Decodes a sample in a context whose sign tells the sign of the error (A.4 to A.6).
    fn regular(&mut self, context: i32, guess: i32) -> Result<i32> {
        let header = &self.header;
        let sign = context.signum();
        let context = self.contexts.of(context.unsigned_abs() as usize);
        let guess = (guess + sign * context.correction).clamp(0, header.most);
        let k = context.golomb();
        let mapped = self.bits.golomb(k, header.limit, header)?;
        let error = context.error(mapped, k, header.near);
        context.update(error, header);
        Ok(header.reconstruct(guess, sign * error))
    }

    /// Decodes a run and the sample that ends it; returns how many samples were decoded (A.7).
    fn run(&mut self, above: &[i32], line: &mut [i32], start: usize) -> Result<usize> {
        let width = line.len() - 2;
        let value = line[start - 1];
        let mut x = start;
        while self.bits.bit()? == 1 {
            let whole = 1_usize << RUN_LENGTHS[self.run_index];
            let count = whole.min(width + 1 - x);
            line[x..x + count].fill(value);
            x += count;
            if count == whole {
                self.run_index = (self.run_index + 1).min(31);
            }
            if x > width {
                return Ok(x - start);
            }
        }
        let count = self.bits.take(RUN_LENGTHS[self.run_index])? as usize;
        // The sample that ends the run is on this line too.
        if x + count > width {
            return Err(damaged());
        }
        line[x..x + count].fill(value);
        x += count;
        line[x] = self.end_of_run(value, above[x])?;
        self.run_index = self.run_index.saturating_sub(1);
        Ok(x + 1 - start)
    }

    fn end_of_run(&mut self, a: i32, b: i32) -> Result<i32> {
        let header = &self.header;
        let like = (a - b).abs() <= header.near;
        let run = &mut self.runs[usize::from(like)];
        let k = run.golomb(like);
        let limit = header.limit - RUN_LENGTHS[self.run_index] - 1;
        let mapped = self.bits.golomb(k, limit, header)?;
        let error = run.error(mapped, k, like);
        run.update(error, mapped, like, header.reset);
        if like {
            return Ok(header.reconstruct(a, error));
        }
        Ok(header.reconstruct(b, if a > b { -error } else { error }))
    }
}

/// The median edge detector (A.4.1).
fn predicted(a: i32, b: i32, c: i32) -> i32 {
    if c >= a.max(b) {
        a.min(b)
    } else if c <= a.min(b) {
        a.max(b)
    } else {
        a + b - c
    }
}

#[cfg(test)]
mod tests;
