//! Figures as PNG: slices with contours, shaded surfaces, strip charts. All pixels are computed here, with IEEE arithmetic
//! alone, so a figure has the same bytes wherever it is drawn.
//!
//! ```text
//! canvas   pixels, lines, text          font     5 x 7 glyphs          png      bytes
//! view     a plane through a volume     contour  where a value is crossed, where a mesh is cut
//! panel    one view with its marks, several on a page      slice, alignment   the pages
//! raster   triangles into a depth buffer                   occlusion, surface the shaded meshes
//! chart    values of patients by method
//! ```

mod alignment;
mod canvas;
mod colour;
mod contour;
mod font;
mod occlusion;
mod panel;
mod png;
mod raster;
mod slice;
mod solid;
mod surface;
mod view;

pub use self::{
    alignment::alignment,
    canvas::Picture,
    slice::{SliceTitles, slices},
    surface::{SurfaceOptions, surfaces},
};
