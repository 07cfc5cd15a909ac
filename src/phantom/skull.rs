//! The bone of a head as one signed distance: vault, base, face, jaws, teeth, upper spine.
//!
//! ```text
//!            outer table   ___________
//!            diploe      /           \        vault: an ellipsoid, tapered and sheared, cut below by the base plane;
//!            inner table |   cavity   |       its wall is the layer from the outer surface `s = 0` to `s = -wall`
//!          frontal sinus |            |
//!               orbit  ( )\___________/
//!     nasal, maxilla  [ ][ ]   | foramen      face: cavities with walls, tubes and arches, each one function, x folded
//!             teeth     UUU    spine
//! ```

use crate::space::DVec3;

use super::{
    anatomy::Anatomy,
    shape::{ellipsoid, rounded_box, segment, smooth_max, smooth_min, smooth_step, tube},
};

/// What a piece of bone is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Make {
    /// Two tables with diploe between.
    Vault,
    /// A compact shell about spongy bone.
    Shelled,
    /// Compact throughout.
    Compact,
    /// Full of air cells.
    Mastoid,
    /// Enamel and dentine.
    Tooth,
}

/// The bone near a point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bone {
    /// Signed distance to the bone's surface, mm, negative inside; a lower bound far from it.
    pub(super) distance_mm: f64,
    /// What the nearest piece is made of.
    pub(super) make: Make,
}

/// Where a point is against the braincase.
#[derive(Clone, Copy, Debug)]
pub(super) struct Braincase {
    /// Signed distance to the outer surface of vault and base, mm, negative inside.
    pub(super) outer_mm: f64,
    /// Thickness of the wall here, mm.
    pub(super) wall_mm: f64,
}

/// Above this height, mm, there is only vault.
const FACE_TOP_MM: f64 = 12.0;
/// Thickness of the walls between orbits, nose and sinuses, mm.
const THIN_WALL_MM: f64 = 2.0;

/// A skull, ready to be sampled.
#[derive(Clone, Debug)]
pub(super) struct Skull {
    /// The numbers that it is made from.
    pub(super) anatomy: Anatomy,
    /// Roots of the teeth present: upper or lower, position in the folded face.
    teeth: Vec<DVec3>,
}

impl Skull {
    /// Returns the skull of an anatomy.
    pub(super) fn new(anatomy: Anatomy) -> Self {
        let teeth = (0..28)
            .filter(|tooth| anatomy.missing_teeth >> tooth & 1 == 0)
            .map(|tooth| {
                // Seven teeth a side on a half ellipse 25 x 33 mm, at equal steps of x² + … of the arch's angle.
                let (side, step) = (if tooth % 14 < 7 { 1.0 } else { -1.0 }, f64::from(tooth % 7));
                let across = 0.13 + 0.135 * step;
                let ahead = (1.0 - across * across).max(0.0).sqrt();
                DVec3::new(side * 25.0 * across, -52.0 - 33.0 * ahead, if tooth < 14 { -88.0 } else { -103.0 })
            })
            .collect();
        Self { anatomy, teeth }
    }

    /// Returns the point in the coordinates in which the face was designed.
    pub(super) fn face_from_head(&self, p: DVec3) -> DVec3 {
        let a = &self.anatomy;
        let y = p.y + (a.length_mm * a.front_share - 83.0);
        DVec3::new(p.x - a.face_lean * (-p.z - 20.0).max(0.0), y, p.z / a.face_height) / a.face_scale
    }

    /// Returns the point of the head at a place in the face's coordinates.
    pub(super) fn head_from_face(&self, q: DVec3) -> DVec3 {
        let a = &self.anatomy;
        let p = q * a.face_scale;
        let z = p.z * a.face_height;
        DVec3::new(p.x + a.face_lean * (-z - 20.0).max(0.0), p.y - (a.length_mm * a.front_share - 83.0), z)
    }

