//! `--set key=value`: one override, its value read as a YAML scalar.

use serde_json::{Map, Value};

use crate::{
    fault::{Fault, Result, near_miss},
    pipeline::stage::{Op, Params, Stage, Typed},
};

/// Splits `key=value`.
///
/// # Errors
/// Usage, when there is no `=` or no key.
pub(super) fn split(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err(Fault::usage(format!("`--set {text}` is not of the form key=value"))),
    }
}

/// Returns the parameters of a stage with overrides applied to its defaults; `accept.median_mm=2` reaches inside.
///
/// # Errors
/// Usage, naming the parameter, with the nearest name where one is near.
pub(super) fn params<S: Stage>(overrides: &[String]) -> Result<S::Params> {
    let mut written = Map::new();
    for text in overrides {
        let (key, value) = split(text)?;
        let value: Value =
            serde_yaml::from_str(&value).map_err(|error| Fault::usage(format!("the value of `{key}`: {error}")))?;
        insert(&mut written, &key, value);
    }
    let known = serde_json::to_value(S::Params::default()).unwrap_or_default();
    for key in written.keys() {
        if known.get(key).is_none() && !schema_has::<S>(key) {
            let names: Vec<&str> = known.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            let fault = Fault::usage(format!("`{}` has no parameter `{key}`", S::NAME));
            return Err(match near_miss(key, names.iter().copied()) {
                Some(near) => fault.hint(format!("did you mean `{near}`?")),
                None => fault.hint(format!("`calvaria show {} --params` lists them", S::NAME)),
            });
        }
    }
    let params: S::Params = serde_json::from_value(Value::Object(written))
        .map_err(|error| Fault::usage(format!("parameters of `{}`: {error}", S::NAME)))?;
    params.check().map_err(|(name, why)| Fault::usage(format!("parameter `{name}`: {why}")))?;
    Ok(params)
}

fn schema_has<S: Stage>(key: &str) -> bool {
    Typed::<S>::new().schema().pointer(&format!("/properties/{key}")).is_some()
}

fn insert(map: &mut Map<String, Value>, key: &str, value: Value) {
    match key.split_once('.') {
        None => drop(map.insert(key.to_owned(), value)),
        Some((head, rest)) => {
            let inner = map.entry(head.to_owned()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_reach_inside_and_wrong_names_are_answered() {
        let params =
            params::<crate::stages::Align>(&["accept.median_mm=2.5".to_owned(), "init=identity".to_owned()]).unwrap();
        assert_eq!(params.accept.median_mm, 2.5);
        let wrong = super::params::<crate::stages::Align>(&["acept.median_mm=2".to_owned()]).unwrap_err();
        assert!(wrong.to_string().contains("did you mean `accept`"), "{wrong}");
        assert!(super::params::<crate::stages::Align>(&["accept.median_mm=-1".to_owned()]).is_err());
        assert!(split("novalue").is_err());
    }
}
