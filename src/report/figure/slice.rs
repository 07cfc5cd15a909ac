//! The slice figure: CT with the gold contour and the predicted one, after figure 1 of the paper.
//!
//! ```text
//! axial at the focus, CT alone │ the same with contours │ axial above │ axial below
//! the same enlarged            │ coronal                │ sagittal    │ coronal or sagittal, enlarged
//! ```
//! The focus is the defect's centre. Contours are the 0.5 level of the labels, interpolated in the plane.

use super::{
    canvas::Picture,
    colour::{GOLD, PREDICTION},
    contour::crossings,
    panel::{Marks, PANEL_PX, Page, Panel, WINDOW_HU, page},
    view::{Bounds, Plane, View},
};
use crate::{space::DVec3, volume::Volume};

/// Space around the bone, mm.
const MARGIN_MM: f64 = 14.0;

/// Side of the enlarged views, mm.
const ENLARGED_MM: f64 = 90.0;

/// What stands over and under a slice figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceTitles {
    /// Over the figure: case, method, its numbers.
    pub title: String,
    /// What the gold contour is.
    pub gold: String,
    /// What the predicted contour is.
    pub prediction: String,
}

impl Default for SliceTitles {
    fn default() -> Self {
        Self { title: String::new(), gold: "gold standard".to_owned(), prediction: "prediction".to_owned() }
    }
}

/// Returns the slice figure of a case. The three volumes may have different grids.
///
/// `focus_mm` is the defect's centre, LPS mm; without one, it is where the two labels differ.
#[must_use]
pub fn slices(
    ct: &Volume<f32>,
    gold: &Volume<u8>,
    prediction: &Volume<u8>,
    focus_mm: Option<DVec3>,
    titles: &SliceTitles,
) -> Picture {
    let scene = Scene::new(ct, gold, prediction, focus_mm);
    let [gold, prediction] = [gold, prediction].map(|label| label.map(|value| u8::from(value != 0)));
    let contours = |view: &View| {
        let marks = |label: &Volume<u8>, width, colour| {
            let values = view.sample(label, 0.0);
            Marks { segments: crossings(&values, view.width, 0.5), width, colour }
        };
        vec![marks(&gold, 3.6, GOLD), marks(&prediction, 1.5, PREDICTION)]
    };
    let panel = |(name, view): (String, View), with_contours| {
        let (axis, at_mm) = view.plane.position(view.centre_mm);
        let caption = format!("{name}, {axis} = {at_mm:.1}");
        Panel { caption, marks: if with_contours { contours(&view) } else { Vec::new() }, view }
    };
    let mut panels = vec![panel(("CT".to_owned(), scene.whole(Plane::Axial, scene.focus_mm)), false)];
    panels.extend(scene.views().into_iter().map(|named| panel(named, true)));
    let [centre, width] = WINDOW_HU;
    let remark =
        format!("Window {centre:.0} / {width:.0} HU. Positions in mm, LPS. Views are interpolated to square pixels.");
    page(
        ct,
        &Page {
            title: &titles.title,
            columns: 4,
            panels: &panels,
            legend: &[(GOLD, titles.gold.clone()), (PREDICTION, titles.prediction.clone())],
            remarks: &[remark],
        },
    )
}

/// Where to look.
struct Scene {
    bounds: Bounds,
    focus_mm: DVec3,
    /// Axial heights above and below the focus, mm.
    others_mm: [f64; 2],
    mm_per_px: f64,
}

