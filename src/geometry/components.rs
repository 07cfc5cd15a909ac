//! The pieces of a label: voxels connected through faces.

use crate::{mesh::forest::Forest, space::Grid, volume::Volume};

/// The pieces of a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    /// 0 for background, else 1 + the number of the piece, in the order in which memory meets them.
    pub labels: Volume<u32>,
    /// Voxels of each piece.
    pub sizes: Vec<usize>,
}

/// Returns the 6-connected pieces of the non-zero voxels. Two passes over runs along x.
#[must_use]
pub fn label(label: &Volume<u8>) -> Components {
    let pieces = Pieces::of(label, |v| v != 0);
    let mut labels = Volume::filled(label.grid, 0_u32);
    for (run, &piece) in pieces.runs.iter().zip(&pieces.numbers) {
        labels.data[run.start..run.end].fill(piece + 1);
    }
    Components { labels, sizes: pieces.sizes }
}

/// Returns the label with only its largest piece, as 0 and 1; of equal ones the first.
#[must_use]
pub fn largest(label: &Volume<u8>) -> Volume<u8> {
    let pieces = Pieces::of(label, |v| v != 0);
    let best = pieces.largest();
    pieces.kept(&label.grid, |piece| piece == best)
}

/// Returns the label with only the pieces of at least so many voxels, as 0 and 1.
#[must_use]
pub fn at_least(label: &Volume<u8>, voxels: usize) -> Volume<u8> {
    let pieces = Pieces::of(label, |v| v != 0);
    pieces.kept(&label.grid, |piece| pieces.sizes[piece] >= voxels)
}

/// Which pieces of the values inside a surface stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only the largest piece; of equal ones the first.
    pub largest: bool,
    /// Only pieces of at least so many voxels.
    pub at_least_voxels: usize,
}

/// What [`select`] found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Selected {
    /// Pieces in the volume, connected through voxel faces.
    pub pieces: usize,
    /// Pieces that stayed.
    pub kept: usize,
    /// Voxels of the pieces that stayed.
    pub kept_voxels: usize,
    /// Voxels of the pieces that went.
    pub dropped_voxels: usize,
}

/// Removes pieces of the voxels of at least `iso` by setting them to minus infinity.
///
/// Pieces do not touch through faces, so no edge between a removed voxel and one that stays is cut by the surface: the
/// surface around what stays keeps its every vertex. Its cavities stay too, which a choice among closed meshes would lose.
pub fn select(values: &mut Volume<f32>, iso: f64, selection: Selection) -> Selected {
    let pieces = Pieces::of(values, |value| f64::from(value) >= iso);
    let sizes = &pieces.sizes;
    let best = pieces.largest();
    let stays = |piece: usize| sizes[piece] >= selection.at_least_voxels && (!selection.largest || piece == best);
    let mut selected = Selected { pieces: sizes.len(), ..Selected::default() };
    for (piece, &voxels) in sizes.iter().enumerate() {
        selected.kept += usize::from(stays(piece));
        *(if stays(piece) { &mut selected.kept_voxels } else { &mut selected.dropped_voxels }) += voxels;
    }
    for (run, _) in pieces.runs.iter().zip(&pieces.numbers).filter(|&(_, &piece)| !stays(piece as usize)) {
        values.data[run.start..run.end].fill(f32::NEG_INFINITY);
    }
    selected
}

/// Returns the label with its holes filled, as 0 and 1: background from which no path through faces leads to the border.
#[must_use]
pub fn fill_holes(label: &Volume<u8>) -> Volume<u8> {
    let background = label.map(|v| u8::from(v == 0));
    let pieces = Pieces::of(&background, |v| v != 0);
    let [nx, ny, nz] = label.grid.size;
    let mut open = vec![false; pieces.sizes.len()];
    for (run, &piece) in pieces.runs.iter().zip(&pieces.numbers) {
        let (x, y, z) = (run.start % nx, run.start / nx % ny, run.start / (nx * ny));
        let at_border = x == 0 || run.end % nx == 0 || y == 0 || y + 1 == ny || z == 0 || z + 1 == nz;
        open[piece as usize] |= at_border;
    }
    let outside = pieces.kept(&label.grid, |piece| open[piece]);
    outside.map(|v| 1 - v)
}

