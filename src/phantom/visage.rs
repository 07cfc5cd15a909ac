//! The skull below the vault in finer anatomy: plates, ridges and pyramids in place of tubes, grown together.
//!
//! ```text
//!        brow  ___________          front: a mass that the orbits, the nose and the sinuses are hollowed out of
//!   orbit wall ( )| |( )\  arch
//!      cheek  [   |_|   ]=======    side: cheek bone and arch, flat against the head
//!      upper jaw UUUUUUU   /  |
//!      lower jaw UUUUUUU  / ramus   below: a plate of a ramus, a tall body, vertebrae with arches
//! ```
//! Coordinates are the face's own, as in `face`: `f` is folded at the midline, `q` is not.

use super::{
    detail::Detail,
    face::{clivus, frontal_bulk, mastoid, orbit, orbit_rim_mm, orbit_wall, petrous},
    nose::Nose,
    shape::{ellipsoid, rounded_box, segment, smooth_max, smooth_min, smooth_step, tube, within},
    skull::{Bone, Make, Skull},
    teeth::Tooth,
};
use crate::space::DVec3;

/// Distance between two vertebrae below the axis, mm.
const LEVEL_MM: f64 = 17.0;
/// Width of the fillets where parts of the face have grown together, mm.
const FILLET_MM: f64 = 6.0;

/// Boxes around the parts, with their fillets and the sizes that are drawn: lowest and highest corner, x folded.
const BROW: [[f64; 3]; 2] = [[-1.0, -90.0, -32.0], [55.0, -55.0, 4.0]];
const ORBIT: [[f64; 3]; 2] = [[2.0, -88.0, -62.0], [62.0, -21.0, -6.0]];
const UPPER_JAW: [[f64; 3]; 2] = [[-1.0, -97.0, -92.0], [47.0, -30.0, -16.0]];
const CHEEK: [[f64; 3]; 2] = [[32.0, -77.0, -70.0], [70.0, 5.0, -11.0]];
const LOWER_JAW: [[f64; 3]; 2] = [[-1.0, -95.0, -135.0], [66.0, 5.0, -49.0]];
const SPINE: [[f64; 3]; 2] = [[-1.0, 5.0, -1e4], [46.0, 64.0, -64.0]];
const TEETH: [[f64; 3]; 2] = [[-1.0, -93.0, -117.0], [34.0, -44.0, -74.0]];
const PETROUS: [[f64; 3]; 2] = [[9.0, -17.0, -53.0], [67.0, 21.0, -31.0]];
const MASTOID: [[f64; 3]; 2] = [[44.0, 6.0, -72.0], [64.0, 34.0, -32.0]];
const CLIVUS: [[f64; 3]; 2] = [[-1.0, -41.0, -84.0], [25.0, 33.0, -31.0]];
const SOCKET: [[f64; 3]; 2] = [[40.0, -21.0, -58.0], [67.0, 7.0, -40.0]];
const FORAMEN: [[f64; 3]; 2] = [[-1.0, 11.0, -180.0], [19.0, 49.0, -11.0]];
const PYRAMID: [[f64; 3]; 2] = [[11.0, -86.0, -82.0], [47.0, -34.0, -43.0]];

