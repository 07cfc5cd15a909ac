//! Figures as PNG: slices with contours, shaded surfaces, strip charts. All pixels are computed here, with IEEE arithmetic
//! alone, so a figure has the same bytes wherever it is drawn.
//!
//! ```text
//! canvas   pixels, lines, text          font     5 x 7 glyphs          png      bytes
//! view     a plane through a volume     contour  where a value is crossed, where a mesh is cut
//! panel    one view with its marks, several on a page      slice, alignment   the pages
//! raster   triangles into a depth buffer                   solid, eye, occlusion, shade: how a mesh looks
//! surface  the page of shaded meshes
//! chart    values of patients by method
//! ```

mod alignment;
mod canvas;
mod chart;
mod colour;
mod contour;
mod eye;
mod font;
mod occlusion;
mod panel;
mod png;
mod raster;
mod shade;
mod slice;
mod solid;
mod surface;
mod view;

pub use self::{
    alignment::alignment,
    canvas::Picture,
    chart::chart,
    slice::{SliceTitles, slices},
    surface::{SurfaceOptions, surfaces},
};
