//! The images without a Docker engine: the Dockerfiles' lines are carried out in folders, and the
//! programs run in them as the images' own user, on a root that is read-only.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bundle::program;
use crate::support::server::Server;
use crate::support::{self, TempDir};
use crate::tools::{
    files_below, installed, must_agree, must_refuse, printed, read, repository, static_programs,
};

/// Where a release's client is fetched from (guide.md).
const RELEASE: &str =
    "https://github.com/pakyas/pakyas/releases/latest/download/pakyas-linux-x86_64.tar.gz";

/// The lines of a Dockerfile, as instruction and the rest, continued lines joined.
fn instructions(name: &str) -> Vec<(String, String)> {
    let text = read(&format!("dist/docker/{name}")).replace("\\\n", " ");
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let (word, rest) = line.split_once(' ').unwrap();
            (word.to_owned(), rest.trim().to_owned())
        })
        .collect()
}

/// What an image says, and its files in a folder.
struct Image {
    root: PathBuf,
    said: BTreeMap<String, String>,
}

/// Carries a Dockerfile's lines out. It must be of scratch, and know no line but these.
fn build(name: &str, context: &Path, root: PathBuf) -> Image {
    std::fs::create_dir(&root).unwrap();
    let mut said = BTreeMap::new();
    let mut variables = String::new();
    for (word, rest) in instructions(name) {
        match word.as_str() {
            "FROM" => assert_eq!(rest, "scratch"),
            "COPY" => copy(&rest, context, &root),
            "ENV" => {
                for pair in rest.split_whitespace() {
                    variables += &format!("{pair}\n");
                }
            }
            "USER" | "VOLUME" | "ENTRYPOINT" | "HEALTHCHECK" | "EXPOSE" => {
                said.insert(word, rest);
            }
            _ => panic!("{name}: this test does not know {word}"),
        }
    }
    std::fs::write(root.with_extension("env"), variables).unwrap();
    std::fs::write(root.with_extension("user"), &said["USER"]).unwrap();
    Image { root, said }
}

fn copy(words: &str, context: &Path, root: &Path) {
    let mut words: Vec<&str> = words.split_whitespace().collect();
    let owner = words[0].strip_prefix("--chown=").map(|owner| {
        let (user, group) = owner.split_once(':').unwrap();
        (user.parse().unwrap(), group.parse().unwrap())
    });
    if owner.is_some() {
        words.remove(0);
    }
    let [from, to] = words[..] else {
        panic!("COPY {words:?}");
    };
    let (from, to) = (context.join(from), root.join(to.trim_start_matches('/')));
    if from.is_dir() {
        assert_eq!(std::fs::read_dir(&from).unwrap().count(), 0);
        std::fs::create_dir_all(&to).unwrap();
    } else {
        std::fs::copy(&from, &to).unwrap();
    }
    if let Some((user, group)) = owner {
        chown(&to, Some(user), Some(group)).unwrap();
    }
}

fn am_root(folder: &Path) -> bool {
    let root = folder.metadata().unwrap().uid() == 0 && chown(folder, Some(1), Some(1)).is_ok();
    if !root {
        eprintln!("skipped: this needs root, to run as another user");
    }
    root
}

#[test]
fn both_images_keep_their_promises_as_a_foreign_user_on_a_read_only_root() {
    let Some(programs) = static_programs() else {
        return;
    };
    let folder = TempDir::new();
    let Some(mut namespace) = support::unshare(&["-m", "-n"]) else {
        return;
    };
    if !am_root(folder.path()) {
        return;
    }
    let context = folder.path().join("context");
    must_agree(
        Command::new("sh")
            .arg(repository("dist/docker/context.sh"))
            .args([&programs, &context]),
    );
    let server = build("server.Dockerfile", &context, folder.path().join("server"));
    let client = build("client.Dockerfile", &context, folder.path().join("client"));

    // A new volume has what the image has in its place: here an empty folder with its owner.
    let place = server
        .root
        .join(server.said["VOLUME"].trim_start_matches('/'));
    let owner = place.metadata().unwrap();
    let volume = server.root.with_extension("volume");
    std::fs::create_dir(&volume).unwrap();
    chown(&volume, Some(owner.uid()), Some(owner.gid())).unwrap();

    let output = namespace
        .arg("sh")
        .arg(repository("tests/dist/in-container.sh"))
        .args([&server.root, &client.root])
        .output()
        .unwrap();
    let text = printed(&output);
    assert!(output.status.success(), "{text}");
    for promise in [
        "the server serves",
        "the server is healthy by its own word",
        "the job is reported",
        "the server has ended, and its data is on the volume",
        "without a server the job has its own exit code",
    ] {
        assert!(text.lines().any(|line| line == promise), "{text}");
    }
    eprintln!("{text}");
}