    /// Returns where a point of the head is against the braincase.
    pub(super) fn braincase(&self, p: DVec3) -> Braincase {
        let a = &self.anatomy;
        let length_mm = if p.y < 0.0 { a.length_mm * a.front_share } else { a.length_mm * (1.0 - a.front_share) };
        let taper = 1.0 + a.taper * (p.y / length_mm).clamp(-1.2, 1.2);
        let q = DVec3::new(p.x / taper, p.y + a.shear * p.x, p.z);
        let radii = DVec3::new(0.5 * a.breadth_mm / (1.0 + 0.5 * a.taper), length_mm, a.height_mm);
        let normal_x = {
            let n = q / radii / radii;
            if n.length_squared() > 0.0 { n.x * n.x / n.length_squared() } else { 0.0 }
        };
        // Distances across x were shortened by the taper: lengthen them again, or the wall would be off by a tenth.
        let round = ellipsoid(q, radii) * (1.0 + (taper - 1.0) * normal_x);
        let floor = -(p.z + 44.0 + a.base_slope * p.y) / (1.0 + a.base_slope * a.base_slope).sqrt();
        let (x, y, z) = (q.x / radii.x, p.y / length_mm, (p.z / a.height_mm).max(0.0));
        let vault = a.wall_mm + a.wall_back_mm * y - a.wall_side_mm * x * x + 0.5 * z * z;
        let base = smooth_step(-12.0, -34.0, p.z);
        let wall_mm = vault.clamp(4.3, 7.6) * (1.0 - base) + 4.5 * base;
        Braincase { outer_mm: smooth_max(round, floor, 18.0), wall_mm }
    }

    /// Returns the bone at a point of the head, whose place against the braincase is known.
    pub(super) fn bone(&self, p: DVec3, case: Braincase) -> Bone {
        let shell = case.outer_mm.max(-case.wall_mm - case.outer_mm);
        let mut bone = Bone { distance_mm: shell, make: Make::Vault };
        if p.z > FACE_TOP_MM {
            // All else begins lower: its distance is at least the height above it.
            bone.distance_mm = shell.min(p.z - FACE_TOP_MM + 3.0);
            return bone;
        }
        let q = self.face_from_head(p);
        let scale = self.anatomy.face_scale * self.anatomy.face_height;
        let f = DVec3::new(q.x.abs(), q.y, q.z);
        let mut add = |distance: f64, make| {
            if distance * scale < bone.distance_mm {
                bone = Bone { distance_mm: distance * scale, make };
            }
        };
        add(frontal_bulk(f), Make::Shelled);
        add(petrous(f), Make::Compact);
        add(ellipsoid(f - DVec3::new(58.0, 20.0, -52.0), DVec3::new(10.0, 13.0, 19.0)), Make::Mastoid);
        add(clivus(f), Make::Shelled);
        add(orbit_wall(f, self.anatomy.orbit_scale), Make::Compact);
        add(nose(f, q), Make::Compact);
        add(maxilla(f), Make::Shelled);
        add(cheek(f), Make::Shelled);
        add(mandible(f), Make::Shelled);
        add(spine(f), Make::Shelled);
        add(self.teeth(q), Make::Tooth);
        let hollow = self.cavities(q) * scale;
        let foramen =
            tube(q, DVec3::new(0.0, 30.0, -30.0), DVec3::new(0.0, 36.0, -160.0), [self.anatomy.foramen_mm, 9.0]);
        bone.distance_mm = smooth_max(bone.distance_mm, -hollow.min(foramen * scale), 0.6);
        bone
    }

    /// Returns the distance to the nearest air-filled or orbital cavity, in face units, negative inside.
    pub(super) fn cavities(&self, q: DVec3) -> f64 {
        let f = DVec3::new(q.x.abs(), q.y, q.z);
        orbit(f, self.anatomy.orbit_scale).min(self.sinuses(q)).min(ear_canal(f))
    }

    /// Returns the distance to the nearest space that holds air (or sinus fluid), in face units, negative inside.
    pub(super) fn sinuses(&self, q: DVec3) -> f64 {
        let f = DVec3::new(q.x.abs(), q.y, q.z);
        self.frontal_sinus(q).min(maxillary_sinus(f)).min(sphenoid_sinus(f)).min(nasal_air(f, q))
    }