impl Skull {
    /// Returns the bone below the vault, whose own shell is at `shell_mm`: everything but the teeth's neighbours is smooth.
    pub(super) fn fine_bone(&self, (detail, nose): (&Detail, &Nose), q: DVec3, shell_mm: f64) -> Bone {
        let scale = self.anatomy.face_scale * self.anatomy.face_height;
        let f = DVec3::new(q.x.abs(), q.y, q.z);
        let mut bone = Bone { distance_mm: shell_mm, make: Make::Vault, hollow_mm: f64::INFINITY };
        let mut grown = shell_mm;
        let mut add = |distance: f64, make, fillet_mm: f64| {
            let distance = distance * scale;
            grown = if fillet_mm > 0.0 { smooth_min(grown, distance, fillet_mm) } else { grown.min(distance) };
            if distance < bone.distance_mm {
                bone = Bone { distance_mm: distance, make, ..bone };
            }
        };
        let (front, lower) = (f.y + 26.0, f.z + 50.0);
        if front > 6.0 {
            add(front, Make::Shelled, 0.0);
        } else {
            add(within(f, BROW, || brow(f)), Make::Shelled, FILLET_MM);
            // To the side the wall is that of the temple; there and at the rim it is no thin plate.
            let side_mm = 1.5 * smooth_step(38.0, 46.0, f.x);
            let orbit = within(f, ORBIT, || orbit_wall(f, self.anatomy.orbit_scale, detail.thin_wall_mm + side_mm));
            let is_thin = side_mm + orbit_rim_mm(f) < 0.7;
            add(orbit, if is_thin { Make::Thin } else { Make::Compact }, FILLET_MM);
            // What lies in the nose between bone and air is mucosa.
            let mut make = Make::Shelled;
            let jaw = within(f, UPPER_JAW, || {
                let (jaw, walls, bridge) = (upper_jaw(f).max(-nose.cavity(q)), nose.walls(f, q), Nose::bridge(f));
                if walls < jaw.min(bridge) {
                    make = Make::Thin;
                }
                smooth_min(jaw, walls.min(bridge), 3.0)
            });
            add(jaw, make, 3.0);
        }
        add(within(f, CHEEK, || cheek_bone(f)), Make::Shelled, 2.0);
        if lower > 6.0 {
            add(lower, Make::Shelled, 0.0);
        } else {
            add(within(f, LOWER_JAW, || lower_jaw(f)), Make::Shelled, 0.0);
            add(within(f, SPINE, || vertebrae(f)), Make::Shelled, 0.0);
            let near = |nearest: f64, tooth: &Tooth| nearest.min(tooth.distance(q));
            add(within(f, TEETH, || self.fine_teeth.iter().fold(f64::INFINITY, near)), Make::Tooth, 0.0);
        }
        add(within(f, PETROUS, || petrous(f)), Make::Petrous, 4.0);
        add(within(f, MASTOID, || mastoid(f)), Make::Mastoid, 4.0);
        add(within(f, CLIVUS, || clivus(f).min(condyle(f))), Make::Shelled, 3.0);
        add(within(f, SOCKET, || socket(f)), Make::Shelled, 2.0);
        let cavities = self.cavities(q);
        bone.hollow_mm = cavities * scale;
        let hollow = cavities.min(within(f, FORAMEN, || self.foramen(q))).min(detail.openings(f, q.x > 0.0));
        bone.distance_mm = grown.max(-hollow * scale);
        let sheets = nose.septum(f, q).min(nose.cell_walls(f, q));
        for (piece, make) in [(detail.pieces(f), Make::Compact), (sheets, Make::Thin)] {
            if piece * scale < bone.distance_mm {
                bone = Bone { distance_mm: piece * scale, make, ..bone };
            }
        }
        bone
    }
}

/// The forehead's lower edge: the bulk above the nose and the ridge over each orbit.
fn brow(f: DVec3) -> f64 {
    let ridge = tube(f, DVec3::new(10.0, -81.0, -15.0), DVec3::new(47.0, -62.0, -21.0), [6.0, 4.4]);
    smooth_min(frontal_bulk(f), ridge, 8.0)
}

/// The outside of the upper jaw: seen from below a triangle between nose, cheek bone and throat, narrower at the teeth.
fn jaw_mass(f: DVec3) -> f64 {
    let narrow = 0.3 * (-68.0 - f.z).max(0.0);
    let front = 0.6 * f.x - 0.8 * f.y - 75.0 + narrow;
    let back = 0.69 * f.x + 0.72 * f.y + 12.0 + narrow;
    let sides = smooth_max(smooth_max(front, back, 10.0), -84.0 - f.y, 6.0);
    smooth_max(smooth_max(sides, f.y + 36.0, 6.0), (f.z + 66.5).abs() - 23.5, 6.0)
}

/// The upper jaw without its hollows but the space behind the palate.
fn upper_jaw(f: DVec3) -> f64 {
    // Between the two halves of the row of teeth is the palate's vault.
    let mouth = ellipsoid(f - DVec3::new(0.0, -54.0, -97.0), DVec3::new(19.0, 27.0, 13.0));
    let throat = ellipsoid(f - DVec3::new(0.0, -26.0, -72.0), DVec3::new(15.0, 17.0, 30.0));
    smooth_max(smooth_max(jaw_mass(f), -mouth, 3.0), -throat, 3.0)
}

