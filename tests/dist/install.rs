//! install.sh of the bundle, under each shell that a machine may have: all or nothing, again and
//! again, and gone without a trace.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::bundle::{program, sum_again, unpack};
use crate::support::{self, TempDir};
use crate::tools::{must_agree, on_this_machine, printed};

/// A bundle and an empty machine to install it into.
struct Site {
    /// Owns the folders.
    _folder: TempDir,
    bundle: PathBuf,
    root: PathBuf,
    shell: Shell,
}

/// What runs the script, with the tools that go with it.
#[derive(Clone)]
struct Shell {
    name: &'static str,
    path: String,
}

/// dash with Debian's tools, and, where it is installed, busybox with its own and no others.
fn shells(folder: &TempDir) -> Vec<Shell> {
    let mut shells = vec![Shell {
        name: "sh",
        path: "/usr/bin:/bin".to_owned(),
    }];
    if let Some(mut busybox) = on_this_machine("busybox", "busybox-static") {
        let applets = folder.path().join("applets");
        std::fs::create_dir(&applets).unwrap();
        must_agree(busybox.args(["--install", "-s"]).arg(&applets));
        shells.push(Shell {
            name: "ash",
            path: applets.to_str().unwrap().to_owned(),
        });
    }
    shells
}

/// Runs a test once for each shell.
fn on_each(test: impl Fn(&Site)) {
    let folder = TempDir::new();
    on_those(shells(&folder), test);
}

/// Runs a test under dash alone: busybox can't be given a `mv` that fails, it has its own inside.
fn on_dash(test: impl Fn(&Site)) {
    on_those(shells(&TempDir::new()).drain(..1).collect(), test);
}

fn on_those(shells: Vec<Shell>, test: impl Fn(&Site)) {
    for shell in shells {
        eprintln!("under {}", shell.name);
        let folder = TempDir::new();
        let site = Site {
            bundle: unpack(&folder),
            root: folder.path().join("root"),
            shell,
            _folder: folder,
        };
        std::fs::create_dir(&site.root).unwrap();
        test(&site);
    }
}

impl Site {
    fn command(&self, arguments: &[&str]) -> Command {
        let shell = std::env::split_paths(&self.shell.path)
            .map(|folder| folder.join(self.shell.name))
            .find(|shell| shell.exists())
            .unwrap();
        let mut command = Command::new(shell);
        command
            .arg(self.bundle.join("install.sh"))
            .args(arguments)
            .current_dir("/")
            .env_clear()
            .env("PATH", &self.shell.path);
        command
    }

    /// Runs install.sh for the machine below `root`.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        command.arg("--destdir").arg(&self.root);
        command.output().unwrap()
    }

    fn must(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", printed(&output));
        printed(&output)
    }

    /// What it says where it refuses.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
        printed(&output)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Everything below the machine's root: folders, and files with mode and content.
    fn snapshot(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut found = BTreeMap::new();
        snapshot(&self.root, &mut found);
        found
    }
}

fn snapshot(folder: &Path, found: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = path.symlink_metadata().unwrap();
        if meta.is_dir() {
            snapshot(&path, found);
            found.insert(path, (meta.mode(), Vec::new()));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.insert(path, (meta.mode(), bytes));
        }
    }
}

