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

use super::{
    anatomy::Anatomy,
    detail::Detail,
    face::{
        THIN_WALL_MM, cheek, clivus, ear_canal, frontal_bulk, mandible, mastoid, maxilla, maxillary_sinus, nasal_air,
        nose, orbit, orbit_wall, petrous, sphenoid_sinus, spine,
    },
    nose::Nose,
    shape::{ellipsoid, rounded_box, smooth_max, smooth_step, tube},
    teeth::Tooth,
    visage::maxillary_pyramid,
};
use crate::space::DVec3;

/// What a piece of bone is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Make {
    /// Two tables with diploe between.
    Vault,
    /// A compact shell about spongy bone.
    Shelled,
    /// Compact throughout.
    Compact,
    /// A thin wall, drawn thicker and less dense than it is.
    Thin,
    /// Compact and denser than all other.
    Petrous,
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
    /// The least distance to orbits, sinuses and ear canals, mm; infinite where there are none.
    pub(super) hollow_mm: f64,
}

/// Where a point is against the braincase.
#[derive(Clone, Copy, Debug)]
pub(super) struct Braincase {
    /// What waves, crests and temples add to the thickness of the wall here, mm.
    pub(super) thicker_mm: f64,
    /// Signed distance to the outer surface of vault and base, mm, negative inside.
    pub(super) outer_mm: f64,
    /// Thickness of the wall here, mm.
    pub(super) wall_mm: f64,
}

