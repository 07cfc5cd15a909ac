//! A small build system that knows no medicine: stages, keys, a store, and an executor.

mod filestat;
mod locktext;

pub mod audit;
pub mod canonical;
pub mod change;
pub mod check;
pub mod diagnose;
pub mod diff;
pub mod digest;
pub mod events;
pub mod execute;
pub mod expand;
pub mod explain;
pub mod graph;
pub mod key;
pub mod lockfile;
pub mod origin;
pub mod pack;
pub mod plan;
pub mod publish;
pub mod record;
pub mod runs;
pub mod schema;
pub mod select;
pub mod session;
pub mod spec;
pub mod stage;
pub mod stale;
pub mod statcache;
pub mod status;
pub mod store;
pub mod verify;

pub use expand::expand;
pub use graph::graph;
pub use schema::schema;
pub use spec::load;
