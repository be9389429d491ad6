//! The bundle for machines without a network: made once of stand-in programs, and what is in it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::TempDir;
use crate::tools::{must_agree, read, repository};

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
    let out = folder.path().join("out");
    must_agree(
        Command::new("sh")
            .args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"])
            .arg(repository("dist/airgap.sh"))
            .arg(folder.path().join("build"))
            .arg(&out),
    );
    std::fs::read(out.join(format!("{NAME}.tar.gz"))).unwrap()
}

fn made() -> &'static [u8] {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    MADE.get_or_init(|| make("022"))
}

/// The bundle, unpacked below this folder.
pub fn unpack(folder: &TempDir) -> PathBuf {
    let archive = folder.path().join("bundle.tar.gz");
    std::fs::write(&archive, made()).unwrap();
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
        "examples/crontab",
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
