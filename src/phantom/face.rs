//! The bones and cavities below the vault, each one function: the distance to it, negative inside.
//!
//! Coordinates are the face's own (see `Skull::face_from_head`), mm at scale 1, with x folded where a part is symmetric:
//! `f` is folded, `q` is not.

use super::shape::{ellipsoid, rounded_box, segment, smooth_max, smooth_min, smooth_step, tube, within};
use crate::space::DVec3;

/// Thickness of the walls between orbits, nose and sinuses, mm.
pub(super) const THIN_WALL_MM: f64 = 2.6;

/// The thick bone above the nose, around the frontal sinuses.
pub(super) fn frontal_bulk(f: DVec3) -> f64 {
    ellipsoid(f - DVec3::new(0.0, -72.0, -14.0), DVec3::new(34.0, 9.5, 15.0))
}

/// The pyramids that hold the inner ears.
pub(super) fn petrous(f: DVec3) -> f64 {
    tube(f, DVec3::new(56.0, 10.0, -42.0), DVec3::new(16.0, -10.0, -40.0), [9.5, 5.5])
}

/// The process behind the ear.
pub(super) fn mastoid(f: DVec3) -> f64 {
    ellipsoid(f - DVec3::new(54.0, 20.0, -52.0), DVec3::new(9.5, 13.0, 19.0))
}

/// The canal to the ear drum.
pub(super) fn ear_canal(f: DVec3) -> f64 {
    tube(f, DVec3::new(80.0, 4.0, -46.0), DVec3::new(44.0, 2.0, -44.0), [3.6, 3.0])
}

/// The body of the sphenoid bone and the slope behind it.
pub(super) fn clivus(f: DVec3) -> f64 {
    let body = ellipsoid(f - DVec3::new(0.0, -18.0, -46.0), DVec3::new(17.0, 17.0, 13.0));
    let slope = tube(f, DVec3::new(0.0, -6.0, -48.0), DVec3::new(0.0, 12.0, -62.0), [9.0, 5.0]);
    let plates = segment(f, DVec3::new(14.0, -36.0, -52.0), DVec3::new(15.0, -34.0, -80.0)).0 - 2.6;
    smooth_min(body, slope, 4.0).min(plates)
}

/// The air within the body of the sphenoid bone.
pub(super) fn sphenoid_sinus(f: DVec3) -> f64 {
    ellipsoid(f - DVec3::new(7.5, -20.0, -46.0), DVec3::new(6.3, 11.0, 9.0))
}

/// The orbital cavity: behind the rim an ellipsoid, in front open.
pub(super) fn orbit(f: DVec3, size: f64) -> f64 {
    ellipsoid(f - DVec3::new(31.5, -62.0, -34.0), DVec3::new(19.0, 29.0, 17.0) * size)
}

/// By how much the wall of the orbit is thicker towards its rim, mm.
pub(super) fn orbit_rim_mm(f: DVec3) -> f64 {
    3.5 * smooth_step(-62.0, -76.0, f.y)
}

/// The walls of the orbit, thin at the back, where they have this thickness, and thick at the rim.
pub(super) fn orbit_wall(f: DVec3, size: f64, thin_mm: f64) -> f64 {
    let inside = orbit(f, size);
    let wall = thin_mm + orbit_rim_mm(f);
    // The rim runs back towards the temple.
    smooth_max((inside - wall).max(-inside), -84.0 + 0.45 * (f.x - 12.0).max(0.0) - f.y, 2.0)
}

fn nasal_box(f: DVec3) -> f64 {
    rounded_box(f - DVec3::new(0.0, -58.0, -60.0), DVec3::new(13.0, 24.0, 21.0), 8.0)
}

/// Walls of the nasal cavity and the bridge of the nose.
pub(super) fn nose(f: DVec3) -> f64 {
    let inside = nasal_box(f);
    let walls = smooth_max((inside - THIN_WALL_MM).max(-inside), -77.0 - f.y, 2.0);
    walls.min(tube(f, DVec3::new(2.0, -80.0, -22.0), DVec3::new(4.0, -92.0, -46.0), [4.0, 2.0]))
}

/// The mucosa of the turbinates. Their bone and the septum's are too thin for an engineer's model: soft tissue here.
fn turbinates(f: DVec3) -> f64 {
    let low = tube(f, DVec3::new(7.5, -74.0, -70.0), DVec3::new(7.5, -42.0, -70.0), [3.4, 3.4]);
    let middle = tube(f, DVec3::new(7.0, -70.0, -55.0), DVec3::new(7.0, -42.0, -55.0), [3.2, 3.2]);
    low.min(middle)
}

