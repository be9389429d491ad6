//! The bundle for machines without a network: made once of stand-in programs, and what is in it; and
//! once of the real ones, installed where there is no network.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::{self, TempDir};
use crate::tools::{must_agree, on_this_machine, printed, read, repository, static_programs};

const NAME: &str = "pakyas-airgap-linux-x86_64";

/// In the place of the programs: small, and it answers what the bundle's maker asks the client.
const STAND_IN: &str = "#!/bin/sh\n\
    case $1 in\n\
    man) echo .TH PAKYAS 1 ;;\n\
    completion) echo \"# for $2\" ;;\n\
    *) echo pakyas 0.1.0 ;;\n\
    esac\n";

/// Writes a program.
pub fn program(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn make(umask: &str) -> Vec<u8> {
    let folder = TempDir::new();
    for name in ["pakyas", "pakyas-server"] {
        program(&folder.path().join("build").join(name), STAND_IN);
    }
    make_of(&folder.path().join("build"), umask)
}

/// The bundle's bytes, made of the programs in a folder.
fn make_of(programs: &Path, umask: &str) -> Vec<u8> {
    let out = TempDir::new();
    must_agree(
        Command::new("sh")
            .args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"])
            .arg(repository("dist/airgap.sh"))
            .args([programs, out.path()]),
    );
    std::fs::read(out.path().join(format!("{NAME}.tar.gz"))).unwrap()
}

fn made() -> &'static [u8] {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    MADE.get_or_init(|| make("022"))
}

/// The bundle, unpacked below this folder.
pub fn unpack(folder: &TempDir) -> PathBuf {
    unpack_these(made(), folder)
}

fn unpack_these(bytes: &[u8], folder: &TempDir) -> PathBuf {
    let archive = folder.path().join("bundle.tar.gz");
    std::fs::write(&archive, bytes).unwrap();
    must_agree(
        Command::new("tar")
            .arg("-xzf")
            .arg(&archive)
            .arg("-C")
            .arg(folder.path()),
    );
    std::fs::remove_file(archive).unwrap();
    folder.path().join(NAME)
}

/// Writes the bundle's sums anew, after a test has made another version of it.
pub fn sum_again(bundle: &Path) {
    must_agree(
        Command::new("sh")
            .arg("-c")
            .arg(
                "rm SHA256SUMS; find . -type f | sed 's|^./||' | sort | xargs sha256sum >../sums; \
                 mv ../sums SHA256SUMS",
            )
            .current_dir(bundle),
    );
}

#[test]
fn two_bundles_of_the_same_programs_are_the_same_bytes() {
    assert!(make("077") == made(), "they differ");
}

