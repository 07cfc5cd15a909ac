//! What lies in the scanner: the head with its hole and its metal, in its pose, and the head-rest.
//!
//! A scene answers two questions at a point of the world: how dense is it, and is it bone. It knows nothing of voxels, so
//! another scanner (one that projects and reconstructs) can look at the same scene.

use std::cell::OnceCell;

use super::{
    anatomy::Anatomy,
    body::{Body, Sample},
    choice::{Choice, Decide, mix},
    defect::Craniotomy,
    detail::Detail,
    face::{ear_canal, eyeball, orbit},
    metal::{METAL_HU, Metal},
    nose::PLATE_HU,
    shape::{ellipsoid, fold_mm, smooth_max, smooth_min, tube, within},
    skull::{Bone, Braincase, Make, Skull},
    surgery::DRAIN_HU,
    teeth::enamelled,
};
use crate::space::{DVec3, Rigid};

/// Air, HU.
const AIR_HU: f64 = -1000.0;
/// Air cells of the mastoid, with the mucosa that lines them, HU.
const CELL_HU: f64 = -700.0;
/// Farther than this from orbits, sinuses and ear canals nothing of them is asked for, mm.
const HOLLOW_MM: f64 = 3.0;
/// Deeper than this below the skin there is neither fat nor what lies over it, mm.
const DEEP_MM: f64 = 14.0;

/// A head in a scanner.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) skull: Skull,
    pub(super) hole: Craniotomy,
    pub(super) metal: Metal,
    /// Where the head lies: world from head.
    pub(super) world_from_head: Rigid,
    /// The shell of the head-rest, HU.
    pub(super) rest_hu: f64,
}

/// What is known about a point before the questions are asked.
struct Place {
    /// The point, from the middle of the head in the head's axes, mm.
    p: DVec3,
    /// The same in the world's axes.
    from_head: DVec3,
    case: Braincase,
    skin_mm: f64,
    metal_mm: f64,
    /// Asked for inside the skin only.
    bone: OnceCell<Bone>,
}

impl Body for Scene {
    fn sample(&self, world: DVec3) -> Sample {
        let mut choice = Choice::new();
        let hu = self.decide(&self.place(world), &mut choice);
        choice.density(hu)
    }

    fn mix(&self, world: DVec3, edge_mm: f64, found: &mut dyn FnMut(f64, f64)) {
        let place = self.place(world);
        mix(edge_mm, |paths| self.decide(&place, paths), found);
    }

    fn is_metal_near(&self, world: DVec3, radius_mm: f64) -> bool {
        self.metal.distance_mm(self.head_from_world(world)) < radius_mm
    }

    fn bone_mm(&self, world: DVec3) -> f64 {
        let p = self.head_from_world(world);
        let case = self.skull.braincase(p);
        self.opened(p, case, self.skull.bone(p, case)).distance_mm
    }

    fn missing_mm(&self, world: DVec3) -> f64 {
        let p = self.head_from_world(world);
        let case = self.skull.braincase(p);
        self.skull.bone(p, case).distance_mm.max(self.hole.cut_mm(p, case.outer_mm))
    }

    fn iron_g_cm3(&self, world: DVec3) -> f64 {
        self.metal.iron_g_cm3(self.head_from_world(world))
    }

    fn opening(&self) -> (DVec3, f64) {
        (self.world_from_head.apply(self.hole.centre_mm), self.hole.bound_mm())
    }
}

impl Scene {
    /// Returns the anatomy.
    pub(super) const fn anatomy(&self) -> &Anatomy {
        &self.skull.anatomy
    }

    fn place(&self, world: DVec3) -> Place {
        let p = self.head_from_world(world);
        let case = self.skull.braincase(p);
        Place {
            p,
            from_head: world - self.world_from_head.translation_mm,
            case,
            skin_mm: self.skin(p, case),
            metal_mm: self.metal.distance_mm(p),
            bone: OnceCell::new(),
        }
    }

