//! `cargo bench --bench msdnet`: the command `calvaria bench msdnet`, with any of its options behind `--`.

fn main() {
    // Cargo adds `--bench`; a worker is started with a whole command line of its own.
    let given: Vec<_> = std::env::args_os().skip(1).filter(|argument| argument != "--bench").collect();
    let worker = given.iter().any(|argument| argument == "--worker");
    let suite: &[&str] = if worker { &["calvaria"] } else { &["calvaria", "bench", "msdnet"] };
    let arguments = suite.iter().map(Into::into).chain(given);
    std::process::exit(calvaria::cli::main(arguments));
}
