//! Is a mesh fit to be measured, voxelized, printed? All findings, a verdict in plain words, and what to do.

use serde::Serialize;

use super::{
    Mesh,
    check::{self, Report},
    intersect::self_intersections,
};
use crate::space::Frame;

/// Extents, in the mesh's own numbers, of a skull or a good part of one in each unit; none overlap.
const EXTENTS: [(&str, f64, f64); 3] = [("m", 0.03, 0.6), ("inch", 3.0, 14.0), ("mm", 30.0, 600.0)];

/// Everything that can be said of a mesh.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Examination {
    /// Counts, topology and measures.
    #[serde(flatten)]
    pub report: Report,
    /// Pairs of triangles that meet elsewhere than in shared corners and sides.
    pub self_intersections: usize,
    /// The first few such pairs, triangles numbered from 0.
    pub intersecting_pairs: Vec<[usize; 2]>,
    /// Whether all pairs were looked at; if not, there are at least so many.
    pub intersections_complete: bool,
    /// Vertices at the same position as an earlier one.
    pub repeated_vertices: usize,
    /// The unit in which the mesh is about as large as a head: mm, m or inch; none when it is in none of them.
    pub unit_guess: Option<&'static str>,
    /// The frame that the file states; none when it states none.
    pub frame_guess: Option<Frame>,
    /// Closed, consistently oriented, facing out, with usable vertices: voxelizing and measuring are exact.
    pub fit: bool,
    /// The findings in a sentence.
    pub verdict: String,
    /// What to do about each finding that matters.
    pub remedies: Vec<String>,
}

/// Examines a mesh whose file states a frame, or none.
#[must_use]
pub fn examine(mesh: &Mesh, frame: Option<Frame>) -> Examination {
    let report = check::check(mesh);
    let found = self_intersections(mesh);
    let repeated_vertices = repeated(mesh);
    let extent = report.bounds_mm.map_or(0.0, |[low, high]| (0..3).map(|i| high[i] - low[i]).fold(0.0, f64::max));
    let unit_guess = EXTENTS.iter().find(|(_, low, high)| (*low..=*high).contains(&extent)).map(|&(unit, ..)| unit);
    let mut examination = Examination {
        self_intersections: found.pairs,
        intersecting_pairs: found.first,
        intersections_complete: found.complete,
        repeated_vertices,
        unit_guess,
        frame_guess: frame,
        fit: false,
        verdict: String::new(),
        remedies: Vec::new(),
        report,
    };
    let (faults, remarks) = (faults(&examination), remarks(&examination, extent));
    examination.fit = faults.is_empty();
    let words = |findings: &[(String, String)]| {
        findings.iter().map(|(finding, _)| finding.as_str()).collect::<Vec<_>>().join("; ")
    };
    examination.verdict = match (faults.is_empty(), remarks.is_empty()) {
        (true, true) => "fit: a closed, oriented, manifold surface without self-intersections".to_owned(),
        (true, false) => format!("fit, with remarks: {}", words(&remarks)),
        (false, true) => format!("unfit: {}", words(&faults)),
        (false, false) => format!("unfit: {}; also: {}", words(&faults), words(&remarks)),
    };
    examination.remedies = faults.into_iter().chain(remarks).map(|(_, remedy)| remedy).collect();
    examination
}

/// Returns what makes the inside of a mesh uncertain, each with a remedy.
fn faults(found: &Examination) -> Vec<(String, String)> {
    let report = &found.report;
    let mut faults = Vec::new();
    let mut fault = |is: bool, finding: String, remedy: &str| {
        if is {
            faults.push((finding, remedy.to_owned()));
        }
    };
    fault(
        report.triangles == 0 || report.triangles == report.degenerate,
        "it has no triangles with an area".to_owned(),
        "export it again",
    );
    fault(
        report.non_finite + report.dangling > 0,
        format!("{} vertices are no numbers and {} references lead nowhere", report.non_finite, report.dangling),
        "export it again",
    );
    let parted = report.open_edges > 0 && found.repeated_vertices > 0;
    fault(
        !report.closed && report.triangles > 0,
        format!("it is open: {} edges in one triangle only, {} rims", report.open_edges, report.boundary_loops),
        if parted {
            "vertices stand in the same place without being shared: weld them, or save as STL, and check again"
        } else {
            "close the holes in the program it came from; `voxelize` spans them and reports what that changes"
        },
    );
    fault(
        !report.oriented,
        "neighbouring triangles face different sides".to_owned(),
        "recompute the normals (`voxelize` turns them by itself)",
    );
    fault(
        report.closed && report.oriented && report.volume_mm3 < 0.0,
        "it is inside out: its volume is negative".to_owned(),
        "flip the normals of the whole mesh",
    );
    faults
}