    /// Returns the density of a place, HU.
    fn decide(&self, place: &Place, choice: &mut impl Decide) -> f64 {
        let &Place { p, case, skin_mm, .. } = place;
        if choice.inside(place.metal_mm) {
            return METAL_HU;
        }
        if let Some(surgery) = &self.hole.surgery
            && choice.inside(surgery.drain_mm(p))
        {
            return DRAIN_HU;
        }
        if !choice.inside(skin_mm) {
            return if choice.inside(rest(place.from_head)) { self.rest_hu } else { AIR_HU };
        }
        let bone = *place.bone.get_or_init(|| self.opened(p, case, self.skull.bone(p, case)));
        if choice.inside(bone.distance_mm) {
            return self.bone_hu(p, case, bone, choice);
        }
        if case.outer_mm < 0.0 && choice.inside(-case.wall_mm - case.outer_mm) {
            // In the wall, but no bone: the hole, a cavity, or an opening of the base.
            self.outside_hu(p, skin_mm, bone.hollow_mm, choice).min(30.0)
        } else if case.outer_mm < 0.0 {
            self.cavity_hu(p, case, choice)
        } else {
            choice.note(case.outer_mm);
            self.outside_hu(p, skin_mm, bone.hollow_mm, choice)
        }
    }

    fn head_from_world(&self, world: DVec3) -> DVec3 {
        let Rigid { rotation, translation_mm } = self.world_from_head;
        rotation.transpose() * (world - translation_mm)
    }

    /// Returns the bone with the hole cut out, its edges rounded as an engineer would.
    fn opened(&self, p: DVec3, case: Braincase, bone: Bone) -> Bone {
        let cut = self.hole.cut_mm(p, case.outer_mm);
        Bone { distance_mm: smooth_max(bone.distance_mm, -cut, self.hole.edge_mm()), ..bone }
    }

    /// Returns the distance to the skin, mm, negative inside.
    fn skin(&self, p: DVec3, case: Braincase) -> f64 {
        let scalp = case.outer_mm - self.anatomy().scalp_mm;
        // High up there is only scalp; deep inside it all else lies farther out.
        if p.z > 40.0 || scalp < -DEEP_MM {
            return scalp;
        }
        let q = self.skull.face_from_head(p);
        let f = DVec3::new(q.x.abs(), q.y, q.z);
        let fine = self.skull.detail.is_some();
        let face = ellipsoid(f - DVec3::new(0.0, -22.0, -62.0), DVec3::new(79.0, 73.0, 84.0));
        let chin = tube(f, DVec3::new(0.0, -58.0, -104.0), DVec3::new(0.0, -70.0, -118.0), [34.0, 25.0]);
        let nose = within(f, [[-1.0, -113.0, -76.0], [16.0, -81.0, -31.0]], || {
            let ridge = tube(f, DVec3::new(0.0, -88.0, -38.0), DVec3::new(0.0, -103.0, -62.0), [6.0, 9.0]);
            let wing = ellipsoid(f - DVec3::new(6.0, -95.0, -65.0), DVec3::new(10.0, 10.0, 9.0));
            if fine { smooth_min(ridge, wing, 5.0) } else { ridge }
        });
        let neck = tube(f, DVec3::new(0.0, 26.0, -50.0), DVec3::new(0.0, 34.0, -220.0), [55.0, 58.0]);
        let ear = within(f, [[69.0, -6.0, -71.0], [83.0, 26.0, -17.0]], || {
            ellipsoid(f - DVec3::new(76.0, 10.0, -44.0), DVec3::new(6.0, 15.0, 26.0))
        });
        let scale = self.anatomy().face_scale * self.anatomy().face_height;
        let lower = smooth_min(smooth_min(face, chin, 14.0), neck, 14.0);
        smooth_min(scalp, smooth_min(lower, nose.min(ear), 5.0) * scale, 10.0)
    }

