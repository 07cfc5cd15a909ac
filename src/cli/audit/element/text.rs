//! Where two texts begin to differ: line and column, the name of the column of a table, the words, and the distance of two
//! numbers.

use super::scalar::ulps_f64;

/// A difference of two texts.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) ulps: Option<u64>,
}

/// Longest word that is shown, bytes.
const SHOWN: usize = 60;

/// Returns the difference in words; none when one of the two is no text up to there.
pub(super) fn place(name: &str, before: &[u8], after: &[u8], at: usize) -> Option<Place> {
    // Everything before is equal, so it need only be looked at once.
    let head = std::str::from_utf8(before.get(..at)?)
        .or_else(|error| std::str::from_utf8(before.get(..error.valid_up_to()).unwrap_or_default()))
        .ok()?;
    if at - head.len() > 3 || !plain(before, at) || !plain(after, at) {
        return None;
    }
    let line = head.matches('\n').count();
    let begin = head.rfind('\n').map_or(0, |end| end + 1);
    let column = head.get(begin..).map_or(0, |text| text.chars().count());
    let mut shown = format!("line {}, column {}", line + 1, column + 1);
    if name.ends_with(".csv")
        && let (Some(title), true) = (title(before, head.get(begin..).unwrap_or_default()), line > 0)
    {
        shown = format!("{shown} `{title}`");
    }
    let (before, after) = (word(before, at), word(after, at));
    let number = |text: &str| text.parse::<f64>().ok();
    let ulps = number(&before).zip(number(&after)).and_then(|(a, b)| ulps_f64(a, b));
    Some(Place { name: shown, before, after, ulps })
}

/// The header's word above a place of a table.
fn title(bytes: &[u8], line_so_far: &str) -> Option<String> {
    let first = bytes.split(|byte| *byte == b'\n').next()?;
    let first = std::str::from_utf8(first).ok()?;
    first.split(',').nth(line_so_far.matches(',').count()).map(str::to_owned)
}

fn plain(bytes: &[u8], at: usize) -> bool {
    let near = bytes.get(at.saturating_sub(64)..bytes.len().min(at + 64)).unwrap_or_default();
    !near.iter().any(|byte| *byte < 9 || (14..32).contains(byte))
}

/// The word around a place: what lies between blanks, commas, quotes and brackets.
fn word(bytes: &[u8], at: usize) -> String {
    let inside = |byte: &&u8| !b" \t\r\n,;:\"'{}[]()<>|&".contains(*byte);
    let (head, tail) = bytes.split_at(at.min(bytes.len()));
    let begin = head.len() - head.iter().rev().take_while(inside).take(SHOWN).count();
    let end = head.len() + tail.iter().take_while(inside).take(SHOWN).count();
    match bytes.get(begin..end).unwrap_or_default() {
        [] if at >= bytes.len() => "the end".to_owned(),
        [] => String::from_utf8_lossy(bytes.get(at..=at).unwrap_or_default()).escape_debug().to_string(),
        word => String::from_utf8_lossy(word).into_owned(),
    }
}
