//! Finer anatomy of the skull: a vault with eminences and of varying thickness, sutures, the openings and edges of the base.
//!
//! Chosen by `anatomy: detailed`. Everything is drawn per case from a stream of its own, so the head that it is added to
//! stays the same. Ranges: thickness of the adult vault 3 to 10 mm, thicker at the back than at the sides (N. Lynnerup,
//! Forensic Science International 117, 2001), at the temporal squama down to 2 mm (textbooks); oval foramen 5 to 8 mm long,
//! jugular foramen 8 to 12 mm, carotid canal 5 to 7 mm wide (textbooks of skull-base anatomy); sutures below 1.5 mm wide
//! in adults. Densities: a public head scan with pixels of 1.25 mm in slices of 4 mm has its bone's mode at 1320 HU, one
//! twentieth of it above 1615 HU, and a median of 1200 HU in the vault: tables of 1760 to 1920 HU, thick enough to show
//! behind that blur, and diploe that is dense but for lakes of marrow; enamel has more than 2000 HU (textbooks). These
//! ranges are set by looking at nine heads, not published, and are narrow because the tube's voltage alone moves the mode by
//! a tenth to either side; on top of them people have 0.8 to 1.08 times as much mineral in all their bone. Walls of orbits
//! and sinuses have 0.2 to 1 mm (textbooks), less than a model of a whole skull can hold: here they are as thick as it can
//! (0.65 to 0.9 mm at the finest), and those of orbits and nose less dense instead, with as much bone as 0.15 to 0.4 mm has.
//! How far brow, temples, parietal and occipital bones stand out is set by eye, a few millimetres.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    shape::{fold_mm, segment, smooth_min, smooth_step, tube, wave, within},
    visage::canal,
};
use crate::{numeric::Stream, space::DVec3};

/// Waves that the thickness of the vault is made of.
const WAVES: usize = 5;

/// Direction of the middle of the left temple, seen from the middle of the head.
const TEMPLE: DVec3 = DVec3::new(0.88, -0.46, -0.08);

/// Returns the direction of a point, folded to the left side, and how far it lies to the left, from -1 to 1.
fn fold(p: DVec3) -> (DVec3, f64) {
    // Lengths, breadths and heights differ: on a ball the bumps are round.
    let d = (p * DVec3::new(1.0 / 72.0, 1.0 / 86.0, 1.0 / 72.0)).normalize_or(DVec3::Z);
    (DVec3::new(d.x.abs(), d.y, d.z), d.x)
}

/// Returns a round bump on the ball of directions: 1 in its middle, 0 with a flat foot at its width.
fn bump(d: DVec3, middle: DVec3, width: f64) -> f64 {
    let inside = (1.0 - d.distance_squared(middle) * (width * width).recip()).max(0.0);
    inside * inside
}

/// The finer numbers of one head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Detail {
    /// Waves of the vault's thickness: wave vector, radians per mm, and phase, radians.
    pub waves: Vec<[f64; 4]>,
    /// Height of each wave, mm.
    pub wave_mm: f64,
    /// Share of the thickness waves that the outer table follows.
    pub table_wave: f64,
    /// How far the vault stands out from its ellipsoid at parietal eminences, frontal eminences, brow and the back of the
    /// head, and how far the temples lie in, mm.
    pub relief_mm: [f64; 5],
    /// How much more so on the left than on the right, as a share.
    pub lopsided: [f64; 5],
    /// By how much the wall is thinner at the temples, mm.
    pub temple_thin_mm: f64,
    /// Width of the sutures, mm.
    pub suture_mm: f64,
    /// How far the sutures zigzag to either side, mm.
    pub zigzag_mm: f64,
    /// Density of the sutures, HU.
    pub suture_hu: f64,
    /// Place of the coronal suture against the middle of the head, mm.
    pub coronal_mm: f64,
    /// Place of the lambdoid suture's tip, mm.
    pub lambda_mm: f64,
    /// Height of the ridge inside the forehead and of the cross inside the back of the head, mm.
    pub crest_mm: f64,
    /// Half width of the oval foramen, mm.
    pub oval_mm: f64,
    /// Half width of the jugular foramen, left and right: the right one is larger in most heads.
    pub jugular_mm: [f64; 2],
    /// Half width of the carotid canal, mm.
    pub carotid_mm: f64,
    /// Length of the styloid process, mm.
    pub styloid_mm: f64,
    /// How far the nasal septum deviates to the left, mm.
    pub septum_mm: f64,
    /// Size of the air cells behind the ear, mm.
    pub cell_mm: f64,
    /// Thickness of the outer table, mm; the inner table has 0.8 of it. This and the densities below, HU, stand in place of
    /// the anatomy's.
    pub table_mm: f64,
    /// The tables of the vault, and thin bone.
    pub compact_hu: f64,
    /// The diploe between them, where it is dense.
    pub diploe_hu: f64,
    /// Its lakes of marrow, as a share of that; the spongy bone's are half as much thinner.
    pub marrow: f64,
    /// Spongy bone of face, jaws and spine.
    pub spongy_hu: f64,
    /// The pyramids around the inner ears, the densest bone there is.
    pub petrous_hu: f64,
    /// Dentine and enamel.
    pub tooth_hu: [f64; 2],
    /// What makes the cells of the mastoid and the teeth of one head unlike those of another.
    pub grain: u32,
    /// Thickness of the thinnest walls between orbits, nose and sinuses, mm.
    pub thin_wall_mm: f64,
    /// Density of the thin walls of orbits and nose, HU: the bone that they have, spread over their thickness here.
    pub thin_wall_hu: f64,
}