/// Non-zero voxels next to each other along x, by place in memory.
struct Run {
    start: usize,
    end: usize,
}

struct Pieces {
    runs: Vec<Run>,
    /// Piece of each run.
    numbers: Vec<u32>,
    /// Voxels of each piece.
    sizes: Vec<usize>,
}

impl Pieces {
    fn of<T: Copy>(volume: &Volume<T>, inside: impl Fn(T) -> bool) -> Self {
        let [nx, ny, nz] = volume.grid.size;
        let mut runs = Vec::new();
        let mut rows = vec![0_usize];
        for (row, values) in volume.data.chunks_exact(nx).enumerate() {
            let mut at = 0;
            while let Some(start) = values[at..].iter().position(|&v| inside(v)).map(|step| at + step) {
                at = values[start..].iter().position(|&v| !inside(v)).map_or(nx, |step| start + step);
                runs.push(Run { start: row * nx + start, end: row * nx + at });
            }
            rows.push(runs.len());
        }
        let mut forest = Forest::new(runs.len());
        for z in 0..nz {
            for y in 0..ny {
                let row = y + ny * z;
                if y > 0 {
                    join_rows(&mut forest, &runs, [rows[row - 1], rows[row], rows[row + 1]], rows[row], nx);
                }
                if z > 0 {
                    let below = row - ny;
                    join_rows(&mut forest, &runs, [rows[below], rows[below + 1], rows[row + 1]], rows[row], nx * ny);
                }
            }
        }
        Self::numbered(runs, &mut forest)
    }

    fn numbered(runs: Vec<Run>, forest: &mut Forest) -> Self {
        let mut sizes = Vec::new();
        let mut numbers: Vec<u32> = Vec::with_capacity(runs.len());
        for (i, run) in runs.iter().enumerate() {
            // a root is the first run of its piece, so it has been numbered before its other runs
            let root = forest.root(i as u32) as usize;
            let number = if root == i { sizes.len() as u32 } else { numbers[root] };
            if root == i {
                sizes.push(0);
            }
            sizes[number as usize] += run.end - run.start;
            numbers.push(number);
        }
        Self { runs, numbers, sizes }
    }

    /// Returns the number of the largest piece; of equal ones the first.
    fn largest(&self) -> usize {
        let sizes = &self.sizes;
        (0..sizes.len()).fold(0, |best, piece| if sizes[piece] > sizes[best] { piece } else { best })
    }

    fn kept(&self, grid: &Grid, keep: impl Fn(usize) -> bool) -> Volume<u8> {
        let mut label = Volume::filled(*grid, 0_u8);
        for (run, _) in self.runs.iter().zip(&self.numbers).filter(|&(_, &piece)| keep(piece as usize)) {
            label.data[run.start..run.end].fill(1);
        }
        label
    }
}

