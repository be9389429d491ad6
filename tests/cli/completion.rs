//! Completion in the shells themselves: the scripts are loaded into real ones and TAB is typed.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::support::home::{Home, captured};
use crate::support::os::{pseudo_terminal, start_on_terminal};
use crate::support::world::{CI_TESTS, KEY, PRODUCTION, World};

/// Longer than a shell takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the machine has that program; else the test says that it is skipped.
pub fn there_is(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        eprintln!("skipped: there is no {program} here");
    }
    found
}

/// A home whose cache knows checks, projects and an organization with spaces in their names, and
/// a world that is gone: what is asked now is a network error.
fn home() -> Home {
    let world = World::new();
    world.add("hourly-sync", PRODUCTION);
    world.add("tests-ubuntu", CI_TESTS);
    let home = world.home_logged_in();
    home.pakyas("check sync").exits(0);
    home
}

/// The client's directory, first in the path.
fn path() -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_pakyas"));
    let directory = program.parent().unwrap().display();
    format!("{directory}:/usr/local/bin:/usr/bin:/bin")
}

/// A shell with a person before it.
struct Person {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    child: std::process::Child,
    count: usize,
}

impl Person {
    fn at(home: &Home, shell: &str, arguments: &[&str], setup: &str) -> Self {
        let (keyboard, programs) = pseudo_terminal();
        let mut command = Command::new(shell);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", path())
            .env("TERM", "dumb")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(home.path());
        start_on_terminal(&mut command, &programs);
        let child = command.spawn().unwrap();
        let mut eyes = keyboard.try_clone().unwrap();
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(count @ 1..) = eyes.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut person = Self {
            keyboard,
            screen,
            child,
            count: 0,
        };
        person.line(setup);
        person
    }

    /// Types `keys` and Enter; gives what is on the screen from then on until the shell has
    /// done it.
    fn line(&mut self, keys: &str) -> String {
        self.count += 1;
        // In two pieces, so that the echo of the typing is not taken for the word itself.
        let ready = format!("ready-{}", self.count);
        let text = format!("{keys}\necho ready''-{}\n", self.count);
        self.keyboard.write_all(text.as_bytes()).unwrap();
        let mut seen = String::new();
        while !seen.contains(&ready) {
            let more = self.screen.recv_timeout(PATIENCE);
            let more = more.unwrap_or_else(|_| panic!("no {ready} in: {seen}"));
            seen.push_str(&String::from_utf8_lossy(&more));
        }
        seen
    }

