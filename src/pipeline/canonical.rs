//! The one way to write a document as bytes, so that equal documents have equal digests for as long as anyone keeps them.
//!
//! JSON without spaces; keys sorted by their UTF-8 bytes; integers as integers; floats always with a point or an exponent,
//! in the fewest digits that read back to the same value, and never a negative zero; strings in Unicode's form C.

use std::borrow::Cow;

use serde_json::{Number, Value};
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use crate::fault::{Fault, Result};

/// Returns the canonical text of a document.
///
/// # Errors
/// When a number is not finite, or two keys are the same after normalization.
pub fn encode(value: &Value) -> Result<String> {
    let mut text = String::with_capacity(256);
    write_value(&mut text, value)?;
    Ok(text)
}

/// Returns the canonical text of a float: shortest round trip, `-0.0` as `0.0`.
///
/// # Errors
/// When it is not finite.
pub fn float(value: f64) -> Result<String> {
    if !value.is_finite() {
        return Err(Fault::usage(format!("{value} is not a number that a parameter can have")));
    }
    // Adding zero turns -0.0 into 0.0 and changes nothing else.
    Ok(format!("{:?}", value + 0.0))
}

fn write_value(text: &mut String, value: &Value) -> Result<()> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&write_number(number)?),
        Value::String(string) => write_string(text, string),
        Value::Array(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                write_value(text, item)?;
            }
            text.push(']');
        }
        Value::Object(map) => {
            let mut members: Vec<(Cow<'_, str>, &Value)> = map.iter().map(|(key, item)| (normal(key), item)).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            text.push('{');
            for (i, (key, item)) in members.iter().enumerate() {
                if i > 0 {
                    if members[i - 1].0 == *key {
                        return Err(Fault::usage(format!("the key `{key}` is there twice")));
                    }
                    text.push(',');
                }
                write_string(text, key);
                text.push(':');
                write_value(text, item)?;
            }
            text.push('}');
        }
    }
    Ok(())
}

fn write_number(number: &Number) -> Result<String> {
    if let Some(integer) = number.as_u64() {
        Ok(integer.to_string())
    } else if let Some(integer) = number.as_i64() {
        Ok(integer.to_string())
    } else {
        float(number.as_f64().unwrap_or(f64::NAN))
    }
}

fn normal(string: &str) -> Cow<'_, str> {
    if string.is_ascii() || is_nfc_quick(string.chars()) == IsNormalized::Yes {
        Cow::Borrowed(string)
    } else {
        Cow::Owned(string.nfc().collect())
    }
}

fn write_string(text: &mut String, string: &str) {
    let plain = string.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\');
    if plain {
        text.push('"');
        text.push_str(string);
        text.push('"');
    } else {
        text.push_str(&Value::String(normal(string).into_owned()).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(value: &Value) -> String {
        encode(value).unwrap()
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let a: Value = serde_json::from_str(r#"{"b": 1, "a": {"d": [true, null], "c": "x"}}"#).unwrap();
        assert_eq!(text(&a), r#"{"a":{"c":"x","d":[true,null]},"b":1}"#);
    }

    #[test]
    fn numbers_have_one_form() {
        let numbers = json!([1, -1, 1.0, 1e-3, 0.1, 300.0, -0.0, 1e16, 1e-7, u64::MAX, i64::MIN]);
        let expected = "[1,-1,1.0,0.001,0.1,300.0,0.0,1e16,1e-7,18446744073709551615,-9223372036854775808]";
        assert_eq!(text(&numbers), expected);
        assert_eq!(text(&serde_json::from_str(expected).unwrap()), expected, "it reads back to itself");
        assert!(float(f64::NAN).is_err());
        assert!(float(f64::INFINITY).is_err());
    }

    #[test]
    fn strings_are_normal_and_escaped() {
        assert_eq!(text(&json!("e\u{301}")), "\"é\"");
        assert_eq!(text(&json!("a\"b\\c\n\u{1}")), r#""a\"b\\c\n\u0001""#);
        assert!(encode(&json!({"e\u{301}": 1, "é": 2})).is_err(), "the same key twice");
    }
}