    fn bone_hu(&self, p: DVec3, case: Braincase, bone: Bone, choice: &mut impl Decide) -> f64 {
        let a = self.anatomy();
        let Some(detail) = &self.skull.detail else {
            return simple_bone_hu(a, case, bone, choice);
        };
        match bone.make {
            Make::Compact => detail.compact_hu,
            Make::Thin => detail.thin_wall_hu,
            Make::Petrous => detail.petrous_hu,
            Make::Mastoid => {
                if choice.inside(-bone.distance_mm - 1.2) || choice.inside(detail.cell_wall(p)) {
                    detail.compact_hu
                } else {
                    CELL_HU
                }
            }
            Make::Tooth => {
                let enamel =
                    choice.inside(-bone.distance_mm - 1.3) && choice.inside(enamelled(self.skull.face_from_head(p)));
                detail.tooth_hu[usize::from(enamel)]
            }
            Make::Vault => {
                let (below_outer, above_inner) = (-case.outer_mm, case.wall_mm + case.outer_mm);
                if choice.inside(detail.suture(p)) {
                    return detail.suture_hu;
                }
                let table_mm = (detail.table_mm + detail.table_wave * case.thicker_mm).clamp(0.6, 2.8);
                if choice.inside(below_outer - table_mm) || choice.inside(above_inner - 0.8 * table_mm) {
                    detail.compact_hu
                } else if choice.inside(Detail::marrow(p)) {
                    detail.diploe_hu * detail.marrow
                } else {
                    detail.diploe_hu
                }
            }
            Make::Shelled if choice.inside(-bone.distance_mm - 1.7) => detail.compact_hu,
            Make::Shelled if choice.inside(Detail::marrow(p)) => detail.spongy_hu * (0.5 + 0.5 * detail.marrow),
            Make::Shelled => detail.spongy_hu,
        }
    }

    /// Returns the density inside the cranial cavity.
    fn cavity_hu(&self, p: DVec3, case: Braincase, choice: &mut impl Decide) -> f64 {
        let a = self.anatomy();
        let below = -case.wall_mm - case.outer_mm;
        let sagittal = (p.x.abs() - 4.5).max(below - 7.0).max(8.0 - p.z);
        let transverse = ((p.z + 30.0).abs() - 4.0).max(below - 7.0).max(22.0 - p.y);
        let f = DVec3::new(p.x.abs(), p.y, p.z);
        let siphon = tube(f, DVec3::new(13.0, -10.0, -40.0), DVec3::new(14.0, -16.0, -22.0), [2.6, 2.2]);
        let middle = tube(f, DVec3::new(14.0, -16.0, -22.0), DVec3::new(46.0, -18.0, -16.0), [2.0, 1.6]);
        if choice.inside(sagittal.min(transverse).min(siphon).min(middle)) {
            return a.blood_hu;
        }
        if choice.inside(below - 2.5) {
            return 10.0;
        }
        let falx = (p.x.abs() - 1.1).max(12.0 - p.z).max(below - 40.0);
        if choice.inside(falx) {
            // Calcium lies in patches along the falx, not all over it.
            let patch = 9.0 - (p.y - 26.0 * (p.y / 26.0).round()).abs();
            return if choice.inside(-patch) { a.falx_hu } else { 60.0 };
        }
        let choroid = (f - DVec3::new(14.0, 28.0, 2.0)).length() - 3.5;
        if choice.inside(choroid) {
            return a.choroid_hu;
        }
        let ventricle = ellipsoid(f - DVec3::new(9.0, 4.0, 8.0), DVec3::new(5.0, 32.0, 8.0) * a.ventricle);
        if choice.inside(ventricle) {
            8.0
        } else if self.skull.detail.is_some() {
            brain_hu(p, below, choice)
        } else {
            35.0
        }
    }