/// The air of the nose, between septum and turbinates.
pub(super) fn nasal_air(f: DVec3, q: DVec3) -> f64 {
    within(f, [[-1.0, -82.0, -81.0], [13.0, -34.0, -39.0]], || nasal_box(f).max(-turbinates(f)).max(1.1 - q.x.abs()))
}

/// The cavity of the cheek.
pub(super) fn maxillary_sinus(f: DVec3) -> f64 {
    ellipsoid(f - DVec3::new(30.5, -56.0, -66.0), DVec3::new(13.5, 17.0, 15.0))
}

/// Walls of the maxillary sinus, hard palate and the arch that bears the upper teeth.
pub(super) fn maxilla(f: DVec3) -> f64 {
    let sinus = maxillary_sinus(f);
    let walls = (sinus - THIN_WALL_MM).max(-sinus);
    let palate = rounded_box(f - DVec3::new(0.0, -62.0, -81.0), DVec3::new(23.0, 22.0, 1.8), 1.5);
    walls.min(smooth_min(palate, arch(f, -84.5, 6.0), 3.0))
}

/// A tooth-bearing arch: the front half of an ellipse ring at height `z`, `high` to either side.
fn arch(f: DVec3, z: f64, high: f64) -> f64 {
    let ring = ellipsoid(DVec3::new(f.x, f.y + 52.0, 0.0), DVec3::new(25.0, 33.0, 1e3));
    smooth_max(smooth_max(ring.abs() - 5.5, (f.z - z).abs() - high, 4.0), f.y + 46.0, 3.0)
}

/// The cheek bone and the arch back to the ear.
pub(super) fn cheek(f: DVec3) -> f64 {
    let body = ellipsoid(f - DVec3::new(46.0, -62.0, -52.0), DVec3::new(9.0, 10.0, 11.0));
    let front = tube(f, DVec3::new(50.0, -58.0, -50.0), DVec3::new(65.0, -32.0, -48.0), [5.0, 4.0]);
    let back = tube(f, DVec3::new(65.0, -32.0, -48.0), DVec3::new(64.0, -4.0, -44.0), [4.0, 4.4]);
    let rim = tube(f, DVec3::new(48.0, -60.0, -46.0), DVec3::new(50.0, -58.0, -18.0), [4.0, 3.8]);
    smooth_min(smooth_min(body, front, 4.0), back, 2.0).min(rim)
}

/// The lower jaw: joint, branch, angle, body, and the arch of the lower teeth.
pub(super) fn mandible(f: DVec3) -> f64 {
    let (joint, angle) = (DVec3::new(55.0, -6.0, -60.0), DVec3::new(48.0, -10.0, -104.0));
    let neck = tube(f, joint, DVec3::new(53.0, -8.0, -74.0), [5.6, 4.5]);
    let branch = tube(f, DVec3::new(51.0, -16.0, -76.0), angle, [6.0, 6.5]);
    let front = tube(f, DVec3::new(49.0, -32.0, -64.0), DVec3::new(47.0, -22.0, -104.0), [3.0, 6.0]);
    let body = tube(f, angle, DVec3::new(14.0, -80.0, -122.0), [7.0, 7.5]);
    let chin = tube(f, DVec3::new(14.0, -80.0, -122.0), DVec3::new(0.0, -85.0, -123.0), [7.5, 8.0]);
    let jaw = smooth_min(smooth_min(branch, front, 6.0), smooth_min(body, chin, 4.0), 4.0);
    smooth_min(jaw, neck, 4.0).min(arch(f, -110.0, 6.0))
}

/// Atlas, axis and the bodies below.
pub(super) fn spine(f: DVec3) -> f64 {
    let dens = tube(f, DVec3::new(0.0, 16.0, -72.0), DVec3::new(0.0, 18.0, -92.0), [4.8, 6.0]);
    let bodies = tube(f, DVec3::new(0.0, 17.0, -94.0), DVec3::new(0.0, 20.0, -200.0), [10.0, 11.0]);
    let discs = 2.5 - ((f.z + 104.0) / 17.0 - ((f.z + 104.0) / 17.0).round()).abs() * 17.0;
    let masses = ellipsoid(f - DVec3::new(21.0, 24.0, -76.0), DVec3::new(9.0, 11.0, 8.0));
    let ring = ellipsoid(DVec3::new(f.x, f.y - 33.0, 0.0), DVec3::new(21.0, 19.0, 1e3)).abs();
    let back = smooth_max(ring - 3.5, (f.z + 78.0).abs() - 5.0, 3.0).max(30.0 - f.y);
    dens.min(bodies.max(discs)).min(masses).min(back)
}

/// The eyeball.
pub(super) fn eyeball(f: DVec3) -> f64 {
    (f - DVec3::new(31.5, -72.0, -34.0)).length() - 12.0
}