#[test]
fn all_is_installed_and_uninstalling_leaves_nothing_but_the_data() {
    on_each(|site| {
        for shell in ["bash-completion", "zsh", "fish"] {
            std::fs::create_dir_all(site.at("usr/share").join(shell)).unwrap();
        }
        let before = site.snapshot();
        let said = site.must(&["--systemd"]);
        for (path, mode) in [
            ("usr/local/bin/pakyas", 0o755),
            ("usr/local/bin/pakyas-server", 0o755),
            ("usr/local/share/man/man1/pakyas.1", 0o644),
            ("usr/local/share/man/man8/pakyas-server.8", 0o644),
            ("usr/local/share/bash-completion/completions/pakyas", 0o644),
            ("usr/local/share/zsh/site-functions/_pakyas", 0o644),
            (
                "usr/local/share/fish/vendor_completions.d/pakyas.fish",
                0o644,
            ),
            ("usr/local/share/doc/pakyas/LICENSES.txt", 0o644),
            ("usr/local/share/doc/pakyas/examples/crontab", 0o644),
            ("usr/local/lib/systemd/system/pakyas-server.service", 0o644),
            (
                "usr/local/lib/systemd/system/pakyas-spool-flush@.timer",
                0o644,
            ),
        ] {
            let meta = site
                .at(path)
                .metadata()
                .unwrap_or_else(|e| panic!("{path}: {e}"));
            assert_eq!(meta.permissions().mode() & 0o7777, mode, "{path}");
            assert!(said.contains(path), "it does not say {path}: {said}");
        }
        let names = site.snapshot();
        assert!(
            !names
                .keys()
                .any(|path| path.to_str().unwrap().contains(".pakyas-"))
        );

        site.put("var/lib/pakyas/pakyas.db", "data");
        site.put("etc/pakyas/server.env", "settings");
        site.must(&["--uninstall"]);
        let mut left = site.snapshot();
        left.retain(|path, _| !before.contains_key(path));
        let left: Vec<_> = left
            .keys()
            .map(|path| path.strip_prefix(&site.root).unwrap())
            .collect();
        let kept = ["etc", "etc/pakyas", "etc/pakyas/server.env"];
        let data = [
            "var",
            "var/lib",
            "var/lib/pakyas",
            "var/lib/pakyas/pakyas.db",
        ];
        assert_eq!(
            left,
            [&kept[..], &data]
                .concat()
                .iter()
                .map(Path::new)
                .collect::<Vec<_>>()
        );
        assert!(
            site.refused(&["--uninstall"])
                .contains("nothing that this program installed")
        );
    });
}

#[test]
fn a_second_run_changes_nothing() {
    on_each(|site| {
        site.must(&["--systemd"]);
        let inode = || site.at("usr/local/bin/pakyas").metadata().unwrap().ino();
        let (before, first) = (site.snapshot(), inode());
        assert!(site.must(&["--systemd"]).contains("nothing was changed"));
        assert_eq!((site.snapshot(), inode()), (before, first));
    });
}

#[test]
fn a_damaged_bundle_installs_nothing() {
    on_each(|site| {
        for damage in [
            "printf x >>bin/pakyas-server",
            "printf x >>systemd/pakyas-server.service",
            "rm examples/crontab",
            "rm SHA256SUMS",
            "touch bin/another",
            "sed -i 's/^./0/' SHA256SUMS",
            "sed -i '/ bin.pakyas$/d' SHA256SUMS",
        ] {
            let folder = TempDir::new();
            let bundle = unpack(&folder);
            must_agree(Command::new("sh").args(["-c", damage]).current_dir(&bundle));
            let damaged = Site {
                bundle,
                root: site.root.clone(),
                shell: site.shell.clone(),
                _folder: folder,
            };
            damaged.refused(&["--systemd"]);
            assert!(site.snapshot().is_empty(), "{damage}");
        }
    });
}

#[test]
fn on_a_disk_that_fills_up_there_is_all_or_nothing() {
    on_each(|site| {
        let Some(mut namespace) = support::unshare(&["-m"]) else {
            return;
        };
        // From too small for the first file to large enough for all.
        let script = r#"
            root=$1
            shift
            for size in 4 16 64 128 192 240 260 280 300 400 2000; do
                mount -t tmpfs -o "size=${size}k" tmpfs "$root" || exit 9
                "$@" >/dev/null 2>&1
                code=$?
                echo "$code $(find "$root" -mindepth 1 -type f | wc -l)"
                umount "$root"
            done"#;
        let install = site.command(&["--systemd", "--destdir"]);
        let output = namespace
            .args(["sh", "-c", script, "sh"])
            .arg(&site.root)
            .args(["env", "-i", &format!("PATH={}", site.shell.path)])
            .arg(install.get_program())
            .args(install.get_args())
            .arg(&site.root)
            .output()
            .unwrap();
        let text = printed(&output);
        assert!(output.status.success(), "{text}");
        let all = text.lines().last().unwrap();
        assert!(all.starts_with("0 ") && all != "0 0", "{text}");
        let refused = text.lines().filter(|line| *line == "1 0").count();
        assert!(refused >= 4, "{text}");
        assert!(
            text.lines().all(|line| line == "1 0" || line == all),
            "{text}"
        );
    });
}

