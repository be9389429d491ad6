//! Where the checking tools are, and starting them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The repository's own files.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file of the repository as text.
pub fn read(path: &str) -> String {
    let path = repository(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// All files below a folder of the repository, as paths from its root, sorted.
pub fn files_below(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(repository(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Says that a test is skipped. Where PAKYAS_CI is set all is installed that there is, and what can't
/// be tried has failed.
pub fn skip(why: &str) {
    assert!(std::env::var_os("PAKYAS_CI").is_none(), "{why}");
    eprintln!("skipped: {why}");
}

/// What tests/dist/tools.sh installed, or a sentence and nothing.
pub fn installed(path: &str) -> Option<PathBuf> {
    let tool = repository("target/tools/checks").join(path);
    if tool.exists() {
        return Some(tool);
    }
    skip(&format!(
        "there is no {}; run make test-dist-files",
        tool.display()
    ));
    None
}

/// A program of the machine, or a sentence and nothing.
pub fn on_this_machine(program: &str, package: &str) -> Option<Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !there {
        skip(&format!(
            "there is no {program} here; it is in Debian's {package}"
        ));
    }
    there.then(|| Command::new(program))
}

/// The folder of the static programs that a test is to run: what PAKYAS_STATIC_DIR names, else what
/// `make dist` made; or a sentence and nothing.
pub fn static_programs() -> Option<PathBuf> {
    let named = std::env::var_os("PAKYAS_STATIC_DIR").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| repository("target/dist/linux-x86_64"));
    if folder.join("pakyas").exists() && folder.join("pakyas-server").exists() {
        return Some(folder);
    }
    skip(&format!(
        "{} has no static programs; run make dist TARGETS=x86_64, or name their folder in \
         PAKYAS_STATIC_DIR",
        folder.display()
    ));
    None
}

/// Everything that a program printed.
pub fn printed(output: &Output) -> String {
    let text = [output.stdout.clone(), output.stderr.clone()].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// Runs a checker and fails with its words where it is not content.
pub fn must_agree(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", printed(&output));
}

/// The same checker must see what is wrong; else the test would say yes to anything.
pub fn must_refuse(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        !output.status.success(),
        "{command:?} accepts what is wrong"
    );
}
