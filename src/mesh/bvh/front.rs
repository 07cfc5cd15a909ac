//! Where the searches for points near each other start: far below the root.
//!
//! The distance to a mesh changes by at most the way one goes. So the distance of one point tells how far each of its
//! neighbours must look at most, and what is farther from the box around them is passed over for all of them at once.

use super::{
    Bvh,
    lanes::Lanes,
    node::{Bounds, Child, Node, Reach, WIDE},
};
use crate::space::DVec3;

/// The part of a tree that some points near each other have to look at, as the children of one node.
pub(super) struct Front {
    pub(super) node: Node,
    /// Boxes that were looked at, and from `next` on those that wait for it.
    boxes: Vec<(Child, Bounds)>,
}

impl Front {
    pub(super) const fn new() -> Self {
        Self { node: Node::EMPTY, boxes: Vec::new() }
    }

    /// Puts the front around some points, given how far one point is from the mesh.
    ///
    /// Every step of a search in single precision errs to the same side for the box around the points as for each of them
    /// (rounding keeps order), and the slack of [`Reach`] is larger than the rounding of the two lengths added here: no
    /// triangle is lost that may be nearest to any of the points.
    #[inline(always)]
    pub(super) fn surround<L: Lanes>(
        &mut self,
        bvh: &Bvh,
        points: impl Iterator<Item = DVec3>,
        from: DVec3,
        from_mm: f64,
    ) {
        let (mut around, mut way_squared, mut size_mm) = (Bounds::NONE, 0.0_f64, DVec3::ZERO);
        for p in points {
            around.join(&Bounds::near(p));
            way_squared = way_squared.max(p.distance_squared(from));
            size_mm = size_mm.max(p.abs());
        }
        let reach_mm = from_mm + way_squared.sqrt();
        self.descend::<L>(bvh, &around, Reach::at(size_mm).squared(reach_mm * reach_mm));
    }

    /// Goes down from the root, level by level, as long as there is room.
    #[inline(always)]
    fn descend<L: Lanes>(&mut self, bvh: &Bvh, around: &Bounds, limit: f32) {
        self.boxes.clear();
        self.boxes.push((bvh.root, Bounds::ALL));
        self.node = Node::EMPTY;
        let (mut next, mut kept) = (0, 0);
        while let Some(&(child, inside)) = self.boxes.get(next) {
            next += 1;
            if child.block().is_none() {
                let node = &bvh.nodes[child.at()];
                let within = node.squared_gaps::<L>(around, limit).1;
                if kept + self.boxes.len() - next + within.count_ones() as usize <= WIDE {
                    let children = (0..WIDE).filter(|lane| within >> lane & 1 == 1 && node.child[*lane] != Child::NONE);
                    self.boxes.extend(children.map(|lane| (node.child[lane], node.bounds(lane))));
                    continue;
                }
            }
            self.node.set(kept, child, &inside);
            kept += 1;
        }
    }
}