impl Detail {
    /// Draws the finer anatomy of a head.
    pub(super) fn draw(stream: &mut Stream) -> Self {
        let wave = |stream: &mut Stream| {
            let heading = DVec3::new(stream.normal(), stream.normal(), stream.normal()).normalize_or(DVec3::X);
            // One wave is 50 to 110 mm long.
            let k = heading * std::f64::consts::TAU / stream.between(50.0, 110.0);
            [k.x, k.y, k.z, stream.between(0.0, std::f64::consts::TAU)]
        };
        let waves = (0..WAVES).map(|_| wave(stream)).collect();
        let mut draw = |low, high| stream.between(low, high);
        Self {
            waves,
            wave_mm: draw(0.25, 0.55),
            table_wave: draw(0.1, 0.3),
            suture_mm: draw(0.3, 1.2),
            zigzag_mm: draw(0.8, 2.5),
            suture_hu: draw(150.0, 900.0),
            coronal_mm: draw(-32.0, -18.0),
            lambda_mm: draw(44.0, 56.0),
            crest_mm: draw(1.5, 4.5),
            oval_mm: draw(2.4, 3.6),
            jugular_mm: [draw(3.6, 5.0), draw(4.2, 6.0)],
            carotid_mm: draw(2.5, 3.4),
            styloid_mm: draw(12.0, 30.0),
            septum_mm: draw(-3.0, 3.0),
            cell_mm: draw(3.0, 5.5),
            relief_mm: [draw(1.0, 3.5), draw(0.5, 2.0), draw(1.0, 4.0), draw(1.0, 5.0), draw(3.0, 6.5)],
            lopsided: [draw(-0.4, 0.4), draw(-0.4, 0.4), draw(-0.4, 0.4), draw(-0.4, 0.4), draw(-0.3, 0.3)],
            temple_thin_mm: draw(1.2, 2.6),
            table_mm: draw(1.85, 2.2),
            compact_hu: draw(1760.0, 1920.0),
            diploe_hu: draw(1020.0, 1150.0),
            marrow: draw(0.35, 0.62),
            spongy_hu: draw(500.0, 800.0),
            petrous_hu: draw(1850.0, 2250.0),
            tooth_hu: [draw(1500.0, 1900.0), draw(2300.0, 2900.0)],
            grain: draw(0.0, 4e9) as u32,
            thin_wall_mm: draw(0.65, 0.9),
            thin_wall_hu: draw(400.0, 700.0),
        }
        .mineralised(draw(0.8, 1.08))
    }

    /// Returns the anatomy with bone of another density, as a share of what it was.
    fn mineralised(self, share: f64) -> Self {
        Self {
            compact_hu: share * self.compact_hu,
            diploe_hu: share * self.diploe_hu,
            spongy_hu: share * self.spongy_hu,
            petrous_hu: share * self.petrous_hu,
            thin_wall_hu: share * self.thin_wall_hu,
            ..self
        }
    }

