//! What all targets share: the table of parsers, and the limits that each call is held to.

pub mod budget;
pub mod mutate;
pub mod parsers;
pub mod seeds;

/// Calls a parser and panics when it takes more memory or time than its input may cost.
pub fn hold(name: &str, bytes: &[u8]) {
    let parser = parsers::named(name);
    let cost = budget::measure(|| (parser.parse)(bytes));
    assert!(
        cost.peak_bytes <= parsers::most_bytes(bytes.len()),
        "{name}: {} bytes for {}",
        cost.peak_bytes,
        bytes.len()
    );
    assert!(cost.seconds <= parsers::most_seconds(bytes.len()), "{name}: {} s for {} bytes", cost.seconds, bytes.len());
}