#[test]
fn an_upgrade_replaces_all_and_takes_away_what_is_gone() {
    on_each(|site| {
        site.must(&["--systemd"]);
        std::fs::write(site.bundle.join("VERSION"), "9.9.9\n").unwrap();
        program(&site.bundle.join("bin/pakyas"), "#!/bin/sh\necho new\n");
        program(
            &site.bundle.join("systemd/pakyas-server.service"),
            "# /usr/local/bin/new\n",
        );
        std::fs::remove_file(site.bundle.join("examples/crontab")).unwrap();
        std::fs::write(site.bundle.join("examples/new"), "new").unwrap();
        sum_again(&site.bundle);
        // Without --systemd: who has the units keeps them.
        let said = site.must(&[]);
        assert!(
            said.contains("updated    ") && said.contains("9.9.9"),
            "{said}"
        );
        let read = |path| std::fs::read_to_string(site.at(path)).unwrap_or_default();
        assert_eq!(read("usr/local/bin/pakyas"), "#!/bin/sh\necho new\n");
        let unit = "usr/local/lib/systemd/system/pakyas-server.service";
        assert_eq!(read(unit), "# /usr/local/bin/new\n");
        assert!(
            !site
                .at("usr/local/share/doc/pakyas/examples/crontab")
                .exists()
        );
        assert!(site.at("usr/local/share/doc/pakyas/examples/new").exists());
        site.must(&["--uninstall"]);
        assert!(site.snapshot().is_empty());
    });
}

#[test]
fn what_came_from_elsewhere_is_neither_overwritten_nor_removed() {
    on_each(|site| {
        site.put("usr/local/bin/pakyas", "by hand");
        let before = site.snapshot();
        let said = site.refused(&[]);
        assert!(
            said.contains("usr/local/bin/pakyas was not installed by this program"),
            "{said}"
        );
        assert_eq!(site.snapshot(), before);

        site.must(&["--replace"]);
        site.put("usr/local/share/doc/pakyas/README.txt", "changed");
        site.put("usr/local/share/doc/pakyas/notes", "a file of theirs");
        let said = site.refused(&[]);
        assert!(said.contains("README.txt"), "{said}");
        let said = site.must(&["--uninstall"]);
        assert!(said.contains("kept "), "{said}");
        let read = |path| std::fs::read_to_string(site.at(path)).unwrap();
        assert_eq!(read("usr/local/share/doc/pakyas/README.txt"), "changed");
        assert_eq!(read("usr/local/share/doc/pakyas/notes"), "a file of theirs");
        assert!(!site.at("usr/local/bin/pakyas").exists());
    });
}

#[test]
fn where_one_file_can_not_be_put_in_place_all_is_as_before() {
    on_dash(|site| {
        site.must(&[]);
        let before = site.snapshot();
        for name in ["bin/pakyas", "bin/pakyas-server", "man/pakyas.1"] {
            program(&site.bundle.join(name), "new");
        }
        sum_again(&site.bundle);
        // The third move fails, and only the way back works after that.
        let stubs = TempDir::new();
        let mv = std::env::split_paths(&site.shell.path)
            .map(|folder| folder.join("mv"))
            .find(|path| path.exists())
            .unwrap();
        program(
            &stubs.path().join("mv"),
            &format!(
                "#!/bin/sh\nn=$(cat {0}/count 2>/dev/null || echo 0)\necho $((n + 1)) >{0}/count\n\
                 [ $n -ne 2 ] || exit 1\nexec {1} \"$@\"\n",
                stubs.path().display(),
                mv.display()
            ),
        );
        let mut command = site.command(&["--destdir"]);
        let output = command
            .arg(&site.root)
            .env(
                "PATH",
                format!("{}:{}", stubs.path().display(), site.shell.path),
            )
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
        assert!(printed(&output).contains("updated"), "it failed too early");
        assert_eq!(site.snapshot(), before);
    });
}

#[test]
fn one_that_is_told_to_end_puts_all_back() {
    on_dash(|site| {
        site.must(&[]);
        let before = site.snapshot();
        for name in ["bin/pakyas", "bin/pakyas-server"] {
            program(&site.bundle.join(name), "new");
        }
        sum_again(&site.bundle);
        // It is told so by its own tools: while it copies, and while it puts in place.
        for tool in ["chmod", "mv"] {
            let stubs = TempDir::new();
            let text = "#!/bin/sh\nkill -TERM $PPID\nexec /usr/bin/\"${0##*/}\" \"$@\"\n";
            program(&stubs.path().join(tool), text);
            let mut command = site.command(&["--destdir"]);
            let path = format!("{}:{}", stubs.path().display(), site.shell.path);
            let output = command.arg(&site.root).env("PATH", path).output().unwrap();
            assert_eq!(output.status.code(), Some(143), "{}", printed(&output));
            assert_eq!(site.snapshot(), before, "{tool}");
        }
    });
}

