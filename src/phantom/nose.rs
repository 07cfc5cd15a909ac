//! The nose of the finer anatomy: walls that bow, a septum that deviates, turbinates that curl, air cells of all sizes.
//!
//! ```text
//!      |  ooo | ooo |         cells beside the roof
//!      |\  )  |  (  /         middle turbinates hang from it and curl outwards
//!       \  J  /  L (          the septum between them stands to one side
//!       / _    \  _ \         lower turbinates come from the side walls and curl down
//!      ( (_)   | (_) )
//!       \______|____/         seen from the front: narrow above, wide below
//! ```
//! Coordinates are the face's own, as in `face`; nothing here is symmetric, so `q` is not folded. Widths by eye, after
//! sections in textbooks of anatomy: a cavity 10 mm wide at its roof and 30 mm at its floor, plates of 1 mm under 1 to 2 mm
//! of mucosa, 5 to 15 cells a side.

use super::{
    detail::Detail,
    shape::{rounded_box, segment, smooth_max, smooth_step, wave, within},
};
use crate::space::DVec3;

/// What lies between the nose and the cells beside it, folded.
const CAVITY: [[f64; 3]; 2] = [[-1.0, -93.0, -83.0], [18.0, -33.0, -37.0]];
const LABYRINTH: [[f64; 3]; 2] = [[1.5, -78.0, -45.0], [15.0, -38.0, -27.0]];
const WALLS: [[f64; 3]; 2] = [[-1.0, -97.0, -86.0], [21.0, -31.0, -14.0]];
const SEPTUM: [[f64; 3]; 2] = [[-1.0, -81.0, -81.0], [5.0, -35.0, -35.0]];
/// Half of the thickness of the septum's bone, and of the plates that the turbinates curl around, mm.
const SEPTUM_MM: f64 = 0.7;
const PLATE_MM: f64 = 0.4;
/// Density of those plates, HU: too thin and porous for an engineer's model, which leaves them out.
pub(super) const PLATE_HU: f64 = 400.0;
/// Half of the thickness of the walls between air cells, mm.
const SEPTA_MM: f64 = 0.35;
/// Mucosa on the septum, mm.
const MUCOSA_MM: f64 = 0.9;

/// One side's numbers, and the septum's.
#[derive(Clone, Debug)]
pub(super) struct Nose {
    sides: [Side; 2],
    /// Deviation of the septum, mm to the left, and the phase of its second bend.
    septum: [f64; 2],
    cell_mm: f64,
    /// Where the lattice of the cells begins, and what jitters it.
    detail: Detail,
}

#[derive(Clone, Debug)]
struct Side {
    /// Phases of the bends, turns.
    phases: [f64; 4],
    /// How far the side wall bows, mm.
    bow_mm: f64,
    /// Size of the turbinates, lower and middle.
    curl: [f64; 2],
    /// Height of their edges, mm.
    lift_mm: [f64; 2],
}

impl Nose {
    /// Returns the nose of a head.
    pub(super) fn of(detail: &Detail) -> Self {
        let side = |side: u32| {
            let jitter = |which: u32| detail.jitter(1000 + 20 * side + which);
            // The turbinates are larger where the septum leaves room.
            let room = 0.05 * detail.septum_mm * if side == 0 { -1.0 } else { 1.0 };
            Side {
                phases: [0, 1, 2, 3].map(|which| 0.5 * jitter(which)),
                bow_mm: 0.9 + 0.5 * jitter(4),
                curl: [1.0 + 0.15 * jitter(5) + room, 1.0 + 0.2 * jitter(6) + room],
                lift_mm: [1.5 * jitter(7), 1.5 * jitter(8)],
            }
        };
        Self {
            sides: [side(0), side(1)],
            septum: [detail.septum_mm, 0.5 * detail.jitter(1050)],
            cell_mm: detail.cell_mm + 3.0,
            detail: detail.clone(),
        }
    }

    /// The numbers of the side of a point: left first.
    fn side(&self, q: DVec3) -> &Side {
        &self.sides[usize::from(q.x < 0.0)]
    }

    /// Returns how far the middle of the septum lies to the left, mm.
    fn deviation_mm(&self, q: DVec3) -> f64 {
        let [deviation_mm, phase] = self.septum;
        let (up, back) = ((q.z + 59.0) / 23.0, (q.y + 58.0) / 26.0);
        let (up, back) = ((1.0 - up * up).max(0.0), (1.0 - back * back).max(0.0));
        deviation_mm * up * up * (back + 0.3 * wave(q.y / 43.0 + q.z / 61.0 + phase))
    }