    /// Returns the anatomy with no wall of the face thinner than a model of this sampling holds; one that lies askew to the
    /// samples still gets pinholes below 1.7 times their distance.
    pub(super) fn held_by(self, sampling_mm: f64) -> Self {
        Self { thin_wall_mm: self.thin_wall_mm.max(1.2 * sampling_mm), ..self }
    }

    /// Returns what is added to the thickness of the wall at a point of the head, and how far the outer table stands out
    /// from the smooth vault there, mm.
    pub(super) fn thicker_and_relief_mm(&self, p: DVec3) -> (f64, f64) {
        let (d, left) = fold(p);
        (self.thicker_mm(p, d), self.relief_mm(d, left))
    }

    fn thicker_mm(&self, p: DVec3, d: DVec3) -> f64 {
        const PER_TURN: f64 = 1.0 / std::f64::consts::TAU;
        let turns = |&[x, y, z, phase]: &[f64; 4]| (DVec3::new(x, y, z).dot(p) + phase) * PER_TURN;
        let waves = self.waves.iter().map(|numbers| wave(turns(numbers)));
        let ridge = |away: f64| (1.0 - 0.01 * away * away).max(0.0);
        // The frontal crest in the midline, and the cross inside the occipital bone: its upright and its arms.
        let crest = if p.y < -45.0 {
            ridge(p.x) * smooth_step(-45.0, -60.0, p.y) * smooth_step(35.0, 10.0, p.z)
        } else if p.y > 50.0 {
            ridge(p.x).max(ridge(p.z + 22.0)) * smooth_step(50.0, 65.0, p.y)
        } else {
            0.0
        };
        let temple = self.temple_thin_mm * bump(d, TEMPLE, 0.55);
        self.wave_mm * waves.sum::<f64>() + self.crest_mm * crest - temple
    }

    fn relief_mm(&self, d: DVec3, left: f64) -> f64 {
        let height = |i: usize| self.relief_mm[i] * (1.0 + self.lopsided[i] * left);
        let parietal = height(0) * bump(d, DVec3::new(0.62, 0.42, 0.66), 0.60);
        let frontal = height(1) * bump(d, DVec3::new(0.34, -0.80, 0.50), 0.45);
        let brow = height(2) * bump(d, DVec3::new(0.22, -0.97, -0.08), 0.42);
        let back = height(3) * bump(d, DVec3::new(0.0, 1.0, 0.0), 0.50);
        parietal + frontal + brow + back - height(4) * bump(d, TEMPLE, 0.62)
    }

    /// Returns the distance to the nearest suture of the vault, mm, negative inside.
    pub(super) fn suture(&self, p: DVec3) -> f64 {
        let saw = |along: f64, length: f64| {
            let turn = along / length - (along / length).floor();
            self.zigzag_mm * (4.0 * (turn - 0.5).abs() - 1.0)
        };
        let zigzag = |along: f64| 0.7 * saw(along, 7.0) + 0.3 * saw(along + 1.3, 3.1);
        let coronal = (p.y - self.coronal_mm + 0.25 * (60.0 - p.z) - zigzag(p.x + 0.6 * p.z)).abs().max(-8.0 - p.z);
        let sagittal = (p.x - zigzag(p.y)).abs().max(self.coronal_mm - p.y).max(p.y - self.lambda_mm).max(30.0 - p.z);
        // The two arms of the lambdoid suture go down and to the front.
        let lambdoid = (p.y - self.lambda_mm - 0.55 * (60.0 - p.z) * 0.5 + 0.28 * p.x.abs() - zigzag(p.x)).abs();
        coronal.min(sagittal).min(lambdoid.max(-20.0 - p.z)) * 0.8 - 0.5 * self.suture_mm
    }

    /// Returns the distance to the openings of the base and of the cheek, in the face's coordinates, negative inside.
    pub(super) fn openings(&self, f: DVec3, left: bool) -> f64 {
        let base = within(f, [[4.0, -43.0, -79.0], [39.0, 21.0, -27.0]], || self.base_openings(f, left));
        let cheek = within(f, [[26.0, -86.0, -58.0], [30.0, -62.0, -49.0]], || {
            segment(f, DVec3::new(28.0, -84.0, -56.0), DVec3::new(28.0, -64.0, -51.0)).0 - 1.3
        });
        base.min(cheek)
    }

