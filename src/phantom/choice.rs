//! Decisions about what is at a place: at a point, with the nearest boundary; or in a small cube, with the shares.
//!
//! A body asks "is it inside this surface" again and again until it knows the density. At a point each question has one
//! answer. In a cube that a surface passes it has two, each with a share by the distance of the cube's middle, so the
//! questions are asked again for every way through them: a share of each density, without sampling the cube.

use super::body::Sample;

/// Share of a first-order distance that is trusted as a lower bound of the true distance.
const TRUST: f64 = 0.6;

/// One way of answering.
pub(super) trait Decide {
    /// Returns whether the place is inside a surface.
    fn inside(&mut self, distance_mm: f64) -> bool;
    /// As [`Decide::inside`], for a surface between soft tissues.
    fn inside_soft(&mut self, distance_mm: f64) -> bool;
    /// Notes a surface that decides nothing here.
    fn note(&mut self, distance_mm: f64);
}

/// A density being decided at a point, with the nearest boundary seen so far.
pub(super) struct Choice {
    clear_mm: f64,
    even_mm: f64,
}

impl Choice {
    /// Returns a choice before its first question.
    pub(super) const fn new() -> Self {
        Self { clear_mm: f64::INFINITY, even_mm: f64::INFINITY }
    }

    /// Returns what was found.
    pub(super) fn density(self, hu: f64) -> Sample {
        Sample { hu, clear_mm: self.clear_mm * TRUST, even_mm: self.even_mm * TRUST }
    }
}

impl Decide for Choice {
    fn inside(&mut self, distance_mm: f64) -> bool {
        self.even_mm = self.even_mm.min(distance_mm.abs());
        self.inside_soft(distance_mm)
    }

    fn inside_soft(&mut self, distance_mm: f64) -> bool {
        self.clear_mm = self.clear_mm.min(distance_mm.abs());
        distance_mm < 0.0
    }

    fn note(&mut self, distance_mm: f64) {
        self.inside(distance_mm);
    }
}

/// Questions with two answers that are followed; beyond these the middle of the cube answers.
const DEEPEST: usize = 6;

/// The ways through the questions in a cube.
pub(super) struct Paths {
    per_mm: f64,
    /// Answers to the questions with two, in the order in which they were asked.
    answers: [bool; DEEPEST],
    /// How many of them are set before the questions are asked again.
    known: usize,
    asked: usize,
    share: f64,
}

impl Decide for Paths {
    fn inside(&mut self, distance_mm: f64) -> bool {
        let share = 0.5 - distance_mm * self.per_mm;
        if share <= 0.0 || share >= 1.0 || self.asked == DEEPEST {
            return distance_mm < 0.0;
        }
        if self.asked == self.known {
            self.answers[self.asked] = true;
            self.known += 1;
        }
        let inside = self.answers[self.asked];
        self.asked += 1;
        self.share *= if inside { share } else { 1.0 - share };
        inside
    }

    fn inside_soft(&mut self, distance_mm: f64) -> bool {
        self.inside(distance_mm)
    }

    fn note(&mut self, _: f64) {}
}

/// Sorts the contents of a cube of an edge, mm: calls `found` with each density that `decide` comes to and its share. The
/// shares sum to 1.
pub(super) fn mix<D>(edge_mm: f64, decide: impl Fn(&mut Paths) -> D, found: &mut dyn FnMut(f64, D)) {
    let mut paths = Paths { per_mm: edge_mm.recip(), answers: [true; DEEPEST], known: 0, asked: 0, share: 1.0 };
    loop {
        (paths.asked, paths.share) = (0, 1.0);
        let density = decide(&mut paths);
        found(paths.share, density);
        // The last question whose second answer was not followed yet.
        while paths.known > 0 && !paths.answers[paths.known - 1] {
            paths.known -= 1;
        }
        if paths.known == 0 {
            return;
        }
        paths.answers[paths.known - 1] = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two parallel surfaces at heights 0 and 1: below 0 the density is 1, between them 2, above 3.
    fn layers(z: f64, choice: &mut impl Decide) -> f64 {
        if choice.inside(z) {
            1.0
        } else if choice.inside_soft(z - 1.0) {
            2.0
        } else {
            3.0
        }
    }

    fn shares(z: f64, edge_mm: f64) -> [f64; 3] {
        let mut shares = [0.0; 3];
        mix(edge_mm, |paths| layers(z, paths), &mut |share, density| shares[density as usize - 1] += share);
        shares
    }

    #[test]
    fn a_cube_holds_the_shares_of_its_layers() {
        assert_eq!(shares(-2.0, 1.0), [1.0, 0.0, 0.0]);
        assert_eq!(shares(0.0, 1.0), [0.5, 0.5, 0.0]);
        assert_eq!(shares(0.75, 1.0), [0.0, 0.75, 0.25]);
        // Both surfaces pass a cube that is larger than their distance: the shares still sum to 1.
        let [below, between, above] = shares(0.5, 2.0);
        assert_eq!([below, between + above], [0.25, 0.75]);
        assert!(between > 0.5 && above > 0.1);
    }

    #[test]
    fn a_point_knows_its_nearest_boundary() {
        let mut choice = Choice::new();
        let hu = layers(0.75, &mut choice);
        let sample = choice.density(hu);
        assert_eq!((sample.hu, sample.clear_mm, sample.even_mm), (2.0, 0.25 * TRUST, 0.75 * TRUST));
    }
}
