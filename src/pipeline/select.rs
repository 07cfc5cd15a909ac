//! Which part of a plan a command means: what the words name, and how far up and down the graph from there.
//!
//! ```text
//! infer                    a stage, all its items
//! infer@p16,seed=2         one item
//! 'infer@p1*'              a pattern: `*` is any text, `?` any letter
//! results/quick/table1.md  whoever publishes that file
//! ```

use std::collections::BTreeSet;

use super::{
    execute::{dependents, with_sources},
    plan::{Node, Plan},
    publish::base_name,
};
use crate::fault::{Fault, Result, near_miss};

/// What a command line asks for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Targets; none means all.
    pub targets: Vec<String>,
    /// Cases; none means all.
    pub cases: Vec<String>,
    /// Nothing that the named items need.
    pub only: bool,
    /// All that needs the named items too.
    pub downstream: bool,
    /// Nothing that is not one of these, or needs one of them.
    pub from: Vec<String>,
    /// Nothing that is not one of these, or is needed by one of them.
    pub until: Vec<String>,
}

impl Selection {
    /// Returns the nodes that the targets and cases name; none means the whole plan.
    ///
    /// # Errors
    /// Usage when a word names nothing, or no item is both a target and of a case.
    pub fn named(&self, plan: &Plan) -> Result<Option<BTreeSet<usize>>> {
        if self.targets.is_empty() && self.cases.is_empty() {
            return Ok(None);
        }
        let mut named = match self.targets.as_slice() {
            [] => (0..plan.nodes.len()).collect(),
            words => all_named(plan, words)?,
        };
        if !self.cases.is_empty() {
            let of_case =
                |&index: &usize| plan.nodes[index].case.as_ref().is_some_and(|case| self.cases.contains(case));
            named.retain(of_case);
        }
        if named.is_empty() {
            let (targets, cases) = (self.targets.join(", "), self.cases.join(", "));
            let what = match targets.as_str() {
                "" => format!("no stage runs over {cases}"),
                _ => format!("no item of {targets} belongs to {cases}"),
            };
            return Err(Fault::usage(what).hint("a stage without `foreach` belongs to no case: name it without --case"));
        }
        Ok(Some(named))
    }

    /// Returns the nodes to be brought up to date; none means the whole plan.
    ///
    /// # Errors
    /// As [`Self::named`]; and when nothing is left.
    pub fn nodes(&self, plan: &Plan) -> Result<Option<BTreeSet<usize>>> {
        let named = self.named(plan)?;
        if named.is_none() && self.from.is_empty() && self.until.is_empty() {
            return Ok(None);
        }
        let mut chosen = named.unwrap_or_else(|| (0..plan.nodes.len()).collect());
        if self.downstream {
            chosen = with_dependents(plan, &chosen);
        }
        if !self.only {
            chosen = with_sources(plan, &chosen);
        }
        if !self.from.is_empty() {
            let from = with_dependents(plan, &all_named(plan, &self.from)?);
            chosen.retain(|node| from.contains(node));
        }
        if !self.until.is_empty() {
            let until = with_sources(plan, &all_named(plan, &self.until)?);
            chosen.retain(|node| until.contains(node));
        }
        if chosen.is_empty() {
            return Err(Fault::usage("nothing of the pipeline is left by these options together")
                .hint("`--from` keeps what needs a stage, `--until` what a stage needs"));
        }
        Ok(Some(chosen))
    }
}

/// Returns the nodes with all that need them, directly or not.
#[must_use]
pub fn with_dependents(plan: &Plan, targets: &BTreeSet<usize>) -> BTreeSet<usize> {
    let dependents = dependents(plan);
    let mut found = targets.clone();
    // What needs a node stands after it, so one pass reaches them all.
    for (index, those) in dependents.iter().enumerate() {
        if found.contains(&index) {
            found.extend(those);
        }
    }
    found
}

/// Returns the nodes that one word names; none when it names nothing.
#[must_use]
pub fn named_by(plan: &Plan, word: &str) -> BTreeSet<usize> {
    let those = |wanted: &dyn Fn(&Node) -> bool| -> BTreeSet<usize> {
        (0..plan.nodes.len()).filter(|&index| wanted(&plan.nodes[index])).collect()
    };
    let exact = those(&|node| node.stage == word || node.id == word);
    if !exact.is_empty() {
        return exact;
    }
    if word.contains(['*', '?']) {
        return those(&|node| matches(word, &node.id) || matches(word, &node.stage));
    }
    publishers(plan, word)
}

