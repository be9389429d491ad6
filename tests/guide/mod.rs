//! The user guide, executed: every line with `pakyas` that it shows is typed against a real
//! server, and does what the guide says.

mod extract;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support;
use crate::support::TempDir;
use crate::support::home::{Home, Outcome, captured};
use crate::support::server::Server;
use extract::Shown;
use serde_json::{Value, json};

const GUIDE: &str = include_str!("guide.md");

/// What the guide's jobs call, besides scripts of their own.
const PROGRAMS: [&str; 5] = ["pg_dump", "python", "logrotate", "make", "npm"];

/// A server with all that the guide takes for granted, and a machine to type on.
struct World {
    server: Server,
    machine: TempDir,
    home: Home,
    /// The keys of the guide's organizations, by name.
    keys: HashMap<&'static str, String>,
}

impl World {
    fn new() -> Self {
        let server = Server::start_as("My Company", "you@example.com");
        for name in ["My Project", "CI Tests", "Kubernetes", "your-project-name"] {
            let new = json!({"org_id": server.org_id, "name": name});
            assert_eq!(server.api("POST", "/projects", Some(&new)).status, 201);
        }
        let mut keys = HashMap::from([("My Company", server.key.clone())]);
        for name in ["Company A", "Company B"] {
            keys.insert(name, server.organization(name, "you@example.com"));
        }
        let machine = TempDir::new();
        for program in PROGRAMS {
            job(&machine.path().join("bin").join(program));
        }
        let home = Home::at(&server.url);
        Self {
            server,
            machine,
            home,
            keys,
        }
    }

    /// The project's checks, or those of all projects.
    fn checks(&self) -> Vec<Value> {
        let checks = self.server.api("GET", "/checks", None).json();
        checks.as_array().unwrap().clone()
    }

    /// The check of that slug, made where it is missing.
    fn check(&self, project: &str, slug: &str) -> Value {
        let found = |checks: Vec<Value>| {
            checks
                .into_iter()
                .find(|check| check["slug"] == slug && check["project_name"] == project)
        };
        found(self.checks()).unwrap_or_else(|| {
            let projects = self.server.api("GET", "/projects", None).json();
            let projects = projects.as_array().unwrap();
            let id = &projects.iter().find(|p| p["name"] == project).unwrap()["id"];
            let new = json!({"project_id": id, "name": slug, "slug": slug,
                             "period_seconds": 3600, "grace_seconds": 300});
            self.server.api("POST", "/checks", Some(&new)).json()
        })
    }

    fn without(&self, project: &str, slug: &str) {
        for check in self.checks() {
            if check["slug"] == slug && check["project_name"] == project {
                let path = format!("/checks/{}", check["id"].as_str().unwrap());
                assert_eq!(self.server.api("DELETE", &path, None).status, 204);
            }
        }
    }

    /// The newest ping of a check.
    fn newest_ping(&self, check: &Value) -> Value {
        let path = format!("/checks/{}/pings?limit=1", check["id"].as_str().unwrap());
        self.server.api("GET", &path, None).json()["pings"][0].clone()
    }

    /// What the guide leaves to its reader, filled in.
    fn fill_in(&self, text: &str, public_id: &str) -> String {
        let place = self.machine.path().display();
        let mut text = text
            .replace("550e8400-...", public_id)
            .replace("${{ matrix.os }}", "ubuntu-latest")
            .replace("${{ inputs.check_slug }}", "hourly-sync")
            .replace("${{ inputs.command }}", "./scripts/sync.sh")
            .replace("<slug>", "my-job")
            .replace("--exit-code N", "--exit-code 3")
            // As cron hands it to the shell.
            .replace("\\%", "%");
        for folder in ["opt", "scripts", "backups"] {
            text = text.replace(&format!(" /{folder}/"), &format!(" {place}/{folder}/"));
        }
        extract::with_key(&text, &self.keys["My Company"])
    }

