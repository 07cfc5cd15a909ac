//! The plain march that the fast one must equal bit for bit: point by point, cell by cell, one map from edge to number.

use std::collections::BTreeMap;

use super::{
    Border,
    cases::CASES,
    clearance::{clearance, crossing},
    field::Field,
};
use crate::{
    mesh::Mesh,
    space::{DVec3, Grid},
};

/// Returns the surface, as `surface_of` does.
pub(super) fn surface_of<F: Field>(grid: &Grid, data: &[F::Value], border: Border, field: &F) -> Mesh {
    let pad = usize::from(border == Border::Cap);
    let [nx, ny, nz] = grid.size.map(|n| n + 2 * pad);
    let value = |point: [usize; 3]| {
        let [x, y, z] = point.map(|p| p.wrapping_sub(pad));
        let [width, height, depth] = grid.size;
        (x < width && y < height && z < depth).then(|| data[grid.index(x, y, z)])
    };
    let inside = |point| value(point).is_some_and(|value| field.inside(value));
    let clearance = clearance(grid, pad);
    let world_from_voxel = grid.world_from_voxel();

    let mut vertices = Vec::new();
    let mut number_of = BTreeMap::new();
    for (z, y, axis, x) in (0..nz)
        .flat_map(|z| (0..ny).map(move |y| (z, y)))
        .flat_map(|(z, y)| (0..3).flat_map(move |axis| (0..nx).map(move |x| (z, y, axis, x))))
    {
        let point = [x, y, z];
        let mut end = point;
        end[axis] += 1;
        if end[axis] == [nx, ny, nz][axis] || inside(point) == inside(end) {
            continue;
        }
        let share = match (value(point), value(end)) {
            (Some(low), Some(high)) => crossing(field.depth(low), field.depth(high), clearance),
            _ => 0.5,
        };
        let mut voxel = DVec3::from_array(point.map(|p| p as f64 - pad as f64));
        voxel[axis] += share;
        number_of.insert((point, axis), vertices.len() as u32);
        vertices.push(world_from_voxel.transform_point3(voxel));
    }

    let mut triangles = Vec::new();
    let mirrored = world_from_voxel.matrix3.determinant() < 0.0;
    for (z, y, x) in (0..nz - 1).flat_map(|z| (0..ny - 1).flat_map(move |y| (0..nx - 1).map(move |x| (z, y, x)))) {
        let corner = |c: usize| [x + (c & 1), y + (c >> 1 & 1), z + (c >> 2)];
        let case = &CASES[(0..8).map(|c| usize::from(inside(corner(c))) << c).sum::<usize>()];
        let vertex = |edge: u8| {
            let (low, high) = (usize::from(edge & 1), usize::from(edge >> 1 & 1));
            let (steps, axis) = match edge >> 2 {
                0 => ([0, low, high], 0),
                1 => ([low, 0, high], 1),
                _ => ([low, high, 0], 2),
            };
            number_of[&([x + steps[0], y + steps[1], z + steps[2]], axis)]
        };
        for &[a, b, c] in &case.triangles[..usize::from(case.count)] {
            triangles.push(if mirrored { [a, c, b] } else { [a, b, c] }.map(vertex));
        }
    }
    Mesh { vertices, triangles }
}