#[test]
fn the_bundle_has_what_a_machine_without_a_network_needs() {
    let folder = TempDir::new();
    let bundle = unpack(&folder);
    let sums = std::fs::read_to_string(bundle.join("SHA256SUMS")).unwrap();
    for file in [
        "bin/pakyas",
        "bin/pakyas-server",
        "install.sh",
        "README.txt",
        "LICENSE.txt",
        "VERSION",
        "doc/README.txt",
        "doc/LICENSES.txt",
        "man/pakyas.1",
        "man/pakyas-server.8",
        "completions/pakyas.bash",
        "completions/_pakyas",
        "completions/pakyas.fish",
        "systemd/pakyas-server.service",
        "systemd/pakyas-spool-flush@.timer",
        "examples/README.txt",
        "examples/crontab",
        "examples/client.env",
        "examples/kubernetes/server.yaml",
        "examples/ci/Jenkinsfile",
        "examples/docker/client.Dockerfile",
        "examples/systemd/drop-ins/monitor.conf",
    ] {
        assert!(bundle.join(file).is_file(), "no {file}");
        assert!(sums.contains(&format!("  {file}\n")), "no sum of {file}");
    }
    let version = std::fs::read_to_string(bundle.join("VERSION")).unwrap();
    assert_eq!(version.trim(), env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_real_programs_are_installed_used_and_removed_where_there_is_no_network() {
    let Some(programs) = static_programs() else {
        return;
    };
    let folder = TempDir::new();
    let bundle = unpack_these(&make_of(&programs, "022"), &folder);
    for name in ["pakyas", "pakyas-server"] {
        let same = std::fs::read(bundle.join("bin").join(name)).unwrap()
            == std::fs::read(programs.join(name)).unwrap();
        assert!(same, "{name}");
    }
    let prefix = folder.path().join("prefix");
    let alone = |program: &Path| {
        // Not even loopback is up.
        let mut command = support::unshare(&["-n"])?;
        command
            .arg(program)
            .env_clear()
            .env("PATH", "/usr/bin:/bin");
        Some(command)
    };
    let install = |more: &[&str]| {
        let mut command = alone(&bundle.join("install.sh"))?;
        command.args(more).arg("--prefix").arg(&prefix);
        Some(command.output().unwrap())
    };

    must_agree(
        Command::new("sh")
            .args([
                "-c",
                "cp bin/pakyas whole; printf x | dd of=bin/pakyas bs=1 seek=999 conv=notrunc",
            ])
            .current_dir(&bundle),
    );
    let Some(refused) = install(&[]) else {
        return;
    };
    let said = printed(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("bin/pakyas: FAILED"), "{said}");
    assert!(said.contains("nothing was changed"), "{said}");
    assert!(!prefix.exists());
    std::fs::rename(bundle.join("whole"), bundle.join("bin/pakyas")).unwrap();

    let installed = install(&[]).unwrap();
    assert!(installed.status.success(), "{}", printed(&installed));
    for name in ["pakyas", "pakyas-server"] {
        let mut command = alone(&prefix.join("bin").join(name)).unwrap();
        let output = command.arg("--version").output().unwrap();
        let version = format!("{name} {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(printed(&output), version);
    }
    for page in ["man1/pakyas.1", "man8/pakyas-server.8"] {
        let Some(mut groff) = on_this_machine("groff", "groff-base") else {
            break;
        };
        let page = prefix.join("share/man").join(page);
        let output = groff
            .args(["-man", "-Tutf8", "-P-cbu", "-ww"])
            .arg(&page)
            .output();
        let output = output.unwrap();
        assert!(output.stderr.is_empty(), "{}", printed(&output));
        assert!(printed(&output).contains("SYNOPSIS"), "{}", page.display());
    }
    for script in ["pakyas.bash", "_pakyas", "pakyas.fish"] {
        let text = std::fs::read_to_string(bundle.join("completions").join(script)).unwrap();
        assert!(text.contains("pakyas"), "{script}: {text}");
    }

    let removed = install(&["--uninstall"]).unwrap();
    assert!(removed.status.success(), "{}", printed(&removed));
    assert!(!prefix.exists(), "{}", printed(&removed));
}

#[test]
fn the_bundles_page_about_its_examples_names_files_that_are_there() {
    let folder = TempDir::new();
    let examples = unpack(&folder).join("examples");
    let page = std::fs::read_to_string(examples.join("README.txt")).unwrap();
    let mut count = 0;
    for name in page.split('`').skip(1).step_by(2) {
        if name.contains(' ') {
            continue;
        }
        if name.contains('/') && !name.ends_with(".tar.gz") {
            assert!(
                examples.join(name).is_file(),
                "examples/{name} is not there"
            );
            count += 1;
        }
    }
    assert!(count > 15, "{count} files only");
    let mut rows = page.lines().filter(|line| line.starts_with('|'));
    assert!(rows.all(|row| row.ends_with('|')), "{page}");
}

#[test]
fn the_page_about_these_files_names_files_that_are_there() {
    let page = read("dist/README.md");
    let mut count = 0;
    for name in page.split('`').skip(1).step_by(2) {
        if name.contains('/') && !name.contains(' ') && !name.starts_with("tests/") {
            assert!(
                repository("dist").join(name).is_file(),
                "dist/{name} is not there"
            );
            count += 1;
        }
    }
    assert!(count > 15, "{count} files only");
}