impl Scene {
    fn new(ct: &Volume<f32>, gold: &Volume<u8>, prediction: &Volume<u8>, focus_mm: Option<DVec3>) -> Self {
        let labelled = [gold, prediction].into_iter().filter_map(Bounds::of_label).reduce(Bounds::union);
        let bone = labelled.unwrap_or_else(|| Bounds::of_grid(&ct.grid));
        let bounds = bone.grown(MARGIN_MM);
        let focus_mm = focus_mm.filter(|p| p.is_finite()).or_else(|| difference(gold, prediction));
        let mut focus_mm = focus_mm.unwrap_or_else(|| bone.centre());
        focus_mm.z = on_slice(ct, focus_mm);
        let mut others = [0.75, 0.5, 0.25].map(|share| bone.low.z + share * bone.extent().z).to_vec();
        let near = |z: &f64| (z - focus_mm.z).abs();
        if let Some(nearest) = (0..3).min_by(|&a, &b| near(&others[a]).total_cmp(&near(&others[b]))) {
            others.remove(nearest);
        }
        let snapped = |z| on_slice(ct, DVec3::new(focus_mm.x, focus_mm.y, z));
        let others_mm = [snapped(others[0]), snapped(others[1])];
        Self { bounds, focus_mm, others_mm, mm_per_px: bounds.extent().max_element() / PANEL_PX as f64 }
    }

    /// Returns the view of the whole bone in a plane through a point.
    fn whole(&self, plane: Plane, through_mm: DVec3) -> View {
        let [right, down] = plane.axes();
        let normal = right.cross(down);
        let middle = self.bounds.centre();
        let centre_mm = middle + normal * (through_mm - middle).dot(normal);
        View { plane, centre_mm, mm_per_px: self.mm_per_px, width: PANEL_PX, height: PANEL_PX }
    }

    /// Returns the view of the surroundings of the focus, a little inwards: outside there is little to see.
    fn enlarged(&self, plane: Plane) -> View {
        let [right, down] = plane.axes();
        let inwards = self.bounds.centre() - self.focus_mm;
        let inwards = right * inwards.dot(right) + down * inwards.dot(down);
        let shift = inwards.normalize_or_zero() * (0.2 * ENLARGED_MM).min(inwards.length());
        let mm_per_px = (ENLARGED_MM / PANEL_PX as f64).min(self.mm_per_px);
        View { plane, centre_mm: self.focus_mm + shift, mm_per_px, width: PANEL_PX, height: PANEL_PX }
    }

    fn views(&self) -> Vec<(String, View)> {
        let axial_at = |z| self.whole(Plane::Axial, DVec3::new(self.focus_mm.x, self.focus_mm.y, z));
        let [above, below] = self.others_mm;
        let named = |view: View| (view.plane.name().to_owned(), view);
        // Of the two upright planes, the one that cuts the wall at the focus across.
        let out = self.focus_mm - self.bounds.centre();
        let enlarged = |plane: Plane| (format!("{} enlarged", plane.name()), self.enlarged(plane));
        vec![
            named(axial_at(self.focus_mm.z)),
            named(axial_at(above)),
            named(axial_at(below)),
            enlarged(Plane::Axial),
            named(self.whole(Plane::Coronal, self.focus_mm)),
            named(self.whole(Plane::Sagittal, self.focus_mm)),
            enlarged(if out.x.abs() > out.y.abs() { Plane::Coronal } else { Plane::Sagittal }),
        ]
    }
}

/// Returns the height of the nearest slice when the grid's slices are axial; between them it stays where it is.
fn on_slice(ct: &Volume<f32>, p: DVec3) -> f64 {
    if ct.grid.direction.z_axis.z.abs() < 0.9999 {
        return p.z;
    }
    let mut voxel = ct.grid.voxel_from_world().transform_point3(p);
    voxel.z = (voxel.z + 0.5).floor().clamp(0.0, ct.grid.size[2] as f64 - 1.0);
    ct.grid.world_from_voxel().transform_point3(voxel).z
}

