//! What the text of a kernel must not contain.

use std::collections::BTreeSet;

/// Returns what is wrong with a kernel's CUDA C++: atomics, functions of the platform, or a product that feeds a sum, which
/// the card's compiler would contract into one rounding.
pub(super) fn faults(source: &str) -> Vec<String> {
    let forbidden = ["atomic", "exp(", "log(", "expf(", "logf(", "pow", "__shared__", "__sync", "sqrt", "tanh"];
    let mut faults: Vec<String> =
        forbidden.iter().filter(|word| source.contains(**word)).map(|word| format!("`{word}`")).collect();
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let floats: BTreeSet<&str> = lines.iter().filter_map(|line| declared_float(line)).collect();
    let powers = powers_of_two(&lines);
    let mut products: BTreeSet<&str> = BTreeSet::new();
    loop {
        let before = products.len();
        for line in &lines {
            if let Some((target, value)) = assignment(line) {
                let copied = !value.contains("fma(") && !value.contains(" / ");
                // A product with a power of two is exact, so that contracting it changes nothing.
                let rounded = value.contains(" * ") && !names(value).any(|name| powers.contains(name));
                let is_product = rounded || names(value).any(|name| products.contains(name));
                if floats.contains(target) && copied && is_product {
                    products.insert(target);
                }
            }
        }
        if products.len() == before {
            break;
        }
    }
    for line in &lines {
        if let Some((target, value)) = assignment(line) {
            let sum = value.contains(" + ") || value.contains(" - ");
            if floats.contains(target) && sum && names(value).any(|name| products.contains(name)) {
                faults.push((*line).to_owned());
            }
        }
    }
    faults
}

/// Returns the names of numbers made by writing an exponent into the bits of a float.
fn powers_of_two<'a>(lines: &[&'a str]) -> BTreeSet<&'a str> {
    let assigned = |part: &str, of: &BTreeSet<&str>| -> BTreeSet<&'a str> {
        let assignments = lines.iter().filter_map(|line| assignment(line));
        let made = assignments
            .filter(|(_, value)| value.contains(part) && (of.is_empty() || names(value).any(|name| of.contains(name))));
        made.map(|(target, _)| target).collect()
    };
    let exponents = assigned(" << uint32(23)", &BTreeSet::new());
    if exponents.is_empty() { exponents } else { assigned("reinterpret_cast<float const&>", &exponents) }
}

/// Returns the name that a line declares as floating-point number or array of them.
fn declared_float(line: &str) -> Option<&str> {
    let line = line.strip_prefix("const ").unwrap_or(line);
    let rest = line.strip_prefix("float ").or_else(|| line.strip_prefix("double "))?;
    names(rest).next()
}

/// Returns the name (without index) and the value of an assignment to a local.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (target, value) = line.strip_suffix(';')?.split_once(" = ")?;
    let target = target.rsplit(' ').next().unwrap_or(target);
    names(target).next().filter(|name| name.starts_with("l_")).map(|name| (name, value))
}

/// Returns the identifiers in a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|name| name.starts_with("l_"))
}

#[test]
fn a_contractible_sum_is_found() {
    let source = "float l_mut_1;\nconst float l_2 = l_0 * l_1;\nl_mut_1 = l_2;\nconst float l_3 = l_mut_1 + l_0;";
    assert_eq!(faults(source), ["const float l_3 = l_mut_1 + l_0;"]);
    let fine = "const float l_2 = l_0 * l_1;\nconst float l_3 = fma(l_2, l_0, l_1);\nconst float l_4 = l_3 + l_0;\n\
                const uint32 l_5 = l_6 * l_7;\nconst uint32 l_8 = l_5 + l_6;";
    assert!(faults(fine).is_empty());
    assert_eq!(faults("atomicAdd(x, y);"), ["`atomic`"]);
    let exact = "const uint32 l_1 = l_0 << uint32(23);\nconst float l_2 = reinterpret_cast<float const&>(l_1);\n\
                 const float l_3 = l_4 * l_2;\nconst float l_5 = l_3 + l_4;";
    assert!(faults(exact).is_empty());
}