    /// Returns the distance to the cavity, with all that stands in it, negative inside.
    pub(super) fn cavity(&self, q: DVec3) -> f64 {
        let side = self.side(q);
        let bends = wave(q.y / 41.0 + side.phases[0]) + wave(q.z / 27.0 + q.y / 57.0 + side.phases[1]);
        let pear = 5.5 + 8.5 * smooth_step(-42.0, -66.0, q.z) - 3.0 * smooth_step(-73.0, -83.0, q.z);
        // Narrower towards the opening of the bone, and again in the soft nose before it.
        let narrow = 0.25 * smooth_step(-66.0, -80.0, q.y) + 0.4 * smooth_step(-82.0, -92.0, q.y);
        let half_mm = (pear + side.bow_mm * bends) * (1.0 - narrow);
        let roof = (q.z + 60.0 - 0.8 * wave(q.y / 47.0 + side.phases[2])).abs() - 21.0;
        let beside = 0.85 * (q.x.abs() - half_mm);
        let ends = smooth_max((q.y + 63.0).abs() - 29.0, 0.85 * (ridge_y(q) + 4.5 - q.y), 4.0);
        smooth_max(smooth_max(beside, roof, 7.0), ends, 8.0)
    }

    /// Returns how thick the side wall is at a place, mm.
    fn wall_mm(&self, q: DVec3) -> f64 {
        self.thin_wall_mm() * (1.25 + 0.25 * wave(q.y / 23.0 + q.z / 31.0 + self.side(q).phases[3]))
    }

    /// Returns the thickness of the thinnest walls around, mm.
    pub(super) const fn thin_wall_mm(&self) -> f64 {
        self.detail.thin_wall_mm
    }

    /// Returns the distance to where other hollows may begin: behind the side wall.
    pub(super) fn beyond_wall(&self, q: DVec3) -> f64 {
        self.wall_mm(q) - self.cavity(q)
    }

    /// Returns the distance to the side walls, which are thin.
    pub(super) fn walls(&self, f: DVec3, q: DVec3) -> f64 {
        within(f, WALLS, || {
            let inside = self.cavity(q);
            smooth_max((inside - self.wall_mm(q)).max(-inside), -77.0 - q.y, 2.0)
        })
    }

    /// Returns the distance to the bridge.
    pub(super) fn bridge(f: DVec3) -> f64 {
        within(f, WALLS, || nasal_bones(f))
    }

    /// Returns the distance to the sheets that the turbinates are wound from, and half of the thickness of their mucosa.
    fn turbinates(&self, q: DVec3) -> (f64, f64) {
        let side = self.side(q);
        let [p0, p1, p2, p3] = side.phases;
        let drift = wave(q.y / 49.0 + p2);
        let (x, z) = (q.x.abs() - 0.5 * self.deviation_mm(q) * q.x.signum(), q.z);
        // A ring in each section across, open to the side and below: a scroll from front to back.
        let ring = |x: f64, z: f64, radius_mm: f64, open: [f64; 2]| {
            let round = ((x * x + z * z).sqrt() - radius_mm).abs();
            smooth_max(round, open[0] * x + open[1] * z - 0.3 * radius_mm, 1.0)
        };
        let radius_mm = (3.4 + 0.5 * wave(q.y / 31.0 + p3)) * side.curl[0];
        let low = ring(x - 9.6 - 0.9 * drift, z + 70.5 - side.lift_mm[0] - 0.9 * drift, radius_mm, [0.75, -0.66]);
        let root = segment(
            DVec3::new(x, z, 0.0),
            DVec3::new(10.5, -66.0 + side.lift_mm[0], 0.0),
            DVec3::new(15.0, -63.5 + side.lift_mm[0], 0.0),
        );
        let low = low.min(root.0).max((q.y + 57.0).abs() - 18.0 - 1.5 * p0);
        let radius_mm = (2.2 + 0.4 * wave(q.y / 27.0 + p1)) * side.curl[1];
        let (middle_x, middle_z) = (6.6 + 0.8 * drift, -56.0 + side.lift_mm[1] + 0.05 * (q.y + 58.0));
        let scroll = ring(x - middle_x, z - middle_z, radius_mm, [0.6, 0.8]);
        let lean = middle_x - radius_mm;
        let stem = segment(DVec3::new(x, z, 0.0), DVec3::new(lean, middle_z, 0.0), DVec3::new(lean + 0.6, -41.0, 0.0));
        let middle = scroll.min(stem.0).max((q.y + 54.0).abs() - 13.5 - 1.5 * p1);
        (low.min(middle), 1.7 + 0.5 * wave(q.y / 17.0 + z / 13.0 + p1))
    }

