//! The C++ program around expanded kernels, and the compiler of this machine.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

/// Returns the program: the driver with each kernel in a namespace of its own.
pub(super) fn program(kernels: &[(String, String)]) -> String {
    let mut text = String::new();
    let mut calls = String::new();
    for (number, (name, source)) in kernels.iter().enumerate() {
        let source = source.replace("#include <cuda_runtime.h>", "").replace("extern \"C\"", "");
        let parameters = source.split_once(&format!("{name} (")).map_or("", |(_, rest)| rest);
        let parameters = parameters.split_once(')').map_or("", |(parameters, _)| parameters);
        let buffers: Vec<_> = (0..parameters.matches("buffer_").count()).map(|i| format!("buffers.at({i})")).collect();
        let buffers = buffers.join(", ");
        write!(
            text,
            "namespace k{number} {{\n{source}\nstatic void call(const std::vector<Any> &buffers, const \
             std::vector<uint32_t> &numbers) {{ {name}({buffers}, info_of<info_st>(numbers)); }}\n}}\n"
        )
        .expect("text");
        write!(calls, "k{number}::call, ").expect("text");
    }
    let calls = format!("{text}static const Call CALLS[] = {{ {calls} }};");
    include_str!("driver.cpp").replace("//KERNELS", &calls)
}

/// Returns the C++ compiler of this machine, if it has one.
fn compiler() -> Option<String> {
    let known = ["c++", "g++", "clang++"].map(str::to_owned);
    std::env::var("CXX").ok().into_iter().chain(known).find(|name| {
        Command::new(name)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    })
}

/// Compiles a program, with a check of every access to memory where the compiler has one; `None` without a compiler.
pub(super) fn compile(folder: &Path, text: &str) -> Option<PathBuf> {
    let compiler = compiler()?;
    let (source, program) = (folder.join("kernels.cpp"), folder.join("kernels"));
    std::fs::write(&source, text).expect("a writable folder");
    let build = |extra: &[&str]| {
        let mut command = Command::new(&compiler);
        command.args(["-std=c++17", "-O1", "-ffp-contract=off", "-w"]).args(extra).arg("-o").arg(&program).arg(&source);
        command.output().expect("a compiler that starts")
    };
    if !build(&["-fsanitize=address"]).status.success() {
        let output = build(&[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Some(program)
}

/// Runs a script; returns what it reads.
pub(super) fn run(program: &Path, script: Vec<u8>) -> Vec<u8> {
    let mut child =
        Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a program that starts");
    let mut input = child.stdin.take().expect("a pipe");
    let writer = thread::spawn(move || input.write_all(&script));
    let output = child.wait_with_output().expect("a program that ends");
    assert!(output.status.success(), "the emulated kernels failed: {}", output.status);
    writer.join().expect("a writer").expect("a script that is read to its end");
    output.stdout
}