    /// Types the line into a shell.
    fn types(&self, environment: &[(String, String)], line: &str) -> Outcome {
        for word in line.split_whitespace().filter(|word| word.ends_with(".sh")) {
            job(&self.machine.path().join(word));
        }
        fs::create_dir_all(self.machine.path().join("backups")).unwrap();
        let programs = Path::new(env!("CARGO_BIN_EXE_pakyas")).parent().unwrap();
        let path = format!(
            "{}:{}/bin:{}",
            programs.display(),
            self.machine.path().display(),
            std::env::var("PATH").unwrap_or_default()
        );
        let mut shell = Command::new("sh");
        shell
            .args(["-c", line])
            .env_clear()
            .envs(support::programs::counted())
            .envs(environment.iter().cloned())
            .env("PATH", path)
            .current_dir(self.machine.path())
            .stdin(std::process::Stdio::null());
        captured(&mut shell)
    }
}

/// A job that does nothing, well.
fn job(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "#!/bin/sh\nexit 0\n").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What a line asks of the client.
#[derive(Debug, Default)]
struct Asked {
    /// The words before any `--`.
    words: Vec<String>,
    slug: Option<String>,
    creates: bool,
    pings: bool,
}

impl Asked {
    fn of(line: &str) -> Self {
        let from = line.find("pakyas ").unwrap() + "pakyas ".len();
        let words: Vec<String> = line[from..]
            .split_whitespace()
            .take_while(|word| !["--", "&&", "||", "|"].contains(word))
            .map(str::to_owned)
            .collect();
        let after = |flag: &str| {
            let at = words.iter().position(|word| word == flag)?;
            words.get(at + 1).cloned()
        };
        let is =
            |path: &[&str]| words.iter().zip(path).filter(|(a, b)| a == b).count() == path.len();
        let creates = is(&["check", "create"]);
        let verbs = words
            .iter()
            .position(|word| word == "ping" || word == "monitor");
        let slug = if creates {
            after("--slug")
        } else if let Some(verb) = verbs {
            words
                .get(verb + 1)
                .filter(|word| !word.starts_with('-'))
                .cloned()
        } else if is(&["check", "show"]) || is(&["check", "pause"]) {
            words.get(2).cloned()
        } else {
            None
        };
        let help = words.iter().any(|word| word == "--help");
        Self {
            pings: verbs.is_some() && !help,
            slug: slug.filter(|_| !help),
            creates,
            words,
        }
    }

    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|other| other == word)
    }

    /// The newest ping that must be in the history once it is done.
    fn ping(&self) -> (&'static str, Value) {
        if self.has("--start") {
            ("start", Value::Null)
        } else if self.has("--fail") {
            ("fail", Value::Null)
        } else if self.has("--exit-code") {
            ("fail", json!(3))
        } else if self.has("monitor") {
            ("success", json!(0))
        } else {
            ("success", Value::Null)
        }
    }
}