    /// Returns the distance to the air of the nose.
    pub(super) fn air(&self, f: DVec3, q: DVec3) -> f64 {
        within(f, CAVITY, || {
            let cavity = self.cavity(q);
            if cavity > 3.0 {
                return cavity;
            }
            let (sheets, mucosa_mm) = self.turbinates(q);
            let septum = SEPTUM_MM + MUCOSA_MM + 0.3 * wave(q.z / 19.0) - (q.x - self.deviation_mm(q)).abs();
            cavity.max(mucosa_mm - sheets).max(septum)
        })
    }

    /// Returns the distance to the bone of the septum.
    pub(super) fn septum(&self, f: DVec3, q: DVec3) -> f64 {
        within(f, SEPTUM, || {
            let sides = ((q.x - self.deviation_mm(q)).abs() - SEPTUM_MM).max((q.y + 58.0).abs() - 22.0);
            // In front there is cartilage: the bone's edge runs back from the nasal bones and forward again to the floor.
            let notch = 0.7 * (15.0 * (1.0 - (q.z + 62.0).abs() / 20.0) - 80.0 - q.y);
            sides.max((q.z + 58.0).abs() - 22.0).max(notch)
        })
    }

    /// Returns the distance to the plates inside the turbinates.
    pub(super) fn plates(&self, f: DVec3, q: DVec3) -> f64 {
        within(f, CAVITY, || {
            let cavity = self.cavity(q);
            if cavity > 3.0 { cavity } else { (self.turbinates(q).0 - PLATE_MM).max(cavity) }
        })
    }

    /// Returns the distance to the labyrinth that holds the air cells between the orbits.
    fn labyrinth(&self, q: DVec3) -> f64 {
        let side = self.side(q);
        let bend = 0.7 * wave(q.y / 33.0 + side.phases[1]);
        let p = DVec3::new(q.x.abs() - 8.0 - bend, q.y + 58.0, q.z + 36.0 - bend);
        0.9 * rounded_box(p, DVec3::new(4.6, 18.0, 7.0), 2.5)
    }

    /// Returns the distance to the air cells between the orbits, negative inside a cell.
    pub(super) fn cells(&self, f: DVec3, q: DVec3) -> f64 {
        within(f, LABYRINTH, || {
            let labyrinth = self.labyrinth(q);
            if labyrinth > 1.0 { labyrinth } else { labyrinth.max(self.septa(q)) }
        })
    }

    /// Returns the distance to the walls of those cells, negative in the bone.
    pub(super) fn cell_walls(&self, f: DVec3, q: DVec3) -> f64 {
        within(f, LABYRINTH, || {
            let labyrinth = self.labyrinth(q);
            if labyrinth > 2.0 { labyrinth - 0.7 } else { (labyrinth - 0.7).max(-labyrinth.max(self.septa(q))) }
        })
    }

    /// Returns the depth of a point in the walls between cells: space divided among centres that stray from a lattice, some
    /// of which reach farther than others.
    fn septa(&self, q: DVec3) -> f64 {
        let p = q / self.cell_mm;
        let home = p.round();
        let mut nearest = (f64::INFINITY, DVec3::ZERO);
        let mut centres = [(0.0, DVec3::ZERO); 27];
        for (i, centre) in centres.iter_mut().enumerate() {
            let lattice = home + DVec3::new((i % 3) as f64, (i / 3 % 3) as f64, (i / 9) as f64) - DVec3::ONE;
            let at = lattice.to_array().map(|v| v as i64);
            let stray = |which: i64| 0.76 * self.detail.noise([at[0] + 977 * which, at[1], at[2]]) - 0.38;
            let place = lattice + DVec3::new(stray(1), stray(2), stray(3));
            // Distances squared, less the square of the reach: borders stay flat.
            *centre = (p.distance_squared(place) - 0.3 * self.detail.noise([at[0] + 977 * 4, at[1], at[2]]), place);
            if centre.0 < nearest.0 {
                nearest = *centre;
            }
        }
        let border = centres
            .iter()
            .filter(|centre| centre.1 != nearest.1)
            .map(|&(power, place)| (power - nearest.0) / (2.0 * place.distance(nearest.1)))
            .fold(1.0, f64::min);
        SEPTA_MM - border * self.cell_mm
    }
}

