//! The Kubernetes manifests against Kubernetes' own schemas, and against what the pods need.

use std::path::Path;
use std::process::Command;

use crate::support::TempDir;
use crate::tools::{files_below, installed, must_agree, must_refuse, read, repository};

/// The oldest and the newest that are tried.
const VERSIONS: [&str; 2] = ["1.29", "1.37"];

fn validate(version: &str, file: &Path) -> Option<Command> {
    let mut command = Command::new(installed("python/bin/kubernetes-validate")?);
    command.args(["--strict", "-k", version]).arg(file);
    Some(command)
}

#[test]
fn each_manifest_is_what_kubernetes_takes() {
    for version in VERSIONS {
        for file in files_below("dist/kubernetes") {
            let Some(mut command) = validate(version, &repository(&file)) else {
                return;
            };
            must_agree(&mut command);
        }
    }
}

#[test]
fn a_manifest_with_a_wrong_field_is_refused() {
    let folder = TempDir::new();
    let file = folder.path().join("wrong.yaml");
    let wrong = read("dist/kubernetes/server.yaml").replace("runAsNonRoot", "runAsNoRoot");
    std::fs::write(&file, wrong).unwrap();
    if let Some(mut command) = validate(VERSIONS[1], &file) {
        must_refuse(&mut command);
    }
}

#[test]
fn images_have_the_version_of_this_source() {
    for file in files_below("dist/kubernetes") {
        for line in read(&file)
            .lines()
            .filter(|line| line.contains("registry.example.com"))
        {
            let tag = format!(":{}", env!("CARGO_PKG_VERSION"));
            assert!(line.contains(&tag), "{file}: {line}");
        }
    }
}

#[test]
fn the_server_has_longer_to_end_than_it_takes_to_answer_what_it_accepted() {
    let manifest = read("dist/kubernetes/server.yaml");
    let grace: u64 = manifest
        .split("terminationGracePeriodSeconds: ")
        .nth(1)
        .and_then(|rest| rest.lines().next()?.parse().ok())
        .unwrap();
    let unit = read("dist/systemd/pakyas-server.service");
    let stop: u64 = unit
        .split("TimeoutStopSec=")
        .nth(1)
        .and_then(|rest| rest.lines().next()?.parse().ok())
        .unwrap();
    let patience: u64 = files_below("src/server")
        .iter()
        .filter(|file| file.ends_with(".rs"))
        .find_map(|file| {
            let source = read(file);
            let rest = source
                .split("STOP_PATIENCE: Duration = Duration::from_secs(")
                .nth(1)?;
            rest.split(')').next()?.parse().ok()
        })
        .unwrap();
    assert!(grace >= patience + 10, "{grace} s for {patience} s");
    assert!(stop >= patience + 10, "{stop} s for {patience} s");
}

#[test]
fn no_pod_has_rights_that_it_does_not_need() {
    for file in files_below("dist/kubernetes") {
        let text = read(&file);
        let containers = text.matches("image: ").count();
        for right in ["allowPrivilegeEscalation: false", "drop: [ALL]"] {
            assert_eq!(text.matches(right).count(), containers, "{file}: {right}");
        }
        if containers > 0 {
            assert!(text.contains("runAsNonRoot: true"), "{file}");
            assert!(
                text.contains("automountServiceAccountToken: false"),
                "{file}"
            );
        }
    }
    let server = read("dist/kubernetes/server.yaml");
    assert!(server.contains("readOnlyRootFilesystem: true"));
}

#[test]
fn jobs_have_the_names_and_the_secret_of_the_guide() {
    for file in ["cronjob-init-container.yaml", "cronjob-image.yaml"] {
        let text = read(&format!("dist/kubernetes/{file}"));
        for part in [
            "name: daily-backup",
            "schedule: \"0 2 * * *\"",
            "image: your-backup-image:latest",
            "name: PAKYAS_API_KEY",
            "name: pakyas-secrets",
            "key: api-key",
            "name: PAKYAS_PROJECT",
            "value: \"kubernetes\"",
            "k8s-backup, --, /scripts/backup.sh]",
        ] {
            assert!(text.contains(part), "{file} has no '{part}'");
        }
    }
    let secret = read("dist/kubernetes/secret.yaml");
    assert!(secret.contains("name: pakyas-secrets") && secret.contains("api-key: "));
}