#[test]
fn every_line_of_the_guide_does_what_the_guide_says() {
    let world = World::new();
    let mut typed = 0;
    let mut compared = 0;
    for shown in extract::lines(GUIDE) {
        let at = format!("line {}: {}", shown.line, shown.text);
        let project = shown.project.as_deref().map(|name| match name {
            "ci-tests" => "CI Tests",
            "kubernetes" => "Kubernetes",
            "my-project" => "My Project",
            "your-project-name" => "your-project-name",
            _ => "Production",
        });
        let in_ci = shown.part == "CI/CD Integration";
        // A machine of CI's has nothing but its environment.
        let ci = Home::at(&world.server.url)
            .with("PAKYAS_API_KEY", &world.keys["My Company"])
            .with(
                "PAKYAS_PROJECT",
                shown.project.as_deref().unwrap_or("production"),
            );
        let home = if in_ci { &ci } else { &world.home };
        let mut environment = home.environment();
        for (name, value) in &shown.exported {
            environment.push((name.clone(), world.fill_in(value, "")));
        }
        if shown.section == "JSON Output" {
            // Whose reader has not followed the switch to Company B just before.
            world.home.run(["org", "switch", "My Company"]).exits(0);
        }
        if shown.section == "Multi-Organization Support" {
            for name in ["Company A", "Company B"] {
                let login = ["login", "--api-key", &world.keys[name]];
                world.home.run(login).exits(0);
            }
        }
        let line = world.fill_in(&shown.text, "");
        let asked = Asked::of(&line);
        let project = match project {
            Some(name) => name,
            None if in_ci => "Production",
            None => current_project(&world),
        };
        let mut check = Value::Null;
        match &asked.slug {
            Some(slug) if asked.creates => world.without(project, slug),
            Some(slug) => check = world.check(project, slug),
            None if asked.pings => check = world.check(project, "hourly-sync"),
            None => {}
        }
        let public_id = check["public_id"].as_str().unwrap_or_default();
        let line = world.fill_in(&shown.text, public_id);
        if line.contains("| jq") && !installed("jq") {
            eprintln!("skipped, there is no jq: {at}");
            continue;
        }
        if line.contains("$PAKYAS_PUBLIC_ID") && !line.contains("PAKYAS_PUBLIC_ID=") {
            environment.push(("PAKYAS_PUBLIC_ID".to_owned(), public_id.to_owned()));
        }
        let outcome = world.types(&environment, &line);
        assert_eq!(outcome.code, 0, "{at}\n{outcome:#?}");
        if let Some(output) = &shown.output {
            assert_eq!(&outcome.stdout, output, "{at}\n{outcome:#?}");
            compared += 1;
        }
        if line.contains("| jq") {
            assert_eq!(outcome.stdout, format!("\"{public_id}\"\n"), "{at}");
        }
        if asked.creates {
            let slug = asked.slug.as_deref().unwrap();
            let checks = world.checks();
            let made = checks
                .iter()
                .find(|c| c["slug"] == slug && c["project_name"] == project);
            assert!(made.is_some(), "{at}\n{outcome:#?}");
        }
        if asked.pings && !line.contains("&&") {
            let ping = world.newest_ping(&check);
            let (kind, code) = asked.ping();
            assert_eq!(
                (&ping["type"], &ping["exit_code"]),
                (&json!(kind), &code),
                "{at}\n{ping}"
            );
        }
        typed += 1;
    }
    assert!(typed >= 60, "only {typed} lines of the guide were typed");
    assert_eq!(
        compared, 2,
        "whoami's lines and the pong are all that the guide prints"
    );
}

/// The project that the home has chosen; the guide switches between two.
fn current_project(world: &World) -> &'static str {
    let shown = world.home.pakyas("project default");
    match shown.stdout.trim() {
        "My Project" => "My Project",
        _ => "Production",
    }
}

fn installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[test]
fn the_copy_of_the_guide_is_the_guide() {
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/guide.md");
    if let Ok(original) = fs::read_to_string(original) {
        assert_eq!(original, GUIDE);
    }
}

#[test]
fn the_extraction_misses_no_line_with_a_command() {
    // Counted by another rule than the extraction's: a known verb right after the name.
    let verbs = [
        "login", "org ", "project ", "check ", "ping", "monitor", "whoami",
    ];
    let mut count = 0;
    for (index, line) in GUIDE.lines().enumerate() {
        let commands = verbs
            .iter()
            .any(|verb| line.contains(&format!("pakyas {verb}")));
        let is_picture = line.contains('│');
        if commands && !is_picture {
            count += 1;
            let found = extract::lines(GUIDE)
                .iter()
                .any(|shown: &Shown| shown.line == index + 1);
            assert!(found, "line {}: {line}", index + 1);
        }
    }
    assert!(count > 60, "{count}");
}
