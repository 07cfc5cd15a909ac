//! Comparators: other ways from a scan to a label, to stand beside the network.

pub mod threshold;