#[test]
fn one_that_is_killed_at_any_moment_can_be_run_again() {
    on_each(|site| {
        for milliseconds in [20, 60, 100, 150, 200, 300] {
            let mut command = site.command(&["--systemd", "--destdir"]);
            let mut child = command
                .arg(&site.root)
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            // Any moment will do, so there is nothing to wait for.
            std::thread::sleep(std::time::Duration::from_millis(milliseconds));
            let _ = child.kill();
            child.wait().unwrap();
        }
        site.must(&["--systemd"]);
        let left = site.snapshot();
        assert!(
            !left
                .keys()
                .any(|path| path.to_str().unwrap().contains(".pakyas-"))
        );
        site.must(&["--uninstall"]);
        let files: Vec<_> = site
            .snapshot()
            .into_keys()
            .filter(|path| path.is_file())
            .collect();
        assert!(files.is_empty(), "{files:?}");
    });
}

#[test]
fn a_plain_user_installs_into_a_folder_of_their_own_and_nowhere_else() {
    on_each(|site| {
        let home = site.at("home of me");
        std::fs::create_dir(&home).unwrap();
        std::fs::create_dir(site.at("theirs")).unwrap();
        let plain = |mut command: Command| {
            // Where the tests are root's, as nobody; else they are a plain user's already.
            if home.metadata().unwrap().uid() == 0 || home.metadata().unwrap().uid() == 65534 {
                std::os::unix::fs::chown(&home, Some(65534), Some(65534)).unwrap();
                command.uid(65534).gid(65534);
            } else {
                std::fs::set_permissions(site.at("theirs"), PermissionsExt::from_mode(0o555))
                    .unwrap();
            }
            command.output().unwrap()
        };
        let prefix = home.to_str().unwrap();
        let output = plain(site.command(&["--prefix", prefix]));
        assert!(output.status.success(), "{}", printed(&output));
        assert!(
            printed(&output).contains("is not in PATH"),
            "{}",
            printed(&output)
        );
        assert!(home.join("bin/pakyas").exists());
        let output = plain(site.command(&["--uninstall", &format!("--prefix={prefix}")]));
        assert!(output.status.success(), "{}", printed(&output));
        assert_eq!(std::fs::read_dir(&home).unwrap().count(), 0);

        let theirs = site.at("theirs");
        let output = plain(site.command(&["--prefix", theirs.to_str().unwrap()]));
        assert_eq!(output.status.code(), Some(1));
        assert!(
            printed(&output).contains("nothing was changed"),
            "{}",
            printed(&output)
        );
        assert_eq!(std::fs::read_dir(&theirs).unwrap().count(), 0);
    });
}

#[test]
fn units_start_the_programs_of_the_prefix() {
    on_each(|site| {
        site.must(&["--prefix", "/opt/pakyas", "--systemd"]);
        let unit = std::fs::read_to_string(site.at("etc/systemd/system/pakyas-server.service"));
        assert!(
            unit.unwrap()
                .contains("\nExecStart=/opt/pakyas/bin/pakyas-server\n")
        );
        site.must(&["--prefix", "/opt/pakyas", "--uninstall"]);
        assert!(site.snapshot().is_empty());
        let said = site.refused(&["--prefix", "/opt/p k", "--systemd"]);
        assert!(
            said.contains("systemd can't start programs below '/opt/p k'"),
            "{said}"
        );
        assert!(site.snapshot().is_empty());
    });
}

#[test]
fn wrong_options_are_usage_errors() {
    on_each(|site| {
        assert_eq!(site.run(&["--sytemd"]).status.code(), Some(2));
        for wrong in ["relative", "/a/../b", "/a|b", "/"] {
            site.refused(&["--prefix", wrong]);
        }
        assert!(site.must(&["--help"]).contains("--prefix DIR"));
        assert!(site.snapshot().is_empty());
    });
}
