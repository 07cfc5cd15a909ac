//! Where a vertex may lie on its grid edge: off the ends, so that no two vertices ever share a position.
//!
//! A value equal to the iso-value would put the vertices of up to six edges on one grid point. An exact weld, such as every
//! reader of STL does, would then pinch the surface. So the edge parameter is kept in [e, 1 - e], with e so large that the
//! vertices of different edges stay apart after rounding to single precision:
//!
//! - Let s be the least spacing, and M the largest absolute coordinate of the lattice's corners, mm. By convexity no
//!   coordinate of a vertex exceeds M.
//! - Two edges that share a grid point and are perpendicular hold vertices at least sqrt(2) e s apart; two that share one
//!   and are collinear, 2 e s; two that share none differ by at least a whole step along some axis, so by s. Axes are
//!   orthonormal only within 1e-3 an entry of their Gram matrix, so lengths may shrink by a factor
//!   sqrt(1 - 3e-3) > 0.998. With e <= 1/2 the least distance is 1.411 e s.
//! - Rounding to single precision moves a coordinate by at most M 2^-24, the f64 arithmetic before it by less than M 2^-48.
//!   Two vertices that coincide afterwards were at most sqrt(3) M 2^-23 (1 + 2^-20) apart.
//! - So they stay apart when 1.411 e s > 1.7321 M 2^-23, that is e > 1.228 * 2^-23 M / s. We take e = 2^-22 M / s, the
//!   rest being reserve, and never less than a thousandth.
//!
//! e reaches its end, 1/2, at M / s = 2^21: voxels of 0.5 mm a kilometre from the origin. Farther out, positions do not
//! fit into single precision at all, and the promise ends (as it does for voxels so small that single precision underflows). A scan has M / s below 4000, where e is a thousandth.

use crate::space::{DVec3, Grid};

/// The clearance wherever single precision allows it: no triangle vanishes, and no vertex lies on a voxel centre.
const USUAL: f64 = 1e-3;

/// Returns how far, in edges, a vertex stays from the ends of its grid edge. `pad` is the number of layers around the grid.
pub(super) fn clearance(grid: &Grid, pad: usize) -> f64 {
    let low = DVec3::splat(-(pad as f64));
    let high = DVec3::from_array(grid.size.map(|n| (n - 1 + pad) as f64));
    let world_from_voxel = grid.world_from_voxel();
    let farthest_mm =
        (0..8)
            .map(|corner| {
                let voxel = DVec3::from_array(std::array::from_fn(|axis| {
                    if corner >> axis & 1 == 0 { low[axis] } else { high[axis] }
                }));
                world_from_voxel.transform_point3(voxel).abs().max_element()
            })
            .fold(0.0, f64::max);
    let needed = farthest_mm / grid.spacing_mm.min_element() / f64::from(1 << 22);
    // A grid whose coordinates overflow needs no number.
    if needed.is_nan() { USUAL } else { needed.clamp(USUAL, 0.5) }
}

/// Returns where on an edge the linear interpolation crosses the surface, from the depths at its ends.
///
/// Depths have opposite signs, so that their difference is no zero. Of an infinite and a finite depth the crossing is the
/// limit, at the finite end; between two infinite ones, or where a depth is not a number, it is the middle.
pub(super) fn crossing(low: f64, high: f64, clearance: f64) -> f64 {
    let share = low / (low - high);
    let share = if !share.is_nan() {
        share
    } else if low.is_infinite() && high.is_finite() {
        1.0
    } else {
        0.5
    };
    share.clamp(clearance, 1.0 - clearance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::DMat3;

    #[test]
    fn a_scan_has_the_usual_clearance_and_a_far_grid_a_larger_one() {
        let at = |origin_mm: f64| {
            Grid::new([512, 512, 140], DVec3::splat(origin_mm), DVec3::new(0.25, 0.25, 1.0), DMat3::IDENTITY).unwrap()
        };
        assert_eq!(clearance(&at(-500.0), 1), USUAL);
        assert!((clearance(&at(-1e5), 1) - 1e5 / 0.25 / 4_194_304.0).abs() < 1e-4);
        assert_eq!(clearance(&at(1e12), 1), 0.5);
        assert_eq!(clearance(&at(1e308), 0), 0.5);
    }

    #[test]
    fn crossings_follow_the_values_and_their_limits() {
        let at = |low, high| crossing(low, high, 1e-3);
        assert_eq!((at(1.0, -3.0), at(-3.0, 1.0)), (0.25, 0.75));
        assert_eq!((at(0.0, -3.0), at(-3.0, 0.0)), (1e-3, 0.999), "a tie stays off the end");
        let far = f64::INFINITY;
        assert_eq!((at(far, -1.0), at(-far, 1.0)), (0.999, 0.999), "at the finite end");
        assert_eq!((at(-1.0, far), at(1.0, -far)), (1e-3, 1e-3), "at the finite end");
        assert_eq!((at(far, -far), at(f64::NAN, 1.0), at(0.0, f64::NAN)), (0.5, 0.5, 0.5));
        assert_eq!(at(1e300, -1e-320), 0.999);
    }
}