/// Returns where the ridge of the nasal bones lies at a height: it goes down and to the front.
fn ridge_y(f: DVec3) -> f64 {
    0.5 * (f.z + 20.0) - 79.5
}

/// Returns the distance to the nasal bones and the upper jaw's processes beside them: a roof, thinner at its free edge.
fn nasal_bones(f: DVec3) -> f64 {
    let down = ((-20.0 - f.z) / 26.0).clamp(0.0, 1.0);
    let eaves = (f.x * f.x + 4.0).sqrt() - 2.0;
    let sheet = 0.6 * (f.y - ridge_y(f) - 1.15 * eaves).abs() - (1.7 - 0.7 * down);
    // The free edge lies lower to the sides, where the roof goes on in the upper jaw.
    let edge = 0.8 * ((f.z + 32.0).abs() - 15.0 - 0.4 * f.x);
    smooth_max(smooth_max(sheet, 0.9 * (f.x - 13.0), 2.0), edge, 1.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{geometry::components, numeric::Seed, space::Grid, volume::Volume};

    fn nose(case: u64) -> Nose {
        Nose::of(&Detail::draw(&mut Seed([8; 32]).stream("detail", case)))
    }

    #[test]
    fn cells_are_many_and_do_not_run_into_each_other() {
        const SIZE: [usize; 3] = [30, 100, 44];
        for case in 1..4 {
            let nose = nose(case);
            let at = |i: usize| {
                let (x, y, z) = (i % SIZE[0], i / SIZE[0] % SIZE[1], i / SIZE[0] / SIZE[1]);
                DVec3::new(2.0 + 0.4 * x as f64, -78.0 + 0.4 * y as f64, -45.0 + 0.4 * z as f64)
            };
            let data = (0..SIZE.iter().product()).map(|i| u8::from(nose.cells(at(i), at(i)) < 0.0)).collect();
            let sizes = components::label(&Volume { grid: Grid::aligned(SIZE, DVec3::ONE), data }).sizes;
            let (all, largest) = (sizes.iter().sum::<usize>(), sizes.iter().copied().max().unwrap());
            let cells = sizes.iter().filter(|&&size| size > 20).count();
            assert!(cells >= 5 && 2 * largest < all, "{cells} cells, {largest} of {all} points in the largest");
        }
    }

    #[test]
    fn air_passes_between_the_turbinates_on_both_sides_of_the_septum() {
        for case in 0..20 {
            let nose = nose(case);
            for sign in [-1.0, 1.0] {
                let open = |x: f64, z: f64| {
                    let q = DVec3::new(sign * x, -58.0, z);
                    nose.air(DVec3::new(x, q.y, q.z), q) < 0.0
                };
                let count = (0..900).filter(|i| open(f64::from(i % 30) * 0.5 + 0.25, -80.0 + f64::from(i / 30) * 1.3));
                let count = count.count();
                assert!((120..650).contains(&count), "case {case}: {count} of 900 points are air");
            }
            let middle = DVec3::new(nose.deviation_mm(DVec3::new(0.0, -58.0, -59.0)), -58.0, -59.0);
            assert!(nose.septum(DVec3::new(middle.x.abs(), middle.y, middle.z), middle) < 0.0, "the septum's bone");
        }
    }

    #[test]
    fn sides_and_heads_differ() {
        let (one, other) = (nose(1), nose(2));
        let at = |i: i32| DVec3::new(f64::from(i % 15) + 1.0, f64::from(i / 15 % 20) - 75.0, f64::from(i / 300) - 80.0);
        let differ = |other: &dyn Fn(DVec3) -> f64| {
            (0..12_000).filter(|&i| (one.air(at(i), at(i)) < 0.0) != (other(at(i)) < 0.0)).count()
        };
        let head = differ(&|f| other.air(f, f));
        let side = differ(&|f| one.air(f, DVec3::new(-f.x, f.y, f.z)));
        assert!(head > 300 && side > 300, "{head} and {side} points differ");
    }
}