/// Returns the middle of the largest run of differing voxels along the rows of the first label's grid, if the grids agree.
fn difference(gold: &Volume<u8>, prediction: &Volume<u8>) -> Option<DVec3> {
    if !gold.grid.same_place(&prediction.grid) {
        return None;
    }
    let nx = gold.grid.size[0];
    let rows = gold.data.chunks_exact(nx).zip(prediction.data.chunks_exact(nx)).enumerate();
    let count = |(a, b): (&[u8], &[u8])| a.iter().zip(b).filter(|(a, b)| (**a != 0) != (**b != 0)).count();
    let (row, _) = rows
        .map(|(row, pair)| (row, count(pair)))
        .filter(|(_, n)| *n > 0)
        .min_by_key(|&(row, n)| (std::cmp::Reverse(n), row))?;
    let differ: Vec<usize> =
        (0..nx).filter(|x| (gold.data[row * nx + x] != 0) != (prediction.data[row * nx + x] != 0)).collect();
    let (y, z) = (row % gold.grid.size[1], row / gold.grid.size[1]);
    Some(gold.grid.world(differ[differ.len() / 2], y, z))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Grid;

    /// A box of bone from voxel (8, 8, 4) to (23, 23, 11), 1 x 1 x 2 mm.
    fn bone() -> Volume<u8> {
        let grid = Grid::aligned([32, 32, 16], DVec3::new(1.0, 1.0, 2.0));
        let mut label = Volume::filled(grid, 0);
        for (x, y, z) in (4..12).flat_map(|z| (8..24).flat_map(move |y| (8..24).map(move |x| (x, y, z)))) {
            label.data[grid.index(x, y, z)] = 1;
        }
        label
    }

    /// Returns how many pixels are rather orange, and how many rather blue.
    fn counts(picture: &Picture) -> [usize; 2] {
        let more = |from: usize, than: usize| {
            picture.rgb.chunks_exact(3).filter(|rgb| i32::from(rgb[from]) > i32::from(rgb[than]) + 60).count()
        };
        [more(0, 2), more(2, 0)]
    }

    #[test]
    fn the_focus_is_put_on_a_slice_and_the_others_keep_away_from_it() {
        let label = bone();
        let ct = label.map(|v| f32::from(v) * 1000.0);
        let scene = Scene::new(&ct, &label, &label, Some(DVec3::new(8.0, 16.0, 10.7)));
        assert_eq!(scene.focus_mm.z, 10.0);
        assert_eq!(
            scene.others_mm,
            [20.0, 16.0],
            "heights 7 to 23: shares 0.75 and 0.5, that of 0.25 is the focus's own"
        );
        assert!((scene.mm_per_px * PANEL_PX as f64 - (16.0 + 2.0 * MARGIN_MM)).abs() < 1e-12);
    }

    #[test]
    fn without_a_focus_it_is_where_the_labels_differ() {
        let gold = bone();
        let mut prediction = gold.clone();
        for x in 20..24 {
            prediction.data[gold.grid.index(x, 9, 5)] = 0;
        }
        assert_eq!(difference(&gold, &prediction), Some(gold.grid.world(22, 9, 5)));
        assert_eq!(difference(&gold, &gold), None);
    }

    #[test]
    fn equal_contours_lie_on_each_other() {
        let label = bone();
        let ct = label.map(|v| f32::from(v) * 1000.0);
        let picture = slices(&ct, &label, &label, None, &SliceTitles::default());
        let empty = Volume::filled(label.grid, 0_u8);
        let alone = slices(&ct, &label, &empty, None, &SliceTitles::default());
        let ([gold, blue], [gold_alone, blue_alone]) = (counts(&picture), counts(&alone));
        assert!(blue > blue_alone + 1000, "{blue} {blue_alone}");
        assert!(
            gold + 1000 < gold_alone && gold > 1000,
            "the thin line covers the middle of the broad one: {gold} {gold_alone}"
        );
    }

    #[test]
    fn any_input_gives_a_picture() {
        let ct = Volume::filled(Grid::aligned([1, 1, 1], DVec3::ONE), f32::NAN);
        let empty = Volume::filled(Grid::aligned([3, 2, 1], DVec3::splat(0.1)), 0_u8);
        let full = Volume::filled(Grid::aligned([2, 2, 2], DVec3::splat(100.0)), 255_u8);
        let nowhere = Some(DVec3::splat(f64::NAN));
        assert_eq!(slices(&ct, &empty, &full, nowhere, &SliceTitles::default()).height % 2, 0);
        assert!(!slices(&ct, &empty, &empty, None, &SliceTitles::default()).to_png().is_empty());
    }
}
