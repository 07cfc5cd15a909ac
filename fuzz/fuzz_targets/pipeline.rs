//! The parser `pipeline` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| calvaria_fuzz::hold("pipeline", bytes));
