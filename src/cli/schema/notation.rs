//! A short way to write the schema of an output, that reads like the output.
//!
//! ```text
//! { pipeline: text, items: [{ item: text, seconds: number? }], note?: text }
//! text  whole  number  flag  any     a value               T?        or null
//! { a: T, b?: T }                    these keys, b maybe   { …, * }  and others
//! [T]                                a list                <T>       any keys, each a T
//! "run" | "cached"                   one of these words
//! ```

use std::{iter::Peekable, str::Chars};

use serde_json::{Map, Value, json};

use crate::fault::{Fault, Result};

/// Returns the JSON Schema of a notation.
///
/// # Errors
/// Unfit when it cannot be read; a test reads all.
pub(super) fn schema(text: &str) -> Result<Value> {
    let mut reader = Reader { rest: text.chars().peekable() };
    let schema = reader.value()?;
    reader.blanks();
    match reader.rest.peek() {
        None => Ok(schema),
        Some(letter) => Err(wrong(&format!("`{letter}` after the end"))),
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Value> {
        self.blanks();
        let plain = match self.rest.peek() {
            Some('{') => self.object()?,
            Some('[') => {
                self.expect('[')?;
                let items = self.value()?;
                self.expect(']')?;
                json!({ "type": "array", "items": items })
            }
            Some('<') => {
                self.expect('<')?;
                let inner = self.value()?;
                self.expect('>')?;
                json!({ "type": "object", "additionalProperties": inner })
            }
            Some('"') => self.words()?,
            _ => match self.name().as_str() {
                "text" => json!({ "type": "string" }),
                "whole" => json!({ "type": "integer" }),
                "number" => json!({ "type": "number" }),
                "flag" => json!({ "type": "boolean" }),
                "any" => json!({}),
                other => return Err(wrong(&format!("`{other}` is no type"))),
            },
        };
        Ok(if self.takes('?') { json!({ "anyOf": [plain, { "type": "null" }] }) } else { plain })
    }

    fn object(&mut self) -> Result<Value> {
        self.expect('{')?;
        let (mut properties, mut required, mut open) = (Map::new(), Vec::new(), false);
        while !self.takes('}') {
            if self.takes('*') {
                open = true;
            } else {
                let name = self.name();
                if !self.takes('?') {
                    required.push(name.clone());
                }
                self.expect(':')?;
                let value = self.value()?;
                properties.insert(name, value);
            }
            if !self.takes(',') {
                self.expect('}')?;
                break;
            }
        }
        Ok(json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": open }))
    }

    fn words(&mut self) -> Result<Value> {
        let mut words = Vec::new();
        loop {
            self.expect('"')?;
            let mut word = String::new();
            while let Some(letter) = self.rest.next().filter(|letter| *letter != '"') {
                word.push(letter);
            }
            words.push(word);
            if !self.takes('|') {
                return Ok(json!({ "type": "string", "enum": words }));
            }
            self.blanks();
        }
    }

    fn name(&mut self) -> String {
        self.blanks();
        let mut name = String::new();
        while let Some(letter) = self.rest.next_if(|letter| letter.is_ascii_alphanumeric() || "_-$".contains(*letter)) {
            name.push(letter);
        }
        name
    }

    fn takes(&mut self, wanted: char) -> bool {
        self.blanks();
        self.rest.next_if_eq(&wanted).is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<()> {
        if self.takes(wanted) { Ok(()) } else { Err(wrong(&format!("`{wanted}` is missing"))) }
    }

    fn blanks(&mut self) {
        while self.rest.next_if(|letter| letter.is_whitespace()).is_some() {}
    }
}

fn wrong(why: &str) -> Fault {
    Fault::unfit(format!("the schema of an output cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notation_is_a_schema() {
        let found = schema(r#"{ a: text?, b?: [whole], c: <{ d: flag, * }>, e: "x" | "y" }"#).unwrap();
        assert_eq!(found["required"], json!(["a", "c", "e"]));
        assert_eq!(found["additionalProperties"], json!(false));
        assert_eq!(found["properties"]["a"], json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }));
        assert_eq!(found["properties"]["b"]["items"]["type"], "integer");
        assert_eq!(found["properties"]["c"]["additionalProperties"]["additionalProperties"], json!(true));
        assert_eq!(found["properties"]["e"]["enum"], json!(["x", "y"]));
        for mistake in ["{ a text }", "[text", "txt", "text text", "{ a: text"] {
            assert!(schema(mistake).is_err(), "{mistake}");
        }
    }
}
