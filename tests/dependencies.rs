//! What is in the programs and what must never be: asked of cargo itself.

use std::process::Command;

/// The crates that a program is made of, as `cargo tree` names them.
fn tree(options: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none"])
        .args(options)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn names(tree: &str) -> Vec<&str> {
    tree.lines()
        .filter_map(|line| line.split(' ').next())
        .collect()
}

#[test]
fn neither_program_has_an_async_runtime() {
    let tree = tree(&["--all-features"]);
    for runtime in [
        "tokio",
        "smol",
        "async-std",
        "async-executor",
        "async-io",
        "futures-executor",
        "mio",
        "hyper",
        "actix-rt",
        "monoio",
        "glommio",
    ] {
        assert!(!names(&tree).contains(&runtime), "{runtime} is in the tree");
    }
    assert!(names(&tree).contains(&"rusqlite"));
}

#[test]
fn the_client_has_nothing_of_the_server() {
    let tree = tree(&["--no-default-features"]);
    for server_only in ["rusqlite", "libsqlite3-sys", "argon2", "askama", "lettre"] {
        assert!(
            !names(&tree).contains(&server_only),
            "{server_only} is in the client"
        );
    }
    assert!(names(&tree).contains(&"ureq"));
}

#[test]
fn every_direct_dependency_has_its_line_in_contributing() {
    let root = env!("CARGO_MANIFEST_DIR");
    let read = |name: &str| std::fs::read_to_string(format!("{root}/{name}")).unwrap();
    let (manifest, contributing) = (read("Cargo.toml"), read("CONTRIBUTING.md"));
    let tables = manifest.split("\n[").filter(|table| {
        table.starts_with("dependencies]") || table.starts_with("dev-dependencies]")
    });
    let mut count = 0;
    for line in tables.flat_map(|table| table.lines().skip(1)) {
        let Some((name, _)) = line.split_once(" = ") else {
            continue;
        };
        count += 1;
        assert!(
            contributing.contains(&format!("| `{name}` |")),
            "{name} has no line in CONTRIBUTING.md's table"
        );
    }
    assert!(count > 5, "no dependencies were found in Cargo.toml");
}

/// `1.89` and `1.89.0` as numbers.
fn version(text: &str) -> Vec<u32> {
    let mut numbers: Vec<u32> = text.split('.').map(|part| part.parse().unwrap()).collect();
    numbers.resize(3, 0);
    numbers
}

/// No older compiler than today's can be had where the tests run. That our own code asks for nothing
/// newer of the library is clippy's `incompatible_msrv`.
#[test]
fn no_dependency_wants_a_newer_rust_than_cargo_toml_says() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let stated = version(env!("CARGO_PKG_RUST_VERSION"));
    let mut count = 0;
    for package in metadata["packages"].as_array().unwrap() {
        let Some(wanted) = package["rust_version"].as_str() else {
            continue;
        };
        count += 1;
        assert!(
            version(wanted) <= stated,
            "{} {} wants Rust {wanted}: let `cargo update` choose another, or say so in Cargo.toml",
            package["name"],
            package["version"]
        );
    }
    assert!(count > 30, "{count} crates only say which Rust they want");
}