    /// Returns the density outside the braincase: scalp, orbit, sinuses, throat, muscle.
    fn outside_hu(&self, p: DVec3, skin: f64, hollow: f64, choice: &mut impl Decide) -> f64 {
        let a = self.anatomy();
        if choice.inside(-skin - 1.8) {
            return 50.0;
        }
        if p.z < 14.0 {
            let q = self.skull.face_from_head(p);
            let f = DVec3::new(q.x.abs(), q.y, q.z);
            if hollow > HOLLOW_MM {
                choice.note(hollow);
            } else {
                let full = a.sinus_fluid[usize::from(q.x < 0.0)];
                if choice.inside(self.skull.cheek_air(q)) {
                    return if full { 18.0 } else { AIR_HU };
                }
                if choice.inside(self.skull.sinuses(q).min(ear_canal(f))) {
                    return AIR_HU;
                }
                if let Some(nose) = &self.skull.nose
                    && choice.inside(nose.plates(f, q))
                {
                    return PLATE_HU;
                }
            }
            let throat = tube(f, DVec3::new(0.0, -26.0, -62.0), DVec3::new(0.0, -2.0, -150.0), [7.0, 8.0]);
            if choice.inside(throat) {
                return AIR_HU;
            }
            if hollow <= HOLLOW_MM && choice.inside(orbit(f, a.orbit_scale)) {
                return if choice.inside(eyeball(f)) { 14.0 } else { -90.0 };
            }
        }
        let fat = 0.6 * a.scalp_mm + if p.z < -50.0 { 3.0 } else { 0.0 };
        if choice.inside(-skin - fat) {
            return -95.0;
        }
        // Between the muscles of face and neck there is fat.
        if self.skull.detail.is_some() && p.z < -20.0 {
            let sheet = (fold_mm(p, 47.0).abs() - 0.7).max(fold_mm(p + DVec3::splat(31.0), 83.0));
            if choice.inside_soft(sheet) {
                return -80.0;
            }
        }
        55.0
    }
}

/// Returns the density of bone without finer anatomy.
fn simple_bone_hu(a: &Anatomy, case: Braincase, bone: Bone, choice: &mut impl Decide) -> f64 {
    match bone.make {
        Make::Compact | Make::Thin | Make::Petrous => a.compact_hu,
        Make::Mastoid if choice.inside(-bone.distance_mm - 1.2) => a.compact_hu,
        Make::Mastoid => a.mastoid_hu,
        Make::Tooth => 2100.0,
        Make::Vault => {
            let outer_table = choice.inside(-case.outer_mm - a.table_mm);
            let inner_table = choice.inside(case.wall_mm + case.outer_mm - 0.8 * a.table_mm);
            if outer_table || inner_table { a.compact_hu } else { a.diploe_hu }
        }
        Make::Shelled if choice.inside(-bone.distance_mm - 1.7) => a.compact_hu,
        Make::Shelled => a.spongy_hu,
    }
}

/// Returns the density of the brain at a depth below the inner table: sulci, grey matter along them, white matter.
fn brain_hu(p: DVec3, below_mm: f64, choice: &mut impl Decide) -> f64 {
    let fold = fold_mm(p, 21.0).abs();
    let deep = below_mm - 15.0;
    if choice.inside_soft((fold - 0.7).max(deep)) {
        return 14.0;
    }
    // Grey matter lines the surface and the sulci, and lies in the middle.
    let ribbon = (fold - 3.4).max(deep - 3.0).min(below_mm - 5.5);
    let nuclei = ellipsoid(DVec3::new(p.x.abs() - 18.0, p.y, p.z - 2.0), DVec3::new(9.0, 19.0, 11.0));
    if choice.inside_soft(ribbon.min(nuclei)) { 40.0 } else { 33.0 }
}

/// Returns the distance to the shell of the head-rest, in the world's axes from the middle of the head, mm.
pub(super) fn rest(from_head: DVec3) -> f64 {
    let radius = (from_head.x * from_head.x + from_head.y * from_head.y).sqrt();
    ((radius - 106.0).abs() - 1.6).max(34.0 - from_head.y)
}
