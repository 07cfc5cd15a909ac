//! The alignment figure: where a mesh cuts three planes of a CT. It shows why an alignment was refused.

use super::{
    canvas::Picture,
    colour::GOLD,
    contour::section,
    panel::{Marks, PANEL_PX, Page, Panel, page},
    view::{Bounds, Plane, View},
};
use crate::{mesh::Mesh, space::DVec3, volume::Volume};

/// Returns axial, coronal and sagittal views of the CT with the mesh's cross-sections.
///
/// The planes go through `focus_mm` (LPS mm), else through the middle of the part of the mesh that lies in the CT, else
/// through the middle of the CT. The views show the whole CT, and so also a mesh beside it.
#[must_use]
pub fn alignment(ct: &Volume<f32>, mesh: &Mesh, focus_mm: Option<DVec3>, title: &str) -> Picture {
    let grid = Bounds::of_grid(&ct.grid);
    let bounds =
        mesh.bounds_mm().map(|(low, high)| Bounds { low, high }).filter(|b| b.low.is_finite() && b.high.is_finite());
    let common = bounds.map(|b| Bounds { low: b.low.max(grid.low), high: b.high.min(grid.high) });
    let common = common.filter(|b| b.extent().min_element() > 0.0);
    let focus_mm = focus_mm.filter(|p| p.is_finite()).unwrap_or_else(|| common.unwrap_or(grid).centre());
    let mm_per_px = grid.extent().max_element() / PANEL_PX as f64;
    let panels = [Plane::Axial, Plane::Coronal, Plane::Sagittal].map(|plane| {
        let [right, down] = plane.axes();
        let pixels = |along: DVec3| ((grid.extent().dot(along.abs()) / mm_per_px) as usize).clamp(16, PANEL_PX);
        let normal = right.cross(down);
        let centre_mm = grid.centre() + normal * (focus_mm - grid.centre()).dot(normal);
        let view = View { plane, centre_mm, mm_per_px, width: pixels(right), height: pixels(down) };
        let (axis, at_mm) = plane.position(focus_mm);
        let marks = vec![Marks { segments: section(mesh, &view), width: 1.8, colour: GOLD }];
        Panel { caption: format!("{}, {axis} = {at_mm:.1}", plane.name()), view, marks }
    });
    let remarks = if common.is_none() { vec!["The mesh lies outside the scan.".to_owned()] } else { Vec::new() };
    let legend = [(GOLD, "mesh, cut by the plane".to_owned())];
    page(ct, &Page { title, columns: 3, panels: &panels, legend: &legend, remarks: &remarks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Grid;

    #[test]
    fn any_input_gives_a_picture() {
        let ct = Volume::filled(Grid::aligned([8, 8, 4], DVec3::new(1.0, 1.0, 2.0)), -1000.0_f32);
        let far = DVec3::splat(1e9);
        let beside = Mesh { vertices: vec![far, far + DVec3::X, far + DVec3::Y], triangles: vec![[0, 1, 2]] };
        let broken = Mesh { vertices: vec![DVec3::NAN; 3], triangles: vec![[0, 1, 2], [0, 1, 9]] };
        for mesh in [Mesh::default(), beside, broken] {
            assert!(alignment(&ct, &mesh, None, "p01").width > 100);
        }
    }
}
