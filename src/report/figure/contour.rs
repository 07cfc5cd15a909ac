//! Lines on a view: where sampled values cross a level (marching squares), and where a mesh cuts the plane.

use super::{canvas::Point, view::View};
use crate::{mesh::Mesh, space::DVec3};

/// Returns the segments where values on a `width`-wide raster cross `level`, in pixels.
///
/// ```text
/// 0 ─ a ─ 1      a cell of four pixel centres; a crossing is put on an edge by linear interpolation;
/// d       b      of the two ways through a saddle the one is taken that joins the corners on the
/// 3 ─ c ─ 2      mean value's side
/// ```
pub(super) fn crossings(values: &[f64], width: usize, level: f64) -> Vec<[Point; 2]> {
    let height = values.len().checked_div(width).unwrap_or(0);
    let mut segments = Vec::new();
    for y in 1..height {
        for x in 1..width {
            let corner = |dx: usize, dy: usize| values[x - 1 + dx + width * (y - 1 + dy)] - level;
            let corners = [corner(0, 0), corner(1, 0), corner(1, 1), corner(0, 1)];
            cell(corners, [x as f64 - 1.0, y as f64 - 1.0], &mut segments);
        }
    }
    segments
}

fn cell(v: [f64; 4], [x, y]: Point, segments: &mut Vec<[Point; 2]>) {
    let inside = v.map(|v| v >= 0.0);
    let count = inside.iter().filter(|inside| **inside).count();
    if count == 0 || count == 4 || v.iter().any(|v| v.is_nan()) {
        return;
    }
    let at = |from: usize, to: usize| v[from] / (v[from] - v[to]);
    let on_edge = |edge: usize| match edge {
        0 => [x + at(0, 1), y],
        1 => [x + 1.0, y + at(1, 2)],
        2 => [x + at(3, 2), y + 1.0],
        _ => [x, y + at(0, 3)],
    };
    let crossed: Vec<usize> = (0..4).filter(|&edge| inside[edge] != inside[(edge + 1) % 4]).collect();
    if let [a, b] = crossed[..] {
        segments.push([on_edge(a), on_edge(b)]);
        return;
    }
    // A saddle: cut off the two corners whose side is not the middle's.
    let middle = v.iter().sum::<f64>() >= 0.0;
    for corner in (0..4).filter(|&corner| inside[corner] != middle) {
        segments.push([on_edge((corner + 3) % 4), on_edge(corner)]);
    }
}

/// Returns the segments where the mesh cuts the plane of the view, in pixels.
pub(super) fn section(mesh: &Mesh, view: &View) -> Vec<[Point; 2]> {
    let heights_mm: Vec<f64> = mesh.vertices.iter().map(|&p| view.height_mm(p)).collect();
    let known = |v: u32| (v as usize) < mesh.vertices.len();
    let whole = mesh.triangles.iter().filter(|triangle| triangle.iter().all(|&v| known(v)));
    whole
        .filter_map(|triangle| cut(triangle.map(|v| (mesh.vertices[v as usize], heights_mm[v as usize]))))
        .map(|cut| cut.map(|p| view.pixel(p)))
        .collect()
}

fn cut(corners: [(DVec3, f64); 3]) -> Option<[DVec3; 2]> {
    let mut ends = [DVec3::ZERO; 2];
    let mut found = 0;
    for i in 0..3 {
        let ((p, from), (q, to)) = (corners[i], corners[(i + 1) % 3]);
        if (from < 0.0) != (to < 0.0) {
            ends[found] = p + (q - p) * (from / (from - to));
            found += 1;
        }
    }
    (found == 2).then_some(ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::view::Plane;

    #[test]
    fn one_pixel_is_a_diamond() {
        let mut values = [0.0; 9];
        values[4] = 1.0;
        let segments = crossings(&values, 3, 0.5);
        assert_eq!(segments.len(), 4);
        for end in segments.iter().flatten() {
            assert_eq!((end[0] - 1.0).abs() + (end[1] - 1.0).abs(), 0.5, "half way to a neighbour: {end:?}");
        }
    }

    #[test]
    fn a_saddle_joins_the_side_of_its_mean() {
        let joined = crossings(&[1.0, 0.0, 0.0, 1.0], 2, 0.4);
        // The mean 0.5 is inside, so the two outside corners are cut off.
        assert_eq!(joined.len(), 2);
        assert!(joined.iter().all(|[a, b]| (a[0] - b[0]).abs() < 0.5), "{joined:?}");
        assert!(crossings(&[f64::NAN, 0.0, 0.0, 1.0], 2, 0.4).is_empty());
    }

    #[test]
    fn a_tetrahedron_is_cut_in_a_triangle() {
        let vertices = vec![DVec3::ZERO, DVec3::X * 4.0, DVec3::Y * 4.0, DVec3::Z * 4.0];
        let mesh = Mesh { vertices, triangles: vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3], [7, 8, 9]] };
        let view =
            View { plane: Plane::Axial, centre_mm: DVec3::new(0.0, 0.0, 1.0), mm_per_px: 1.0, width: 1, height: 1 };
        let segments = section(&mesh, &view);
        assert_eq!(segments.len(), 3);
        let length = |[a, b]: &[Point; 2]| ((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1])).sqrt();
        let mut lengths: Vec<f64> = segments.iter().map(length).collect();
        lengths.sort_by(f64::total_cmp);
        assert!((lengths[0] - 3.0).abs() < 1e-12 && (lengths[2] - 3.0 * 2.0_f64.sqrt()).abs() < 1e-12, "{lengths:?}");
    }
}
