//! What is inside the programs, and under which licences: asked of cargo, as a release's list is.

use std::collections::BTreeSet;
use std::process::Command;

use crate::tools::{must_agree, on_this_machine, printed, read, repository};

/// The licences that deny.toml allows.
fn allowed() -> BTreeSet<String> {
    let settings = read("deny.toml");
    let list = settings
        .split("allow = [")
        .nth(1)
        .unwrap()
        .split(']')
        .next()
        .unwrap();
    list.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Whether an SPDX expression can be met; "/" is the old way to write OR.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let parts = expression.replace('/', " OR ").replace(['(', ')'], "");
    parts
        .split(" AND ")
        .all(|part| part.split(" OR ").any(|one| allowed.contains(one.trim())))
}

fn list() -> String {
    let output = Command::new("sh")
        .arg(repository("dist/licences.sh"))
        .env("CARGO", env!("CARGO"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_expression_is_met_where_each_of_its_parts_is() {
    let allowed = BTreeSet::from(["MIT".to_owned(), "ISC".to_owned()]);
    for met in [
        "MIT",
        "MIT/GPL-3.0",
        "Apache-2.0 OR ISC",
        "(MIT OR GPL-3.0) AND ISC",
    ] {
        assert!(is_met(met, &allowed), "{met}");
    }
    for not_met in ["GPL-3.0", "MIT AND GPL-3.0", ""] {
        assert!(!is_met(not_met, &allowed), "{not_met}");
    }
}

#[test]
fn all_that_is_inside_may_be_passed_on() {
    let allowed = allowed();
    let list = list();
    let table = list.split("Not crates").next().unwrap();
    let mut count = 0;
    for line in table.lines().skip_while(|line| !line.is_empty()).skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[name, version, ref rest @ ..] = &words[..] else {
            continue;
        };
        if !version.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let licence = rest.iter().filter(|word| **word != "client");
        let licence = licence.copied().collect::<Vec<_>>().join(" ");
        assert!(
            is_met(&licence, &allowed),
            "{name} {version} is under '{licence}'"
        );
        count += 1;
    }
    assert!(count > 30, "{count} crates only:\n{table}");
}

#[test]
fn each_crate_is_listed_with_its_text() {
    let list = list();
    let (_, texts) = list.split_once("====").unwrap();
    for crate_name in [
        "rustls",
        "ring",
        "libsqlite3-sys",
        "webpki-roots",
        "serde",
        "pakyas",
    ] {
        assert!(texts.contains(&format!("{crate_name} ")) || texts.contains(crate_name));
    }
    for beside in ["SQLite", "musl", "Rust's standard library", "Mozilla"] {
        assert!(list.contains(beside), "nothing of {beside}");
    }
    // Tools of the build and of the tests are not inside.
    for tool in ["proptest", "rcgen", "syn ", "cc "] {
        assert!(!list.lines().any(|line| line.starts_with(tool)), "{tool}");
    }
}

#[test]
fn cargo_deny_agrees_where_it_is_installed() {
    let Some(mut deny) = on_this_machine("cargo-deny", "crates.io: make deny installs it") else {
        return;
    };
    let arguments = ["deny", "--offline", "check", "licenses", "bans", "sources"];
    must_agree(deny.args(arguments).current_dir(repository("")));
}