/// Merges the runs of two rows that lie side by side; `apart` is the distance of the rows in memory.
fn join_rows(forest: &mut Forest, runs: &[Run], [mut a, a_end, b_end]: [usize; 3], mut b: usize, apart: usize) {
    while a < a_end && b < b_end {
        let (low, high) = (&runs[a], &runs[b]);
        let (start, end) = (low.start + apart, low.end + apart);
        if start < high.end && high.start < end {
            forest.join(a as u32, b as u32);
        }
        if end < high.end {
            a += 1;
        } else {
            b += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{numeric::Seed, space::DVec3};

    fn volume(size: [usize; 3], data: &[u8]) -> Volume<u8> {
        Volume::new(Grid::aligned(size, DVec3::ONE), data.to_vec()).unwrap()
    }

    #[test]
    fn faces_connect_and_edges_do_not() {
        let found = label(&volume([4, 2, 2], &[1, 0, 0, 1, 0, 1, 1, 0, /* z = 1 */ 0, 0, 0, 1, 1, 0, 7, 0]));
        assert_eq!(found.labels.data, [1, 0, 0, 2, 0, 3, 3, 0, 0, 0, 0, 2, 4, 0, 3, 0]);
        assert_eq!(found.sizes, [1, 2, 3, 1]);
        let empty = label(&volume([2, 1, 1], &[0, 0]));
        assert_eq!((empty.labels.data, empty.sizes), (vec![0, 0], vec![]));
    }

    #[test]
    fn the_first_of_the_largest_is_kept() {
        let two = volume([5, 1, 1], &[1, 1, 0, 3, 3]);
        assert_eq!(largest(&two).data, [1, 1, 0, 0, 0]);
        assert_eq!(at_least(&two, 2).data, [1, 1, 0, 1, 1]);
        assert_eq!(largest(&volume([2, 1, 1], &[0, 0])).data, [0, 0]);
    }

    #[test]
    fn pieces_of_numbers_are_selected_in_place() {
        let row = [0.5, 0.9, 0.1, 0.7, 0.6, 0.8, f32::NAN, 0.5, 0.0];
        let select_of = |largest, at_least_voxels| {
            let mut values = Volume::new(Grid::aligned([9, 1, 1], DVec3::ONE), row.to_vec()).unwrap();
            let selected = select(&mut values, 0.5, Selection { largest, at_least_voxels });
            let stays: Vec<usize> = (0..9).filter(|&i| values.data[i].to_bits() == row[i].to_bits()).collect();
            (stays, [selected.pieces, selected.kept, selected.kept_voxels, selected.dropped_voxels])
        };
        assert_eq!(select_of(true, 0), (vec![2, 3, 4, 5, 6, 8], [3, 1, 3, 3]));
        assert_eq!(select_of(false, 2), (vec![0, 1, 2, 3, 4, 5, 6, 8], [3, 2, 5, 1]));
        assert_eq!(select_of(true, 4), (vec![2, 6, 8], [3, 0, 0, 6]));
    }

    #[test]
    fn holes_are_what_a_path_through_faces_cannot_leave() {
        let mut shell = volume([5, 5, 5], &[0; 125]);
        for (z, y, x) in (1..4).flat_map(|z| (1..4).flat_map(move |y| (1..4).map(move |x| (z, y, x)))) {
            shell.data[x + 5 * (y + 5 * z)] = u8::from((x, y, z) != (2, 2, 2));
        }
        let filled = fill_holes(&shell);
        assert_eq!(filled.at(2, 2, 2), 1);
        assert_eq!(filled.data.iter().filter(|&&v| v == 1).count(), 27);
        shell.data[1 + 5 * (2 + 5 * 2)] = 0;
        assert_eq!(fill_holes(&shell).at(2, 2, 2), 0, "a channel to the outside");
    }

    #[test]
    fn a_flood_fill_agrees_on_random_labels() {
        let mut stream = Seed([9; 32]).stream("components", 0);
        for density in [0.2, 0.35, 0.6] {
            let size = [13, 7, 9];
            let data: Vec<u8> = (0..13 * 7 * 9).map(|_| u8::from(stream.unit() < density)).collect();
            assert_eq!(label(&volume(size, &data)).labels.data, flood(size, &data));
        }
    }

    fn flood([nx, ny, nz]: [usize; 3], data: &[u8]) -> Vec<u32> {
        let mut labels = vec![0; data.len()];
        let mut count = 0;
        for seed in 0..data.len() {
            if data[seed] == 0 || labels[seed] != 0 {
                continue;
            }
            count += 1;
            let mut stack = vec![seed];
            while let Some(at) = stack.pop() {
                if data[at] == 0 || labels[at] != 0 {
                    continue;
                }
                labels[at] = count;
                let (x, y, z) = (at % nx, at / nx % ny, at / (nx * ny));
                let steps = [(x, nx, 1), (y, ny, nx), (z, nz, nx * ny)];
                stack.extend(steps.iter().filter(|s| s.0 > 0).map(|s| at - s.2));
                stack.extend(steps.iter().filter(|s| s.0 + 1 < s.1).map(|s| at + s.2));
            }
        }
        labels
    }
}