/// The air of the cheek: a pyramid under the orbit, beside the nose, above the teeth.
/// `wall_mm` is the thickness of its roof, the outer walls have half as much more; `beyond_nose` returns the distance to the
/// space behind the nose's side wall.
pub(super) fn maxillary_pyramid(f: DVec3, orbit_scale: f64, wall_mm: f64, beyond_nose: impl FnOnce() -> f64) -> f64 {
    within(f, PYRAMID, || {
        let jaw = smooth_max(jaw_mass(f) + 1.5 * wall_mm, smooth_max(beyond_nose(), 11.5 - f.x, 3.0), 3.0);
        let below = smooth_max(wall_mm - orbit(f, orbit_scale), -79.0 - f.z, 3.0);
        smooth_max(jaw, below, 4.0).max(f.z + 46.0)
    })
}

/// The cheek bone: body, the pillar beside the orbit, and the arch, three times as tall as thick.
fn cheek_bone(f: DVec3) -> f64 {
    let body = ellipsoid(f - DVec3::new(45.0, -63.0, -54.0), DVec3::new(9.5, 9.5, 12.0));
    let pillar = tube(f, DVec3::new(49.0, -60.0, -46.0), DVec3::new(49.5, -57.0, -18.0), [5.0, 4.2]);
    let flat = |p: DVec3| DVec3::new(p.x, p.y, 0.45 * p.z);
    let point = |x, y, z| flat(DVec3::new(x, y, z));
    let front = tube(flat(f), point(50.0, -58.0, -53.0), point(64.5, -32.0, -50.0), [3.4, 2.5]);
    let back = tube(flat(f), point(64.5, -32.0, -50.0), point(63.0, -2.0, -46.0), [2.5, 3.4]);
    // The plate that closes the orbit to the side.
    let wing = tube(flat(f), point(49.0, -56.0, -32.0), point(40.0, -34.0, -34.0), [2.2, 3.5]);
    smooth_min(smooth_min(body, pillar, 7.0), smooth_min(front, back, 3.0), 6.0).min(wing) * 0.9
}

/// The lower jaw: joint, muscular process, ramus, a body twice as tall as thick, chin, and the arch of the teeth.
fn lower_jaw(f: DVec3) -> f64 {
    let lean = f - DVec3::new(50.0, -19.0, -84.0);
    // The ramus leans back going up.
    let ramus = rounded_box(
        DVec3::new(lean.x + 0.06 * lean.z, lean.y + 0.22 * lean.z, lean.z),
        DVec3::new(4.0, 15.5, 23.0),
        3.5,
    );
    let head = ellipsoid(f - JOINT, DVec3::new(9.0, 4.6, 5.2));
    let neck = tube(f, DVec3::new(52.0, -7.0, -60.0), DVec3::new(50.5, -12.0, -72.0), [4.0, 4.2]);
    let process = tube(f, DVec3::new(49.5, -34.0, -62.0), DVec3::new(50.0, -26.0, -76.0), [2.4, 4.4]);
    let flat = |p: DVec3| DVec3::new(p.x, p.y, 0.5 * p.z);
    let point = |x, y, z| flat(DVec3::new(x, y, z));
    let back = tube(flat(f), point(48.0, -16.0, -103.0), point(37.0, -52.0, -113.0), [4.8, 5.2]);
    let side = tube(flat(f), point(37.0, -52.0, -113.0), point(14.0, -80.0, -117.0), [5.2, 5.4]);
    let chin = ellipsoid(f - DVec3::new(0.0, -84.0, -119.0), DVec3::new(17.0, 6.5, 11.0));
    let notch = smooth_min(smooth_min(head, neck, 3.0), process, 2.0);
    let body = smooth_min(smooth_min(back, side, 4.0), chin, 6.0);
    let ring = ellipsoid(DVec3::new(f.x, f.y + 52.0, 0.0), DVec3::new(25.0, 33.0, 1e3)).abs() - 5.0;
    let alveoli = smooth_max(smooth_max(ring, (f.z + 109.0).abs() - 6.5, 4.0), f.y + 46.0, 3.0);
    smooth_min(smooth_min(smooth_min(ramus, notch, 4.0), body, 10.0), alveoli, 6.0) * 0.9
}

