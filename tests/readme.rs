//! The README's examples, typed and compared: what it prints is what a reader gets.

use std::process::Command;

use crate::support;
use crate::support::TempDir;
use crate::support::programs::{pakyas, pakyas_server};
use crate::support::server::Server;

/// What stands in the README for what differs from run to run.
const URL: &str = "http://127.0.0.1:8080";
const KEY: &str = "pk_live_…";
const ID: &str = "550e8400-e29b-41d4-a716-446655440000";

/// The commands of all ```console blocks, in order, each with what it prints.
fn examples(text: &str) -> Vec<(String, String)> {
    let mut examples: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match (line.strip_prefix("$ "), examples.last_mut()) {
                (Some(command), _) => examples.push((command.to_owned(), String::new())),
                (None, Some((_, output))) => *output += &format!("{line}\n"),
                (None, None) => panic!("output before any command: {line}"),
            },
        }
    }
    examples
}

/// `text` with every UUID turned into the README's.
fn one_id(text: &str) -> String {
    let mut rest = text;
    let mut result = String::new();
    while let Some(next) = rest.chars().next() {
        match rest.get(..ID.len()).map(uuid::Uuid::try_parse) {
            Some(Ok(_)) => {
                result += ID;
                rest = &rest[ID.len()..];
            }
            _ => {
                result.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    result
}

#[test]
fn each_example_of_the_readme_prints_what_the_readme_shows() {
    let readme = include_str!("../README.md");
    let mut examples = examples(readme).into_iter();
    let (command, output) = examples.next().unwrap();
    assert_eq!(command, "pakyas-server");
    let (data, home) = (TempDir::new(), TempDir::new());
    let server = Server::bare(&data);
    let key = server
        .greeting
        .split_whitespace()
        .find(|word| word.starts_with("pk_live_"))
        .unwrap();
    let program = pakyas().canonicalize().unwrap();
    let as_shown = |text: &str| {
        let text = text.replace(&server.url, URL).replace(key, KEY);
        let text = text.replace(program.to_str().unwrap(), "/usr/local/bin/pakyas");
        // On a busy machine seconds pass between two commands.
        let text = (1..10).fold(text, |text, seconds| {
            text.replace(&format!(" {seconds}s ago"), " 0s ago")
        });
        let text = text.replace("in 59m", "in 1h");
        one_id(&text)
    };
    assert_eq!(as_shown(&server.greeting), output, "$ {command}");

    let folders = [pakyas(), pakyas_server()].map(|program| program.parent().unwrap().to_owned());
    let path = std::env::join_paths(folders.iter().chain(&["/usr/bin".into(), "/bin".into()]));
    let path = path.unwrap();
    let mut count = 0;
    for (command, output) in examples {
        let result = Command::new("sh")
            .arg("-c")
            .arg(command.replace(URL, &server.url).replace(KEY, key))
            .env_clear()
            .envs(support::programs::counted())
            .env("HOME", home.path())
            .env("PATH", &path)
            .output()
            .unwrap();
        let text = [result.stdout, result.stderr].concat();
        assert_eq!(
            as_shown(&String::from_utf8_lossy(&text)),
            output,
            "$ {command}"
        );
        count += 1;
    }
    assert!(count >= 5, "the README shows {count} commands only");
}

#[test]
fn the_readme_has_every_flag_of_the_manual() {
    let manual = Command::new(pakyas()).arg("man").output().unwrap();
    let manual = String::from_utf8(manual.stdout)
        .unwrap()
        .replace("\\-", "-");
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let in_readme = flags(&readme);
    let in_manual = flags(&manual);
    assert!(in_manual.len() > 40, "{in_manual:?}");
    let missing: Vec<_> = in_manual.difference(&in_readme).collect();
    assert!(missing.is_empty(), "not in README.md: {missing:?}");
}

#[test]
fn the_readme_has_every_flag_of_the_server() {
    let help = |words: &str| {
        let mut command = Command::new(pakyas_server());
        command.args(words.split_whitespace()).arg("--help");
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let in_readme = flags(&readme);
    for words in [
        "",
        "init",
        "backup",
        "user add",
        "user list",
        "user passwd",
        "user remove",
        "org add",
        "org list",
        "key create",
        "key list",
        "key revoke",
    ] {
        let help = help(words);
        let (line, named) = (help.lines().next().unwrap(), flags(&help));
        assert!(named.len() > 1, "{line}");
        let missing: Vec<_> = named.difference(&in_readme).collect();
        assert!(missing.is_empty(), "{line}: not in README.md: {missing:?}");
    }
}

/// What the page about the official client says: every flag in it is taken as it says.
#[test]
fn the_page_about_the_official_client_is_linked_and_names_flags_that_are_taken() {
    let page = include_str!("../docs/official-client.md");
    let readme = include_str!("../README.md");
    assert!(readme.contains("[Coming from the official client](docs/official-client.md)"));
    let (_, login) = examples(page)
        .first()
        .map(|e| (e.1.clone(), e.0.clone()))
        .unwrap();
    assert_eq!(login, "pakyas login --api-key pk_live_your_key_here");
    let differs = page.split("## What differs").nth(1).unwrap();
    let idle = differs.split("have no effect").next().unwrap();
    let idle = idle.rsplit("\n\n").next().unwrap();
    let idle: Vec<&str> = flags(idle).into_iter().collect();
    assert_eq!(idle.len(), 12, "{idle:?}");
    for flag in idle {
        // With a value, which a switch takes for the slug: either way the job runs.
        let ran = |words: &[&str]| {
            let mut command = Command::new(pakyas());
            command.env_clear().arg("monitor").args(words);
            let output = command.args(["--", "sh", "-c", "exit 7"]).output().unwrap();
            (output.status.code(), support::text(&output.stderr))
        };
        let (code, said) = ran(&["--ping-timeout", "0", "Not A Slug", flag, "value"]);
        assert_eq!(code, Some(7), "{flag}: {said}");
        assert!(
            said.contains(&format!("{flag} has no effect here")),
            "{said}"
        );
    }
    for name in ["API_URL", "PING_URL", "PAKYAS_API_URL", "PAKYAS_PING_URL"] {
        assert!(differs.contains(&format!("`{name}`")), "{name}");
    }
}

/// The long flags that a text names.
fn flags(text: &str) -> std::collections::BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
    text.split(|c| !is_name(c))
        .filter(|word| word.starts_with("--"))
        .map(|word| word.trim_end_matches('-'))
        .filter(|word| word.len() > 3)
        .collect()
}
