//! Starting the job as it would have been started without us.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::report::Ending;
use super::shell;
use crate::sys::{Inherited, Terminal};

/// What a shell runs a script with that does not say what it is written in.
const SHELL: &str = "/bin/sh";

/// How the job is to be started.
pub struct Plan<'a> {
    /// The program and its arguments.
    pub command: &'a [OsString],
    /// What the wrapper was started with.
    pub inherited: &'a Inherited,
    /// Whether it gets a process group of its own.
    pub own_group: bool,
    /// The terminal whose foreground group that becomes.
    pub terminal: Option<&'a Terminal>,
    /// Where its stdout goes, where it is not inherited.
    pub stdout: Option<OwnedFd>,
    /// Where its stderr goes, where it is not inherited.
    pub stderr: Option<OwnedFd>,
}

/// Starts the job and gives its process id; the pipes in `plan` are then the job's alone.
pub fn spawn(plan: &Plan<'_>) -> Result<i32, Ending> {
    let Some((program, arguments)) = plan.command.split_first() else {
        return Err(Ending::NotStarted {
            code: 127,
            reason: "can't run a command without a name".to_owned(),
        });
    };
    let mut result = start(plan, program, arguments);
    // A script without a `#!` line is run by a shell, and so by cron, make and env. Some C
    // libraries do this themselves (glibc's execvp), some don't (musl's).
    if is_not_a_program(&result)
        && let Some(script) = find(program)
    {
        let with_shell: Vec<&OsStr> = std::iter::once(script.as_os_str())
            .chain(arguments.iter().map(OsString::as_os_str))
            .collect();
        // Where there is no shell, the first refusal says more.
        result = start(plan, OsStr::new(SHELL), &with_shell).or(result);
    }
    result.map_err(|error| refusal(program, arguments, &error))
}

fn is_not_a_program(result: &io::Result<i32>) -> bool {
    matches!(result, Err(error) if error.raw_os_error() == Some(libc::ENOEXEC))
}

fn start(plan: &Plan<'_>, program: &OsStr, arguments: &[impl AsRef<OsStr>]) -> io::Result<i32> {
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(pipe) = &plan.stdout {
        command.stdout(Stdio::from(pipe.try_clone()?));
    }
    if let Some(pipe) = &plan.stderr {
        command.stderr(Stdio::from(pipe.try_clone()?));
    }
    if plan.own_group {
        command.process_group(0);
    }
    plan.inherited.give_back(&mut command, plan.terminal);
    let child = command.spawn()?;
    Ok(i32::try_from(child.id()).unwrap_or(0))
}

/// The file that a command's name means: itself where it has a slash, else the first of that
/// name in PATH that is a file.
fn find(program: &OsStr) -> Option<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(program));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Why the job could not be started, with the exit code that a shell gives.
fn refusal(program: &OsStr, arguments: &[OsString], error: &io::Error) -> Ending {
    let name: String = program
        .to_string_lossy()
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .take(200)
        .collect();
    let has_path = program.as_bytes().contains(&b'/');
    let not_found = error.kind() == io::ErrorKind::NotFound;
    let why = match error.kind() {
        io::ErrorKind::NotFound if shell::is_meant(program, arguments) => format!(
            "{}; a shell understands it: sh -c '…'",
            match has_path {
                true => "there is no such file",
                false => "there is no such command in PATH",
            }
        ),
        io::ErrorKind::NotFound if has_path && Path::new(program).exists() => {
            "the interpreter or loader that it names does not exist".to_owned()
        }
        io::ErrorKind::NotFound if has_path => "there is no such file".to_owned(),
        io::ErrorKind::NotFound if name.contains(' ') => {
            "there is no such command in PATH; without the quotes around it, the words after the \
             first are its arguments"
                .to_owned()
        }
        io::ErrorKind::NotFound => "there is no such command in PATH".to_owned(),
        io::ErrorKind::PermissionDenied if Path::new(program).is_dir() => {
            "it is a directory".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied (is it executable? try chmod +x)".to_owned()
        }
        _ => error.to_string(),
    };
    Ending::NotStarted {
        code: if not_found { 127 } else { 126 },
        reason: format!("can't run '{name}': {why}"),
    }
}
