//! What it costs to start `pakyas`: beside an empty program that is linked statically, in turn, in
//! one run. A shell waits for this at every TAB, and a job's start is a little of it.
//!
//! `cargo bench --no-default-features --bench startup`

#![allow(missing_docs, reason = "a program, not a library")]

mod figures;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use figures::{Aim, Figure, Figures, Spread};

/// How often each program is started.
const STARTS: usize = 500;

/// The most that pakyas may take longer than the empty program, milliseconds.
const BUDGET: f64 = 2.0;

fn main() {
    let Some(empty) = empty_program() else {
        println!("startup: skipped, there is no C compiler that links statically");
        return;
    };
    let pakyas = support::programs::pakyas();
    let pakyas = pakyas.as_path();
    let programs: [(&str, &Path, &[&str]); 4] = [
        ("an empty static program", &empty, &[]),
        ("pakyas --version", pakyas, &["--version"]),
        ("pakyas completion bash", pakyas, &["completion", "bash"]),
        (
            "a TAB after 'pakyas ping '",
            pakyas,
            &["__complete", "bash", "pakyas ping ", ""],
        ),
    ];
    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..STARTS {
        for ((_, program, arguments), times) in programs.iter().zip(&mut times) {
            times.push(start(program, arguments).as_secs_f64() * 1e3);
        }
    }
    let mut figures = Figures::of("startup");
    let [empty_times, ours @ ..] = times;
    for ((name, ..), times) in programs[1..].iter().zip(ours) {
        let median = Spread::of(empty_times.clone()).median;
        let figure = Figure::new(*name, "ms", times)
            .beside("empty", empty_times.clone())
            .aim(Aim::AtMost(((median + BUDGET) * 100.0).round() / 100.0));
        figures.add(figure);
    }
    figures.write();
    let _ = std::fs::remove_file(&empty);
}

/// From just before the spawn until the program has been waited for.
fn start(program: &Path, arguments: &[&str]) -> Duration {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let begun = Instant::now();
    let status = command.status().unwrap();
    let took = begun.elapsed();
    assert!(status.success());
    took
}

/// A program that does nothing, without a dynamic linker; `None` where it can't be made.
fn empty_program() -> Option<PathBuf> {
    let path = std::env::temp_dir().join(format!("pakyas-empty-{}", std::process::id()));
    let source = path.with_extension("c");
    std::fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let made = Command::new("cc")
        .args(["-static", "-Os", "-s", "-o"])
        .arg(&path)
        .arg(&source)
        .stderr(Stdio::null())
        .status();
    let _ = std::fs::remove_file(&source);
    made.is_ok_and(|status| status.success()).then_some(path)
}