    /// Types `start`, TAB and then Enter; gives the words that the shell makes of the line.
    fn completes(&mut self, start: &str) -> Vec<String> {
        // Ctrl-A goes to the front: the words are printed and not run.
        let seen = self.line(&format!(
            "{start}\t\x01printf '<%s>' \x05 '' | tr -d '\\n'; echo"
        ));
        let printed = seen
            .lines()
            .map(|line| line.trim_end_matches('\r'))
            .find(|line| line.starts_with("<pakyas>"));
        let printed = printed.unwrap_or_else(|| panic!("{start}: {seen:?}"));
        let words = printed.trim_matches(['<', '>']).split("><");
        words
            .map(str::to_owned)
            .filter(|word| !word.is_empty())
            .collect()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is typed before TAB, and the words that come of it.
const TYPED: &[(&str, &[&str])] = &[
    ("pakyas che", &["pakyas", "check"]),
    ("pakyas check sh", &["pakyas", "check", "show"]),
    (
        "pakyas check show hou",
        &["pakyas", "check", "show", "hourly-sync"],
    ),
    ("pakyas --format nd", &["pakyas", "--format", "ndjson"]),
    (
        "pakyas check list --format=nd",
        &["pakyas", "check", "list", "--format=ndjson"],
    ),
    (
        "pakyas check list --stat",
        &["pakyas", "check", "list", "--status"],
    ),
    (
        "pakyas project switch Prod",
        &["pakyas", "project", "switch", "Production"],
    ),
    (
        "pakyas project switch CI",
        &["pakyas", "project", "switch", "CI Tests"],
    ),
    (
        "pakyas org switch My",
        &["pakyas", "org", "switch", "My Company"],
    ),
    (
        "pakyas org switch \"My",
        &["pakyas", "org", "switch", "My Company"],
    ),
    (
        "pakyas org switch 'My",
        &["pakyas", "org", "switch", "My Company"],
    ),
    (
        "pakyas org switch My\\ Co",
        &["pakyas", "org", "switch", "My Company"],
    ),
    ("pakyas --org=My", &["pakyas", "--org=My Company"]),
    (
        "pakyas ping --project CI\\ Tests te",
        &["pakyas", "ping", "--project", "CI Tests", "tests-ubuntu"],
    ),
    (
        "pakyas login --api-key file:a-k",
        &["pakyas", "login", "--api-key", "file:a-key"],
    ),
    (
        "pakyas login --api-key=file:a-k",
        &["pakyas", "login", "--api-key=file:a-key"],
    ),
    (
        "pakyas monitor hourly-sync -- sha512s",
        &["pakyas", "monitor", "hourly-sync", "--", "sha512sum"],
    ),
    (
        "pakyas monitor hourly-sync -- cat a-k",
        &["pakyas", "monitor", "hourly-sync", "--", "cat", "a-key"],
    ),
];

fn try_all(person: &mut Person) {
    for (typed, words) in TYPED {
        assert_eq!(person.completes(typed), *words, "{typed}");
    }
}

#[test]
fn bash_completes_with_its_own_quoting() {
    if !there_is("bash") {
        return;
    }
    let home = home();
    std::fs::write(home.path().join("a-key"), KEY).unwrap();
    let setup = "PS1='$ '; bind 'set enable-bracketed-paste off'; source <(pakyas completion bash)";
    let mut person = Person::at(&home, "bash", &["--norc", "--noprofile", "-i"], setup);
    try_all(&mut person);
}

#[test]
fn zsh_completes_with_its_own_quoting() {
    if !there_is("zsh") {
        return;
    }
    let home = home();
    std::fs::write(home.path().join("a-key"), KEY).unwrap();
    let setup = "PS1='$ '; unsetopt zle_bracketed_paste prompt_cr; bindkey -e; \
                 autoload -Uz compinit; compinit -u -D; source <(pakyas completion zsh)";
    let mut person = Person::at(&home, "zsh", &["-f", "-i"], setup);
    try_all(&mut person);
}

#[test]
fn zsh_finds_the_script_as_a_file_of_its_function_path() {
    if !there_is("zsh") {
        return;
    }
    let home = home();
    let functions = home.path().join("functions");
    std::fs::create_dir(&functions).unwrap();
    let script = home.pakyas("completion zsh").exits(0).stdout;
    std::fs::write(functions.join("_pakyas"), script).unwrap();
    let setup = "PS1='$ '; unsetopt zle_bracketed_paste prompt_cr; bindkey -e; fpath=(~/functions $fpath); \
                 autoload -Uz compinit; compinit -u -D";
    let mut person = Person::at(&home, "zsh", &["-f", "-i"], setup);
    // The first time loads the function, later ones have it.
    for _ in 0..2 {
        assert_eq!(person.completes("pakyas che"), ["pakyas", "check"]);
    }
}

#[test]
fn fish_completes_with_its_own_quoting() {
    if !there_is("fish") {
        return;
    }
    let home = home();
    std::fs::write(home.path().join("a-key"), KEY).unwrap();
    let complete = |line: &str| {
        let mut fish = Command::new("fish");
        let script = "pakyas completion fish | source; complete -C $argv[1]";
        fish.args(["--no-config", "-c", script, line])
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", path())
            .env("LC_ALL", "C.UTF-8")
            .current_dir(home.path())
            .stdin(Stdio::null());
        let outcome = captured(&mut fish).exits(0);
        assert_eq!(outcome.stderr, "", "{line}");
        let words = outcome.stdout.lines().map(|line| line.split('\t').next());
        words.flatten().map(str::to_owned).collect::<Vec<_>>()
    };
    for (typed, words) in TYPED {
        let offered = complete(typed);
        let last = (*words.last().unwrap()).to_owned();
        let quoted = last.replace(' ', "\\ ");
        let wanted = |word: &String| *word == last || *word == quoted;
        assert!(offered.iter().any(wanted), "{typed}: {offered:?}");
        assert!(offered.len() < 4, "{typed}: {offered:?}");
    }
}

#[test]
fn completion_says_nothing_on_stderr_and_writes_nothing_whatever_is_wrong() {
    let home = Home::at("http://127.0.0.1:9");
    home.write("config.json", "{ damaged");
    home.write("credentials.json", "{ damaged");
    home.write("cache/checks.json", "{ damaged");
    for line in [
        "zsh ping ",
        "fish org switch ",
        "bash",
        "bash pakyas",
        "csh a",
        "",
        "zsh --frobnicate --org",
    ] {
        let line = format!("__complete {line}");
        let outcome = home.run(line.split(' ')).exits(0);
        assert_eq!(outcome.stderr, "", "{line}");
    }
    let files = std::fs::read_dir(home.file("")).unwrap().count();
    assert_eq!(files, 3, "nothing was set aside, no lock was left");
}

#[test]
fn an_unknown_shell_is_told_with_those_that_there_are() {
    Home::new()
        .pakyas("completion tcsh")
        .exits(2)
        .says("bash, zsh and fish");
}

#[test]
fn the_manual_page_is_made_without_a_warning() {
    if !there_is("groff") {
        return;
    }
    let home = Home::new();
    let page = home.pakyas("man").exits(0);
    let file = home.path().join("pakyas.1");
    std::fs::write(&file, &page.stdout).unwrap();
    let mut groff = Command::new("groff");
    groff.args(["-man", "-Tutf8", "-ww"]).arg(&file);
    let shown = captured(groff.stdin(Stdio::null())).exits(0);
    assert_eq!(shown.stderr, "");
    // A terminal's bold: each letter, a backspace, and the letter again.
    let letters: Vec<char> = shown.stdout.chars().collect();
    let struck = |at: usize| letters.get(at + 1) == Some(&'\u{8}') || letters[at] == '\u{8}';
    let plain: String = (0..letters.len())
        .filter(|&at| !struck(at))
        .map(|at| letters[at])
        .collect();
    for part in [
        "NAME",
        "SYNOPSIS",
        "ENVIRONMENT",
        "FILES",
        "EXIT STATUS",
        "EXAMPLES",
    ] {
        assert!(plain.contains(part), "{part}");
    }
}
