//! The parser `nrrd` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| calvaria_fuzz::hold("nrrd", bytes));
