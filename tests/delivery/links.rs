//! Links that are cut, in network namespaces of the test's own.

use std::process::Command;

/// `unshare` with these namespaces, where this machine and user may; else the test says that
/// it is skipped.
pub fn unshare(namespaces: &[&str]) -> Option<Command> {
    for as_root in [&[][..], &["-Ur"]] {
        let possible = Command::new("unshare")
            .args(as_root)
            .args(namespaces)
            .arg("true")
            .output()
            .is_ok_and(|output| output.status.success());
        if possible {
            let mut command = Command::new("unshare");
            command.args(as_root).args(namespaces);
            return Some(command);
        }
    }
    eprintln!("skipped: no namespaces can be had here");
    None
}
