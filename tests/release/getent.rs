//! Names that only the system's resolver knows: a static program asks `getent` for them, briefly,
//! and for nothing that is no plain name.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{runs_by_itself, server_with_check};
use crate::support::home::Home;
use crate::support::wait_for;

/// A name that no name server knows.
const NAME: &str = "nas.pakyas.test";

/// A home in which `getent` does what this script says, in the folder that is given as well.
fn home(url: &str, script: &str) -> (Home, PathBuf) {
    let home = Home::new().with("PAKYAS_PING_URL", url);
    let folder = home.path().join("bin");
    fs::create_dir(&folder).unwrap();
    let program = folder.join("getent");
    let folder = folder.display().to_string();
    fs::write(&program, format!("#!/bin/sh\ncd '{folder}'\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let home = home.with("PATH", &format!("{folder}:/usr/bin:/bin"));
    (home, PathBuf::from(folder))
}

#[test]
fn a_name_that_only_the_systems_resolver_knows_is_asked_of_getent() {
    if !runs_by_itself() {
        return;
    }
    let (server, check, id, port) = server_with_check();
    let script = "echo \"$@\" >> asked\n\
                  printf '127.0.0.1  STREAM nas\\n127.0.0.1  DGRAM\\n127.0.0.1  RAW\\n'";
    let (home, folder) = home(&format!("http://{NAME}:{port}"), script);
    home.pakyas(&format!("ping --strict --public-id {id}"))
        .exits(0);
    // The wrapper takes note of the ends of all its children, that of getent among them.
    home.pakyas(&format!("monitor --public-id {id} -- true"))
        .exits(0);
    assert_eq!(server.history(&check).len(), 3);
    let asked = fs::read_to_string(folder.join("asked")).unwrap();
    let line = format!("ahosts {NAME}");
    assert!(asked.lines().all(|asked| asked == line), "{asked}");
}

/// That a ping gives up on a `getent` that goes on like this, which is ended then.
fn is_ended(goes_on: &str) {
    let (_server, _, id, port) = server_with_check();
    let script = format!("echo $$ > pid.new; mv pid.new pid; exec {goes_on}");
    let (home, folder) = home(&format!("http://{NAME}:{port}"), &script);
    home.pakyas(&format!("ping --ping-timeout 3s --public-id {id}"))
        .exits(0)
        .says("is kept");
    let pid = fs::read_to_string(folder.join("pid")).unwrap();
    let process = Path::new("/proc").join(pid.trim());
    wait_for("getent to be ended", || (!process.exists()).then_some(()));
}

#[test]
fn a_getent_that_says_nothing_is_given_up_and_ended() {
    if runs_by_itself() {
        is_ended("sleep 1000");
    }
}

#[test]
fn a_getent_that_does_not_stop_is_given_up_and_ended() {
    if runs_by_itself() {
        is_ended("yes '127.0.0.1 STREAM nas'");
    }
}

#[test]
fn what_is_no_plain_name_is_not_asked_of_getent() {
    if !runs_by_itself() {
        return;
    }
    let (_server, _, id, port) = server_with_check();
    for odd in ["-s", "na$s.pakyas.test", "_nas.pakyas.test"] {
        let (home, folder) = home(&format!("http://{odd}:{port}"), "touch asked");
        home.pakyas(&format!("ping --strict --ping-timeout 3s --public-id {id}"))
            .exits(4);
        assert!(!folder.join("asked").exists(), "{odd}");
    }
}