    fn frontal_sinus(&self, q: DVec3) -> f64 {
        let size = self.anatomy.frontal_sinus[usize::from(q.x < 0.0)];
        if size < 0.25 {
            return f64::INFINITY;
        }
        let radii = DVec3::new(11.0, 3.6, 10.0) * (0.5 + 0.5 * size);
        ellipsoid(DVec3::new(q.x.abs() - 11.5, q.y + 76.5, q.z + 9.0), radii)
    }

    fn teeth(&self, q: DVec3) -> f64 {
        let row = rounded_box(q - DVec3::new(0.0, -68.0, -95.5), DVec3::new(31.0, 22.0, 17.0), 1.0);
        if row > 3.0 {
            return row;
        }
        self.teeth
            .iter()
            .fold(row.max(3.0), |nearest, &tooth| nearest.min(ellipsoid(q - tooth, DVec3::new(3.4, 3.8, 9.0))))
    }

    /// Returns the positions of the teeth in the face's coordinates.
    pub(super) fn tooth_positions(&self) -> &[DVec3] {
        &self.teeth
    }
}

/// The thick bone above the nose, around the frontal sinuses.
fn frontal_bulk(f: DVec3) -> f64 {
    ellipsoid(f - DVec3::new(0.0, -72.0, -14.0), DVec3::new(34.0, 9.5, 15.0))
}

/// The pyramids that hold the inner ears.
fn petrous(f: DVec3) -> f64 {
    tube(f, DVec3::new(60.0, 10.0, -42.0), DVec3::new(16.0, -10.0, -40.0), [10.0, 5.5])
}

/// Returns the distance to the ear canal, in face units, negative inside.
pub(super) fn ear_canal(f: DVec3) -> f64 {
    tube(f, DVec3::new(80.0, 4.0, -46.0), DVec3::new(44.0, 2.0, -44.0), [3.6, 3.0])
}

/// The body of the sphenoid bone and the slope behind it.
fn clivus(f: DVec3) -> f64 {
    let body = ellipsoid(f - DVec3::new(0.0, -18.0, -46.0), DVec3::new(17.0, 17.0, 13.0));
    let slope = tube(f, DVec3::new(0.0, -6.0, -48.0), DVec3::new(0.0, 12.0, -62.0), [9.0, 5.0]);
    let plates = segment(f, DVec3::new(14.0, -36.0, -52.0), DVec3::new(15.0, -34.0, -80.0)).0 - 2.2;
    smooth_min(body, slope, 4.0).min(plates)
}

fn sphenoid_sinus(f: DVec3) -> f64 {
    ellipsoid(f - DVec3::new(7.5, -20.0, -46.0), DVec3::new(6.3, 11.0, 9.0))
}

/// The orbital cavity: behind the rim an ellipsoid, in front open.
pub(super) fn orbit(f: DVec3, size: f64) -> f64 {
    ellipsoid(f - DVec3::new(31.5, -62.0, -34.0), DVec3::new(19.0, 29.0, 17.0) * size)
}

/// The walls of the orbit, thin at the back and thick at the rim.
fn orbit_wall(f: DVec3, size: f64) -> f64 {
    let inside = orbit(f, size);
    let wall = THIN_WALL_MM + 3.5 * smooth_step(-62.0, -76.0, f.y);
    smooth_max((inside - wall).max(-inside), -79.0 - f.y, 2.0)
}

fn nasal_box(f: DVec3) -> f64 {
    rounded_box(f - DVec3::new(0.0, -58.0, -60.0), DVec3::new(13.0, 24.0, 21.0), 8.0)
}

/// Walls, septum and turbinates of the nasal cavity.
fn nose(f: DVec3, q: DVec3) -> f64 {
    let inside = nasal_box(f);
    let walls = smooth_max((inside - THIN_WALL_MM).max(-inside), -77.0 - f.y, 2.0);
    let bridge = tube(f, DVec3::new(2.0, -80.0, -22.0), DVec3::new(4.0, -92.0, -46.0), [4.0, 2.0]);
    walls.min(bridge).min(septum(q)).min(turbinates(f) + 2.2)
}