    fn base_openings(&self, f: DVec3, left: bool) -> f64 {
        let oval = tube(f, DVec3::new(24.0, -14.0, -34.0), DVec3::new(26.0, -16.0, -66.0), [self.oval_mm; 2]);
        let spinous = segment(f, DVec3::new(29.0, -9.0, -34.0), DVec3::new(31.0, -9.0, -66.0)).0 - 1.3;
        let jugular = self.jugular_mm[usize::from(!left)];
        let jugular = tube(f, DVec3::new(25.0, 14.0, -44.0), DVec3::new(28.0, 10.0, -72.0), [jugular, 0.8 * jugular]);
        let course = [DVec3::new(27.0, 0.0, -64.0), DVec3::new(26.0, -1.0, -44.0), DVec3::new(13.0, -10.0, -40.0)];
        let carotid = canal(f, &course, self.carotid_mm);
        let hearing = segment(f, DVec3::new(20.0, 2.0, -38.0), DVec3::new(34.0, 0.0, -39.0)).0 - 2.2;
        let hypoglossal = segment(f, DVec3::new(10.0, 16.0, -54.0), DVec3::new(22.0, 10.0, -62.0)).0 - 2.0;
        let optic = segment(f, DVec3::new(8.0, -30.0, -32.0), DVec3::new(18.0, -40.0, -33.0)).0 - 2.4;
        oval.min(spinous).min(jugular).min(carotid).min(hearing).min(hypoglossal).min(optic)
    }

    /// Returns the distance to the further pieces of bone: styloid and pterygoid processes, clinoids, the crest above the
    /// nose inside the skull.
    pub(super) fn pieces(&self, f: DVec3) -> f64 {
        let beside = within(f, [[-1.0, -38.0, -93.0], [46.0, 3.0, -26.0]], || self.processes(f));
        beside.min(within(f, [[-1.0, -65.0, -37.0], [3.0, -55.0, -19.0]], || {
            tube(f, DVec3::new(0.0, -62.0, -34.0), DVec3::new(0.0, -58.0, -22.0), [2.6, 1.4])
        }))
    }

    fn processes(&self, f: DVec3) -> f64 {
        let tip = DVec3::new(42.0, -6.0, -62.0) + DVec3::new(-0.25, -0.35, -0.9) * self.styloid_mm;
        let styloid = tube(f, DVec3::new(42.5, 0.0, -47.0), tip, [2.6, 1.2]);
        let plate = segment(f, DVec3::new(20.0, -32.0, -54.0), DVec3::new(26.0, -26.0, -78.0)).0 - 1.6;
        let clinoid = tube(f, DVec3::new(25.0, -34.0, -31.0), DVec3::new(11.0, -19.0, -31.0), [2.8, 1.6]);
        let back = tube(f, DVec3::new(0.0, -8.0, -38.0), DVec3::new(6.0, -8.0, -31.0), [3.2, 1.8]);
        smooth_min(styloid.min(plate), clinoid.min(back), 1.0)
    }

    /// Returns a number from 0 to 1 of this head for a place in a lattice.
    pub(super) fn noise(&self, [x, y, z]: [i64; 3]) -> f64 {
        let mut bits = self.grain;
        for part in [x, y, z] {
            bits = (bits ^ part as u32).wrapping_mul(0x9E37_79B1);
            bits ^= bits >> 15;
        }
        f64::from(bits.wrapping_mul(0x85EB_CA77) >> 8) / f64::from(1 << 24)
    }

    /// Returns a number from -1 to 1 of this head for a small number.
    pub(super) fn jitter(&self, which: u32) -> f64 {
        2.0 * self.noise([i64::from(which), 1, 2]) - 1.0
    }

    /// Returns the distance to the wall between the nearest air cells of the mastoid, mm, negative in the wall.
    pub(super) fn cell_wall(&self, p: DVec3) -> f64 {
        // A bent lattice of balls of all sizes, every second layer shifted, between which the walls stay.
        let bend = DVec3::new(wave(p.y / 17.0), wave(p.z / 15.0), wave(p.x / 19.0));
        let q = (p + bend) / self.cell_mm;
        let row = q.z.round();
        let shift = if row.rem_euclid(2.0) < 0.5 { 0.0 } else { 0.5 };
        let q = q + DVec3::new(shift, shift, 0.0);
        let middle = q.round();
        let away = q - middle;
        let radius = 0.26 + 0.2 * self.noise(middle.to_array().map(|v| v as i64));
        // Next to the border of its own cell a point may be near the ball behind it.
        let border = 0.54 - away.abs().max_element();
        (radius - away.length()).max(-border) * self.cell_mm
    }

