//! Triangles into a depth buffer, seen without perspective: which triangle each sample shows, and where on it.
//!
//! Casting a ray for every sample through a tree of boxes shows the same picture; filling triangles shows it ten times
//! sooner, which the occlusion of [`occlusion`](super::occlusion) needs.

/// No triangle.
pub(super) const NONE: u32 = u32::MAX;

/// What the samples show.
pub(super) struct Depths {
    pub width: usize,
    pub height: usize,
    /// Distance from the eye's plane, mm; infinite where nothing is seen.
    pub depth: Vec<f32>,
    /// Index of the triangle, or [`NONE`].
    pub triangle: Vec<u32>,
    /// Weights of the triangle's second and third corner.
    pub weights: Vec<[f32; 2]>,
}

/// Returns the nearest triangle at each sample.
///
/// `projected` holds right (samples), down (samples) and depth of each vertex. A triangle covers a sample centre on its left
/// or upper edge too; of two at the same depth the first counts.
pub(super) fn fill(projected: &[[f64; 3]], triangles: &[[u32; 3]], width: usize, height: usize) -> Depths {
    let n = width * height;
    let mut depths =
        Depths { width, height, depth: vec![f32::INFINITY; n], triangle: vec![NONE; n], weights: vec![[0.0; 2]; n] };
    for (index, corners) in triangles.iter().enumerate() {
        depths.fill_one(index as u32, corners.map(|v| projected[v as usize]));
    }
    depths
}

impl Depths {
    /// Scan conversion: the weights are linear along a row, so each row knows where it begins and ends.
    fn fill_one(&mut self, index: u32, [a, b, c]: [[f64; 3]; 3]) {
        let area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]);
        if area == 0.0 || !area.is_finite() {
            return;
        }
        let bound = |axis: usize, size: usize| {
            let low = a[axis].min(b[axis]).min(c[axis]).ceil().max(0.0) as usize;
            let high = a[axis].max(b[axis]).max(c[axis]).floor();
            low..if high < 0.0 { 0 } else { (high as usize + 1).min(size) }
        };
        let (columns, rows) = (bound(0, self.width), bound(1, self.height));
        let (step_b, step_c) = ((c[1] - a[1]) / area, (a[1] - b[1]) / area);
        for y in rows {
            let (dx, dy) = (columns.start as f64 - a[0], y as f64 - a[1]);
            let start_b = (dx * (c[1] - a[1]) - dy * (c[0] - a[0])) / area;
            let start_c = (dy * (b[0] - a[0]) - dx * (b[1] - a[1])) / area;
            for x in columns.clone() {
                let along = (x - columns.start) as f64;
                let (weight_b, weight_c) = (start_b + along * step_b, start_c + along * step_c);
                let inside = weight_b >= 0.0 && weight_c >= 0.0 && weight_b + weight_c <= 1.0;
                if !inside {
                    continue;
                }
                let depth = (a[2] + weight_b * (b[2] - a[2]) + weight_c * (c[2] - a[2])) as f32;
                let at = x + self.width * y;
                if depth < self.depth[at] {
                    self.depth[at] = depth;
                    self.triangle[at] = index;
                    self.weights[at] = [weight_b as f32, weight_c as f32];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_triangle_is_seen_and_halves_meet_without_a_gap() {
        let corners = [[0.0, 0.0, 5.0], [8.0, 0.0, 5.0], [8.0, 8.0, 5.0], [0.0, 8.0, 5.0]];
        let near = [[2.0, 2.0, 1.0], [5.0, 2.0, 1.0], [2.0, 5.0, 1.0]];
        let projected: Vec<[f64; 3]> = corners.into_iter().chain(near).collect();
        let depths = fill(&projected, &[[0, 1, 2], [0, 2, 3], [4, 6, 5]], 9, 9);
        assert!(depths.triangle.iter().all(|&t| t != NONE), "the square is whole, its border included");
        assert_eq!(depths.triangle[3 + 9 * 3], 2);
        assert_eq!(depths.depth[3 + 9 * 3], 1.0);
        assert_eq!(depths.triangle[7 + 9 * 7], 0, "on the shared diagonal the first counts");
    }

    #[test]
    fn what_lies_outside_or_is_no_number_is_left_out() {
        let projected = [[-9.0, -9.0, 0.0], [-5.0, -9.0, 0.0], [-9.0, -5.0, 0.0], [f64::NAN, 1.0, 1.0]];
        let depths = fill(&projected, &[[0, 1, 2], [0, 1, 3], [0, 0, 1]], 4, 4);
        assert!(depths.triangle.iter().all(|&t| t == NONE));
    }
}
