//! The units before systemd's own tools, which need no running systemd.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bundle::program;
use crate::support::TempDir;
use crate::tools::{
    files_below, must_agree, must_refuse, on_this_machine, printed, read, repository,
};

/// The units with programs that are there, as they are after installing; instances by name.
fn units(folder: &TempDir) -> Vec<PathBuf> {
    let bin = folder.path().join("bin");
    for name in ["pakyas", "pakyas-server"] {
        program(&bin.join(name), "#!/bin/sh\n");
    }
    let mut units = Vec::new();
    for file in files_below("dist/systemd") {
        if file.contains("/drop-ins/") {
            continue;
        }
        let text = read(&file).replace("/usr/local/bin", bin.to_str().unwrap());
        let name = Path::new(&file).file_name().unwrap().to_str().unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        units.push(folder.path().join(name.replace('@', "@root")));
    }
    assert!(units.len() >= 5);
    units
}

fn verify(folder: &TempDir, unit: &Path) -> Option<Command> {
    let mut command = on_this_machine("systemd-analyze", "systemd")?;
    // Its own units for what ours name, and no manual pages.
    command
        .env("SYSTEMD_UNIT_PATH", format!("{}:", folder.path().display()))
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .arg(unit);
    Some(command)
}

#[test]
fn systemd_has_nothing_to_say_of_any_unit() {
    let folder = TempDir::new();
    for unit in units(&folder) {
        let Some(mut command) = verify(&folder, &unit) else {
            return;
        };
        let output = command.output().unwrap();
        // It exits with 0 also where it does not know a setting.
        let said = printed(&output);
        assert!(
            output.status.success() && said.is_empty(),
            "{}\n{said}",
            unit.display()
        );
    }
}

#[test]
fn a_unit_whose_program_is_missing_is_refused() {
    let folder = TempDir::new();
    units(&folder);
    std::fs::remove_file(folder.path().join("bin/pakyas-server")).unwrap();
    if let Some(mut command) = verify(&folder, &folder.path().join("pakyas-server.service")) {
        must_refuse(&mut command);
    }
}

#[test]
fn a_unit_with_either_drop_in_still_is_one() {
    let folder = TempDir::new();
    units(&folder);
    let unit = folder.path().join("nightly.service");
    let drop_ins = folder.path().join("nightly.service.d");
    std::fs::create_dir(&drop_ins).unwrap();
    for name in ["monitor.conf", "on-result.conf"] {
        std::fs::write(&unit, "[Service]\nType=oneshot\nExecStart=/bin/false\n").unwrap();
        let bin = folder.path().join("bin");
        let text = read(&format!("dist/systemd/drop-ins/{name}"));
        let text = text.replace("/usr/local/bin", bin.to_str().unwrap());
        std::fs::write(drop_ins.join("pakyas.conf"), text).unwrap();
        let Some(mut command) = verify(&folder, &unit) else {
            return;
        };
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}: {}", printed(&output));
        assert!(printed(&output).is_empty(), "{name}: {}", printed(&output));
    }
}

/// `systemd-analyze security` counts from 0, nothing is open, to 10.
#[test]
fn the_servers_unit_leaves_little_open() {
    let Some(tool) = on_this_machine("systemd-analyze", "systemd") else {
        return;
    };
    let unit = repository("dist/systemd/pakyas-server.service");
    let check = |threshold: &str| {
        let mut command = Command::new(tool.get_program());
        command
            .args(["security", "--offline=true", "--no-pager"])
            .arg(format!("--threshold={threshold}"))
            .arg(&unit);
        command
    };
    // The threshold is in tenths: a score under 2.
    must_agree(&mut check("19"));
    must_refuse(&mut check("1"));
}
