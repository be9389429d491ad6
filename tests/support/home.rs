//! A home of its own for the client under test, and an environment with nothing else in it.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::programs::{counted, pakyas};

/// A fresh home directory, removed when it is dropped.
pub struct Home {
    path: PathBuf,
    variables: Vec<(String, String)>,
}

/// How a command went.
#[derive(Debug)]
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
}

impl Outcome {
    /// Asserts the exit code, and shows all where it is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Asserts that stderr holds `text`.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} in {self:#?}");
        self
    }

    /// Asserts that stdout holds `text`.
    #[track_caller]
    pub fn shows(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no {text:?} in {self:#?}");
        self
    }

    /// stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }
}

impl Home {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("pakyas-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self {
            path,
            variables: Vec::new(),
        }
    }

    /// A home that is logged in to nothing but points at that API.
    pub fn at(api_url: &str) -> Self {
        Self::new().with("PAKYAS_API_URL", api_url)
    }

    /// The same home, with a variable in the environment of each command.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file of the configuration directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(".config/pakyas").join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.file(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The environment of its commands, but for PATH.
    pub fn environment(&self) -> Vec<(String, String)> {
        let home = ("HOME".to_owned(), self.path.display().to_string());
        [home].into_iter().chain(self.variables.clone()).collect()
    }

    /// The client, with this home and an otherwise empty environment.
    pub fn command(&self) -> Command {
        let mut command = Command::new(pakyas());
        command
            .env_clear()
            .envs(counted())
            .env("HOME", &self.path)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a line of shell, as cron does, in the client's environment.
    pub fn shell(&self, line: &str) -> Outcome {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", line])
            .env_clear()
            .envs(counted())
            .env("HOME", &self.path)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        captured(&mut shell)
    }

    /// Runs the client with these arguments.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Outcome {
        outcome(self.command().args(arguments))
    }

    /// Runs the client with `line`'s words as arguments.
    pub fn pakyas(&self, line: &str) -> Outcome {
        self.run(line.split_whitespace())
    }

    /// Runs the client with `input` on standard input.
    pub fn pakyas_with_input(&self, line: &str, input: &[u8]) -> Outcome {
        let mut child = self
            .command()
            .args(line.split_whitespace())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || {
            let _ = stdin.write_all(&input);
        });
        let outcome = finish(child);
        writer.join().unwrap();
        outcome
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// No command of these tests takes this long, however busy the machine is.
const TOO_LONG: Duration = Duration::from_secs(90);

/// Runs a command and takes all that it writes.
pub fn captured(command: &mut Command) -> Outcome {
    outcome(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
}

/// Runs a command and takes what it writes to streams that are pipes.
pub fn outcome(command: &mut Command) -> Outcome {
    finish(command.spawn().unwrap())
}

/// Waits for the end of a child. One that hangs is killed, so that its test fails and the
/// others go on.
fn finish(child: Child) -> Outcome {
    let id = child.id().to_string();
    let (ended, watch) = mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if watch.recv_timeout(TOO_LONG) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-KILL", &id]).status();
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    watchdog.join().unwrap();
    told(output)
}

fn told(output: std::process::Output) -> Outcome {
    Outcome {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().unwrap_or(-1),
    }
}