fn septum(q: DVec3) -> f64 {
    (q.x.abs() - 1.1).max(nasal_box(DVec3::new(q.x.abs(), q.y, q.z)))
}

/// The mucosa of the turbinates; their bone lies 2.2 mm below it.
fn turbinates(f: DVec3) -> f64 {
    let low = tube(f, DVec3::new(7.5, -74.0, -70.0), DVec3::new(7.5, -42.0, -70.0), [3.4, 3.4]);
    let middle = tube(f, DVec3::new(7.0, -70.0, -55.0), DVec3::new(7.0, -42.0, -55.0), [3.2, 3.2]);
    low.min(middle)
}

fn nasal_air(f: DVec3, q: DVec3) -> f64 {
    nasal_box(f).max(-turbinates(f)).max(1.1 - q.x.abs())
}

pub(super) fn maxillary_sinus(f: DVec3) -> f64 {
    ellipsoid(f - DVec3::new(30.5, -56.0, -66.0), DVec3::new(13.5, 17.0, 15.0))
}

/// Walls of the maxillary sinus, hard palate and the arch that bears the upper teeth.
fn maxilla(f: DVec3) -> f64 {
    let sinus = maxillary_sinus(f);
    let walls = (sinus - 2.2).max(-sinus);
    let palate = rounded_box(f - DVec3::new(0.0, -62.0, -81.0), DVec3::new(23.0, 22.0, 1.8), 1.5);
    walls.min(smooth_min(palate, arch(f, -84.5, 6.0), 3.0))
}

/// A tooth-bearing arch: the front half of an ellipse ring at height `z`, `high` to either side.
fn arch(f: DVec3, z: f64, high: f64) -> f64 {
    let ring = ellipsoid(DVec3::new(f.x, f.y + 52.0, 0.0), DVec3::new(25.0, 33.0, 1e3));
    smooth_max(smooth_max(ring.abs() - 5.5, (f.z - z).abs() - high, 4.0), f.y + 46.0, 3.0)
}

/// The cheek bone and the arch back to the ear.
fn cheek(f: DVec3) -> f64 {
    let body = ellipsoid(f - DVec3::new(46.0, -62.0, -52.0), DVec3::new(9.0, 10.0, 11.0));
    let front = tube(f, DVec3::new(50.0, -58.0, -50.0), DVec3::new(65.0, -32.0, -48.0), [5.0, 3.4]);
    let back = tube(f, DVec3::new(65.0, -32.0, -48.0), DVec3::new(64.0, -4.0, -44.0), [3.4, 4.2]);
    let rim = tube(f, DVec3::new(48.0, -60.0, -46.0), DVec3::new(50.0, -58.0, -18.0), [4.0, 3.8]);
    smooth_min(smooth_min(body, front, 4.0), back, 2.0).min(rim)
}

/// The lower jaw: joint, branch, angle, body, and the arch of the lower teeth.
fn mandible(f: DVec3) -> f64 {
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
fn spine(f: DVec3) -> f64 {
    let dens = tube(f, DVec3::new(0.0, 16.0, -72.0), DVec3::new(0.0, 18.0, -92.0), [4.8, 6.0]);
    let bodies = tube(f, DVec3::new(0.0, 17.0, -94.0), DVec3::new(0.0, 20.0, -200.0), [10.0, 11.0]);
    let discs = 2.5 - ((f.z + 104.0) / 17.0 - ((f.z + 104.0) / 17.0).round()).abs() * 17.0;
    let masses = ellipsoid(f - DVec3::new(21.0, 24.0, -76.0), DVec3::new(9.0, 11.0, 8.0));
    let ring = ellipsoid(DVec3::new(f.x, f.y - 33.0, 0.0), DVec3::new(21.0, 19.0, 1e3)).abs();
    let back = smooth_max(ring - 3.5, (f.z + 78.0).abs() - 5.0, 3.0).max(30.0 - f.y);
    dens.min(bodies.max(discs)).min(masses).min(back)
}

/// Returns the distance to the eyeball, in face units.
pub(super) fn eyeball(f: DVec3) -> f64 {
    (f - DVec3::new(31.5, -72.0, -34.0)).length() - 12.0
}