/// Above this height, mm, there is only vault.
const FACE_TOP_MM: f64 = 12.0;
/// A skull, ready to be sampled.
#[derive(Clone, Debug)]
pub(super) struct Skull {
    /// The numbers that it is made from.
    pub(super) anatomy: Anatomy,
    /// Finer anatomy, when it was chosen.
    pub(super) detail: Option<Detail>,
    /// The nose of the finer anatomy.
    pub(super) nose: Option<Nose>,
    /// Roots of the teeth present: upper or lower, position in the folded face.
    teeth: Vec<DVec3>,
    /// The teeth of the finer anatomy.
    pub(super) fine_teeth: Vec<Tooth>,
    /// One over the radii of the braincase, in front of the middle and behind it, 1/mm.
    per_mm: [DVec3; 2],
    /// One over the length of the base plane's normal.
    floor: f64,
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
        let across = 0.5 * anatomy.breadth_mm / (1.0 + 0.5 * anatomy.taper);
        let per_mm = [anatomy.front_share, 1.0 - anatomy.front_share]
            .map(|share| DVec3::new(across, anatomy.length_mm * share, anatomy.height_mm).recip());
        let floor = (1.0 + anatomy.base_slope * anatomy.base_slope).sqrt().recip();
        Self { anatomy, detail: None, nose: None, teeth, fine_teeth: Vec::new(), per_mm, floor }
    }

    /// Returns the skull with finer anatomy, if there is any.
    pub(super) fn refined(self, detail: Option<Detail>) -> Self {
        let Some(detail) = detail else {
            return self;
        };
        let fine_teeth = Tooth::all(self.anatomy.missing_teeth, |which| detail.jitter(which));
        // As in the simple anatomy: the middle of root and crown together.
        let teeth = fine_teeth.iter().map(|tooth| tooth.middle()).collect();
        Self { nose: Some(Nose::of(&detail)), detail: Some(detail), teeth, fine_teeth, ..self }
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
        let per_mm = self.per_mm[usize::from(p.y >= 0.0)];
        let taper = 1.0 + a.taper * (p.y * per_mm.y).clamp(-1.2, 1.2);
        let q = DVec3::new(p.x / taper, p.y + a.shear * p.x, p.z);
        // An ellipsoid (see `shape::ellipsoid`) whose distances across x were shortened by the taper: lengthened again, or
        // the wall would be off by a tenth.
        let place = q * per_mm;
        let normal = place * per_mm;
        let (level, slope) = (place.length(), normal.length());
        let per_slope = if slope > 0.0 { slope.recip() } else { 0.0 };
        let across = normal.x * per_slope;
        let round = if slope > 0.0 { level * (level - 1.0) * per_slope } else { -0.5 * a.breadth_mm };
        let round = round * (1.0 + (taper - 1.0) * (across * across));
        let floor = -(p.z + 44.0 + a.base_slope * p.y) * self.floor;
        let (x, y, z) = (place.x, p.y * per_mm.y, place.z.max(0.0));
        let vault = a.wall_mm + a.wall_back_mm * y - a.wall_side_mm * x * x + 0.5 * z * z;
        let base = smooth_step(-12.0, -34.0, p.z);
        let (thicker_mm, relief_mm) = self.detail.as_ref().map_or((0.0, 0.0), |detail| detail.thicker_and_relief_mm(p));
        let (least, most) = if self.detail.is_some() { (2.0, 11.0) } else { (4.3, 7.6) };
        let wall_mm = (vault + thicker_mm).clamp(least, most) * (1.0 - base) + 4.5 * base;
        Braincase { outer_mm: smooth_max(round - relief_mm, floor, 18.0), wall_mm, thicker_mm }
    }

    /// Returns the bone at a point of the head, whose place against the braincase is known.
    pub(super) fn bone(&self, p: DVec3, case: Braincase) -> Bone {
        let shell = case.outer_mm.max(-case.wall_mm - case.outer_mm);
        let mut bone = Bone { distance_mm: shell, make: Make::Vault, hollow_mm: f64::INFINITY };
        if p.z > FACE_TOP_MM {
            // All else begins lower: its distance is at least the height above it.
            bone.distance_mm = shell.min(p.z - FACE_TOP_MM + 3.0);
            return bone;
        }
        let q = self.face_from_head(p);
        if let (Some(detail), Some(nose)) = (&self.detail, &self.nose) {
            return self.fine_bone((detail, nose), q, shell);
        }
        let scale = self.anatomy.face_scale * self.anatomy.face_height;
        let f = DVec3::new(q.x.abs(), q.y, q.z);
        let mut add = |distance: f64, make| {
            if distance * scale < bone.distance_mm {
                bone = Bone { distance_mm: distance * scale, make, ..bone };
            }
        };
        // Each group stands within a half space; far outside it the distance to that is bound enough.
        let (front, lower) = (f.y + 29.0, f.z + 54.0);
        if front > 6.0 {
            add(front, Make::Shelled);
        } else {
            add(frontal_bulk(f), Make::Shelled);
            add(orbit_wall(f, self.anatomy.orbit_scale, THIN_WALL_MM), Make::Compact);
            add(nose(f), Make::Compact);
            add(maxilla(f), Make::Shelled);
        }
        if lower > 6.0 {
            add(lower, Make::Shelled);
        } else {
            add(mandible(f), Make::Shelled);
            add(spine(f), Make::Shelled);
            add(self.teeth(q), Make::Tooth);
        }
        add(petrous(f), Make::Compact);
        add(mastoid(f), Make::Mastoid);
        add(clivus(f), Make::Shelled);
        add(cheek(f), Make::Shelled);
        bone.hollow_mm = self.cavities(q) * scale;
        bone.distance_mm = bone.distance_mm.max(-bone.hollow_mm).max(-self.foramen(q) * scale);
        bone
    }

    /// Returns the distance to the space of the spinal cord, in face units, negative inside.
    pub(super) fn foramen(&self, q: DVec3) -> f64 {
        let (base, atlas, below) = ([30.0, -30.0], [32.0, -78.0], [33.0, -160.0]);
        let canal = |from: [f64; 2], to: [f64; 2], radii_mm| {
            tube(q, DVec3::new(0.0, from[0], from[1]), DVec3::new(0.0, to[0], to[1]), radii_mm)
        };
        if self.detail.is_some() {
            // Wide in the skull, and as wide as the arches of the vertebrae leave it below.
            return canal(base, atlas, [self.anatomy.foramen_mm, 11.0]).min(canal(atlas, below, [8.5, 8.5]));
        }
        canal(base, [36.0, -160.0], [self.anatomy.foramen_mm, 9.0])
    }

    /// Returns the distance to the nearest air-filled or orbital cavity, in face units, negative inside.
    pub(super) fn cavities(&self, q: DVec3) -> f64 {
        if q.y > 14.0 {
            return q.y - 8.0;
        }
        let f = DVec3::new(q.x.abs(), q.y, q.z);
        orbit(f, self.anatomy.orbit_scale).min(self.sinuses(q)).min(ear_canal(f))
    }

    /// Returns the distance to the nearest space that holds air (or sinus fluid), in face units, negative inside.
    pub(super) fn sinuses(&self, q: DVec3) -> f64 {
        let f = DVec3::new(q.x.abs(), q.y, q.z);
        let air = self.frontal_sinus(q).min(self.cheek_air(q)).min(sphenoid_sinus(f));
        match &self.nose {
            Some(nose) => air.min(nose.air(f, q)).min(nose.cells(f, q)),
            None => air.min(nasal_air(f, q)),
        }
    }

    /// Returns the distance to the maxillary sinus, in face units, negative inside.
    pub(super) fn cheek_air(&self, q: DVec3) -> f64 {
        let f = DVec3::new(q.x.abs(), q.y, q.z);
        match &self.nose {
            Some(nose) => maxillary_pyramid(f, self.anatomy.orbit_scale, nose.thin_wall_mm(), || nose.beyond_wall(q)),
            None => maxillary_sinus(f),
        }
    }

    fn frontal_sinus(&self, q: DVec3) -> f64 {
        let size = self.anatomy.frontal_sinus[usize::from(q.x < 0.0)];
        if size < 0.25 {
            return f64::INFINITY;
        }
        let radii = DVec3::new(11.0, 3.6, 10.0) * (0.5 + 0.5 * size);
        ellipsoid(DVec3::new(q.x.abs() - 11.5, q.y + 76.5, q.z + 9.0), radii)
    }

    pub(super) fn teeth(&self, q: DVec3) -> f64 {
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
