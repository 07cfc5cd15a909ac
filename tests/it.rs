//! The one integration-test binary: each module is one door into the program.