/// Carried out with this machine's own system in the place of Ubuntu's, and a `curl` that has the
/// archive at hand: what the guide types must fit what `make dist` packs.
#[test]
fn the_guides_ubuntu_image_runs_the_guides_job() {
    let Some(programs) = static_programs() else {
        return;
    };
    let folder = TempDir::new();
    let Some(mut namespace) = support::unshare(&["-m"]) else {
        return;
    };
    if !am_root(folder.path()) {
        return;
    }
    let archive = folder.path().join("pakyas-linux-x86_64.tar.gz");
    must_agree(Command::new("tar").arg("-C").args([
        &programs,
        Path::new("-czf"),
        &archive,
        Path::new("pakyas"),
    ]));
    program(
        &folder.path().join("scripts/backup.sh"),
        "#!/bin/sh\necho \"saved by $(id -u)\"\n[ $# -eq 0 ]\n",
    );
    let lines = instructions("ubuntu.Dockerfile");
    let [from, run, copy, entrypoint] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(from.1, "ubuntu:22.04");
    assert_eq!(copy.1, "scripts/ /scripts/");
    let entrypoint: Vec<String> = serde_json::from_str(&entrypoint.1).unwrap();

    let server = Server::start();
    let check = server.check("daily-backup", 86_400, 3600, &serde_json::Value::Null);
    let output = namespace
        .arg("sh")
        .arg(repository("tests/dist/in-ubuntu.sh"))
        .args([folder.path(), Path::new(RELEASE), Path::new(&run.1)])
        .args(entrypoint)
        .args(["daily-backup", "--", "/scripts/backup.sh"])
        .env("PAKYAS_API_KEY", &server.key)
        .env("PAKYAS_API_URL", &server.url)
        .env("PAKYAS_PROJECT", "Production")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "saved by 0\nsaved by 12345\n",
        "{}",
        printed(&output)
    );
    let history = server.history(&check);
    let successes = history.iter().filter(|ping| ping["type"] == "success");
    assert_eq!(successes.count(), 2, "{}", printed(&output));
}

#[test]
fn the_images_say_what_their_users_rely_on() {
    let said = |name: &str, word: &str| {
        let lines = instructions(name);
        let found = lines.into_iter().find(|(known, _)| known == word);
        found.unwrap_or_else(|| panic!("{name} has no {word}")).1
    };
    assert_eq!(
        said("client.Dockerfile", "ENTRYPOINT"),
        r#"["/pakyas", "monitor"]"#
    );
    let client = instructions("client.Dockerfile");
    let copies: Vec<_> = client.iter().filter(|(word, _)| word == "COPY").collect();
    assert_eq!(copies, [&("COPY".to_owned(), "pakyas /pakyas".to_owned())]);
    assert_eq!(
        said("server.Dockerfile", "ENTRYPOINT"),
        r#"["/pakyas-server"]"#
    );
    assert!(
        said("server.Dockerfile", "HEALTHCHECK").ends_with(r#"["/pakyas-server", "healthcheck"]"#)
    );
    for name in ["client.Dockerfile", "server.Dockerfile"] {
        let user = said(name, "USER");
        let number = user.split(':').next().unwrap().parse::<u32>();
        assert!(
            number.is_ok_and(|number| number > 0),
            "{name}: Kubernetes needs a number"
        );
    }
    assert_eq!(
        said("ubuntu.Dockerfile", "ENTRYPOINT"),
        r#"["pakyas", "monitor"]"#
    );
}

#[test]
fn hadolint_has_nothing_to_say_of_any_dockerfile() {
    let Some(hadolint) = installed("python/bin/hadolint") else {
        return;
    };
    let lint = |file: &Path| {
        let mut command = Command::new(&hadolint);
        command.arg(file);
        command
    };
    for file in files_below("dist/docker") {
        if file.ends_with(".Dockerfile") {
            must_agree(&mut lint(&repository(&file)));
        }
    }
    let folder = TempDir::new();
    let wrong = folder.path().join("Dockerfile");
    std::fs::write(&wrong, "FROM scratch\nENTRYPOINT /pakyas\n").unwrap();
    must_refuse(&mut lint(&wrong));
}