/// Returns what a careful reader would want to know, each with a remedy.
fn remarks(found: &Examination, extent: f64) -> Vec<(String, String)> {
    let report = &found.report;
    let mut remarks = Vec::new();
    let mut remark = |is: bool, finding: String, remedy: &str| {
        if is {
            remarks.push((finding, remedy.to_owned()));
        }
    };
    let least = if found.intersections_complete { "" } else { "at least " };
    remark(
        found.self_intersections > 0,
        format!("{least}{} pairs of triangles run into each other", found.self_intersections),
        "bodies that overlap: voxelize with `--rule nonzero` for their union, or unite them",
    );
    remark(
        !report.manifold,
        format!(
            "{} edges are in more than two triangles, {} vertices are pinched",
            report.crowded_edges, report.pinched_vertices
        ),
        "bodies that touch: harmless for labels and distances; separate them before printing",
    );
    remark(
        report.degenerate + report.duplicate > 0,
        format!("{} triangles have no area, {} are copies", report.degenerate, report.duplicate),
        "remove them (they change no label)",
    );
    let metres_or_inches = match found.unit_guess {
        Some("m") => "say `unit: m` for it in the manifest, or `--unit m`",
        Some("inch") => "scale it by 25.4",
        _ => "check its unit",
    };
    remark(
        found.unit_guess != Some("mm") && extent > 0.0,
        match found.unit_guess {
            Some(unit) => format!("it is {extent:.3} across: a head in {unit}, not in mm"),
            None => format!("it is {extent:.3} across: no part of a head in mm, m or inches"),
        },
        metres_or_inches,
    );
    remarks
}

/// Returns the number of vertices at the position of an earlier one.
fn repeated(mesh: &Mesh) -> usize {
    use rayon::prelude::*;
    // adding 0 makes -0 equal to 0
    let mut keys: Vec<[u64; 3]> = mesh.vertices.par_iter().map(|&p| (p + 0.0).to_array().map(f64::to_bits)).collect();
    keys.par_sort_unstable();
    keys.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::DVec3;

    fn tetrahedron(side: f64) -> Mesh {
        let vertices = vec![DVec3::ZERO, side * DVec3::X, side * DVec3::Y, side * DVec3::Z];
        Mesh { vertices, triangles: vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]] }
    }

    #[test]
    fn a_sound_head_is_fit_and_a_damaged_one_is_told_what_to_do() {
        let good = examine(&tetrahedron(200.0), Some(Frame::Ras));
        assert!(good.fit && good.remedies.is_empty() && good.verdict.starts_with("fit: a closed"), "{good:?}");
        assert_eq!((good.unit_guess, good.frame_guess), (Some("mm"), Some(Frame::Ras)));
        let mut open = tetrahedron(200.0);
        open.triangles.pop();
        let open = examine(&open, None);
        assert!(!open.fit && open.verdict.contains("3 edges in one triangle only, 1 rims"), "{}", open.verdict);
        assert!(open.remedies[0].contains("voxelize"));
        let mut out = tetrahedron(200.0);
        out.triangles.iter_mut().for_each(|t| t.swap(0, 1));
        assert!(examine(&out, None).verdict.contains("inside out"));
        let whole = tetrahedron(200.0);
        let soup = Mesh {
            vertices: (0..4).flat_map(|t| whole.corners(t)).collect(),
            triangles: (0..4).map(|t| [3 * t, 3 * t + 1, 3 * t + 2]).collect(),
        };
        let soup = examine(&soup, None);
        assert!(soup.repeated_vertices == 8 && soup.remedies[0].contains("weld"), "{soup:?}");
        assert!(!examine(&Mesh::default(), None).fit);
    }

    #[test]
    fn units_are_guessed_by_the_size_of_a_head() {
        let guess = |side: f64| examine(&tetrahedron(side), None).unit_guess;
        assert_eq!([0.18, 7.5, 190.0].map(guess), [Some("m"), Some("inch"), Some("mm")]);
        assert_eq!([1.5, 20.0, 5000.0].map(guess), [None; 3]);
        let metres = examine(&tetrahedron(0.18), None);
        assert!(metres.fit && metres.remedies[0].contains("unit: m"), "{metres:?}");
    }

    #[test]
    fn bodies_that_overlap_are_a_remark() {
        let mut pair = tetrahedron(200.0);
        let base = pair.vertices.len() as u32;
        pair.vertices.extend(tetrahedron(200.0).vertices.iter().map(|&p| p + DVec3::new(20.0, 30.0, 25.0)));
        pair.triangles.extend(tetrahedron(1.0).triangles.iter().map(|t| t.map(|v| v + base)));
        let found = examine(&pair, None);
        assert!(found.fit && found.self_intersections > 0 && found.intersections_complete, "{found:?}");
        assert!(found.remedies[0].contains("nonzero"));
    }
}