/// Middle of the head of the jaw.
const JOINT: DVec3 = DVec3::new(53.0, -6.0, -59.0);

/// The socket of the jaw, wider than its head, which touches it at the top: no scan resolves the rest of the disc there.
fn socket(f: DVec3) -> f64 {
    let bone = ellipsoid(f - DVec3::new(53.0, -7.0, -49.0), DVec3::new(12.0, 13.0, 8.0));
    let hollow = ellipsoid(f - JOINT - DVec3::new(0.0, -1.2, -1.2), DVec3::new(10.8, 7.0, 6.1));
    smooth_max(bone, -hollow, 1.0)
}

/// The part of the occipital bone that rests on the atlas.
fn condyle(f: DVec3) -> f64 {
    ellipsoid(f - DVec3::new(18.0, 22.0, -58.0), DVec3::new(6.5, 10.0, 11.0))
}

/// Atlas, axis, and below them vertebrae with bodies, joints, arches and spinous processes.
fn vertebrae(f: DVec3) -> f64 {
    let dens = tube(f, DVec3::new(0.0, 16.0, -72.0), DVec3::new(0.0, 18.0, -92.0), [4.8, 6.0]);
    let masses = ellipsoid(f - DVec3::new(21.0, 24.0, -76.0), DVec3::new(9.0, 11.0, 8.0));
    let ring = ellipsoid(DVec3::new(f.x, f.y - 31.0, 0.0), DVec3::new(22.0, 20.0, 1e3)).abs();
    let atlas = smooth_max(ring - 3.2, (f.z + 77.0).abs() - 4.5, 3.0);
    let wing = tube(f, DVec3::new(26.0, 24.0, -77.0), DVec3::new(39.0, 24.0, -78.0), [4.5, 3.0]);
    let top = smooth_min(smooth_min(atlas, masses, 3.0), wing, 3.0).min(dens);
    if f.z > -84.0 {
        return top.min(f.z + 90.0);
    }
    // The level that the point belongs to; levels do not touch but for their joints.
    let level = ((f.z + 98.0) / LEVEL_MM).round().min(0.0);
    let p = DVec3::new(f.x, f.y, f.z + 98.0 - LEVEL_MM * level);
    let body = rounded_box(p - DVec3::new(0.0, 18.0, 0.0), DVec3::new(10.5, 8.5, 6.8), 3.0);
    let joint = tube(p, DVec3::new(17.0, 26.0, -6.0), DVec3::new(17.0, 28.0, 6.0), [5.0, 5.0]);
    let lamina = tube(p, DVec3::new(15.0, 30.0, 0.0), DVec3::new(0.0, 43.0, -2.0), [3.2, 3.4]);
    let spine = tube(p, DVec3::new(0.0, 43.0, -2.0), DVec3::new(0.0, 58.0, -5.0), [3.4, 2.4]);
    let side = tube(p, DVec3::new(9.0, 18.0, 0.0), DVec3::new(23.0, 17.0, -2.0), [3.0, 2.6]);
    let arch = smooth_min(smooth_min(joint, lamina, 3.0), smooth_min(spine, side, 2.0), 2.0);
    // The next level may be as near as the bounds of its bone; above the first one there is none.
    let beside = (p.x - 26.0).max(9.0 - p.y).max(p.y - 61.0);
    let next = if level < 0.0 || p.z < 0.0 { (0.5 * LEVEL_MM + 1.0 - p.z.abs()).max(beside) } else { f64::INFINITY };
    top.min(smooth_min(body, arch, 2.0)).min(next)
}

/// Returns the distance to a canal along a chain of points.
pub(super) fn canal(f: DVec3, points: &[DVec3], radius_mm: f64) -> f64 {
    points.windows(2).fold(f64::INFINITY, |nearest, pair| nearest.min(segment(f, pair[0], pair[1]).0)) - radius_mm
}