fn all_named(plan: &Plan, words: &[String]) -> Result<BTreeSet<usize>> {
    let mut all = BTreeSet::new();
    for word in words {
        let named = named_by(plan, word);
        if named.is_empty() {
            let names = plan.nodes.iter().flat_map(|node| [node.stage.as_str(), node.id.as_str()]);
            return Err(unknown("stage or item", word, names));
        }
        all.extend(named);
    }
    Ok(all)
}

/// Returns the fault of a word that names nothing, with the nearest that does.
#[must_use]
pub fn unknown<'a>(what: &str, word: &str, known: impl Iterator<Item = &'a str>) -> Fault {
    let fault = Fault::usage(format!("the pipeline has no {what} `{word}`"));
    match near_miss(word, known) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => fault.hint("`calvaria dag` draws the stages, `calvaria status` lists the items"),
    }
}

/// Returns who publishes a file of this name: of several names that it begins with the longest counts.
fn publishers(plan: &Plan, word: &str) -> BTreeSet<usize> {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
    let Some((stem, _)) = name.split_once('.') else { return BTreeSet::new() };
    let mut longest = 0;
    let mut found = BTreeSet::new();
    for (index, node) in plan.nodes.iter().enumerate() {
        let Some(base) = node.publish.as_ref().map(|publish| base_name(publish, node)) else { continue };
        let its = stem.strip_prefix(&base).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        if !its || base.len() < longest {
            continue;
        }
        if base.len() > longest {
            found.clear();
            longest = base.len();
        }
        found.insert(index);
    }
    found
}

/// Returns whether a pattern of `*` and `?` covers a text, whole.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // The last `*`, and how much of the text it has taken so far: a mismatch lets it take one letter more.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&letter) if letter == '?' || letter == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, t) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|&letter| letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::expand::fakes::{QUICK, plan};

    fn ids(plan: &Plan, selection: &Selection) -> Vec<String> {
        let chosen = selection.nodes(plan).unwrap().unwrap();
        chosen.into_iter().map(|index| plan.nodes[index].id.clone()).collect()
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn patterns_cover_whole_names() {
        for (pattern, text, covers) in [
            ("infer@p1*", "infer@p16,seed=2", true),
            ("*seed=2", "infer@p16,seed=2", true),
            ("infer@p1?", "infer@p16", true),
            ("infer@p1?", "infer@p16,seed=2", false),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), covers, "{pattern} {text}");
        }
    }

    #[test]
    fn targets_bring_what_they_need_and_only_does_not() {
        let plan = plan(QUICK).unwrap();
        let threshold = Selection { targets: words(&["threshold@p04"]), ..Selection::default() };
        assert_eq!(ids(&plan, &threshold), ["phantom@p04", "threshold@p04"]);
        let only = Selection { only: true, ..threshold.clone() };
        assert_eq!(ids(&plan, &only), ["threshold@p04"]);
        let down = Selection { downstream: true, only: true, ..threshold };
        let reached = ["surface@p04,method=threshold", "compare@p04,method=threshold", "table1"];
        assert_eq!(ids(&plan, &down)[1..], reached);
        let pattern = Selection { targets: words(&["thresh*"]), only: true, ..Selection::default() };
        assert_eq!(ids(&plan, &pattern), ["threshold@p03", "threshold@p04"]);
        let file = Selection { targets: words(&["results/quick/table1-slices.csv"]), only: true, ..pattern };
        assert_eq!(ids(&plan, &file), ["table1"]);
    }

    #[test]
    fn from_and_until_cut_the_graph() {
        let plan = plan(QUICK).unwrap();
        let between = Selection { from: words(&["surface"]), until: words(&["compare@p03*"]), ..Selection::default() };
        let found = ids(&plan, &between);
        assert!(found.iter().all(|id| id.starts_with("surface@p03") || id.starts_with("compare@p03")), "{found:?}");
        assert_eq!(found.len(), 10);
        let until = Selection { until: words(&["align@p01"]), ..Selection::default() };
        assert_eq!(ids(&plan, &until), ["phantom@p01", "align@p01"]);
        let none = Selection { from: words(&["table1"]), until: words(&["align"]), ..Selection::default() };
        assert!(none.nodes(&plan).is_err());
        assert!(Selection::default().nodes(&plan).unwrap().is_none());
    }

    #[test]
    fn words_that_name_nothing_are_answered() {
        let plan = plan(QUICK).unwrap();
        let fault = |selection: Selection| selection.nodes(&plan).unwrap_err();
        let wrong = fault(Selection { targets: words(&["infr"]), ..Selection::default() });
        assert!(wrong.hint.unwrap().contains("infer"));
        let wrong = fault(Selection { targets: words(&["table1"]), cases: words(&["p03"]), ..Selection::default() });
        assert!(wrong.what.contains("no item of table1 belongs to p03"), "{}", wrong.what);
    }
}
