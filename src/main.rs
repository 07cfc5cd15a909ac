//! The program: everything is in the library.

fn main() {
    std::process::exit(calvaria::cli::main(std::env::args_os()));
}