    /// Returns the distance to the lakes of marrow in diploe and spongy bone, a third of them, mm, negative inside.
    pub(super) fn marrow(p: DVec3) -> f64 {
        0.8 - fold_mm(p, 23.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{geometry::components, numeric::Seed, space::Grid, volume::Volume};

    #[test]
    fn thickness_varies_within_its_waves_and_crests() {
        for case in 0..20 {
            let detail = Detail::draw(&mut Seed([8; 32]).stream("detail", case));
            let most = detail.wave_mm * WAVES as f64;
            let thin = detail.temple_thin_mm;
            let side = (0..500)
                .map(|i| detail.thicker_and_relief_mm(DVec3::new(60.0, f64::from(i % 25) - 12.0, f64::from(i / 25))).0);
            let (low, high) = side.fold((f64::INFINITY, -f64::INFINITY), |(low, high), v| (low.min(v), high.max(v)));
            assert!(low >= -most - thin && high <= most && high - low > 0.05, "{low} to {high} mm");
            let crest = detail.thicker_and_relief_mm(DVec3::new(0.0, 80.0, 0.0)).0 - detail.crest_mm;
            assert!(crest.abs() <= most, "the cross of the occipital bone stands in the midline");
        }
    }

    #[test]
    fn sutures_run_where_they_are_named_and_are_thin() {
        let detail = Detail::draw(&mut Seed([8; 32]).stream("detail", 3));
        let middle = 0.5 * (detail.coronal_mm + detail.lambda_mm);
        let inside =
            (-600..600).filter(|&i| detail.suture(DVec3::new(0.01 * f64::from(i), middle, 70.0)) < 0.0).count();
        // Crossed at a right angle it is as wide as it says, by the factor that keeps its distance a lower bound.
        let width = 0.01 * inside as f64;
        assert!((width * 0.8 - detail.suture_mm).abs() < 0.03, "{width} mm against {}", detail.suture_mm);
        assert!(detail.suture(DVec3::new(60.0, 10.0, 30.0)) > 5.0, "none on the parietal bone");
    }

    #[test]
    fn cells_of_the_mastoid_have_walls_and_differ() {
        let [one, other] = [1, 2].map(|case| Detail::draw(&mut Seed([8; 32]).stream("detail", case)));
        let points =
            || (0..8000).map(|i| DVec3::new(f64::from(i % 20), f64::from(i / 20 % 20), f64::from(i / 400)) * 0.7);
        let air = points().filter(|&p| one.cell_wall(p) > 0.0).count();
        assert!((800..3600).contains(&air), "{air} of 8000 points are air");
        let differ = points().filter(|&p| (one.cell_wall(p) > 0.0) != (other.cell_wall(p) > 0.0)).count();
        assert!(differ > 400, "{differ} points differ between heads");
    }

    #[test]
    fn cells_of_the_mastoid_do_not_run_into_each_other() {
        let detail = Detail::draw(&mut Seed([8; 32]).stream("detail", 1));
        let at = |i: usize| DVec3::new((i % 40) as f64, (i / 40 % 40) as f64, (i / 1600) as f64) * 0.35;
        let data = (0..64_000).map(|i| u8::from(detail.cell_wall(at(i)) > 0.0)).collect();
        let sizes = components::label(&Volume { grid: Grid::aligned([40; 3], DVec3::ONE), data }).sizes;
        let (all, largest) = (sizes.iter().sum::<usize>(), sizes.iter().copied().max().unwrap());
        let cells = sizes.iter().filter(|&&size| size > 20).count();
        assert!(cells >= 8 && 4 * largest < all, "{cells} cells, {largest} of {all} points in the largest");
    }

    #[test]
    fn openings_are_as_wide_as_they_say() {
        let detail = Detail::draw(&mut Seed([8; 32]).stream("detail", 2));
        let middle = DVec3::new(25.0, -15.0, -50.0);
        assert!((detail.openings(middle, true) + detail.oval_mm).abs() < 0.1);
    }
}
