//! `pakyas`, the client: parse, run, exit code.

use std::ffi::OsString;
use std::time::Duration;

use pakyas::client::args::Globals;
use pakyas::client::delivery::Target;
use pakyas::client::monitor::{self, Capture, Job};

/// A stand-in for the command line until it is there: `monitor`, and nothing is checked.
fn main() {
    let mut args = std::env::args_os().skip(1);
    let mut globals = Globals::default();
    let mut job = Job {
        command: Vec::new(),
        target: Target::Slug(String::new()),
        capture: Capture::Auto,
        no_output: false,
        timeout: None,
        kill_after: monitor::DEFAULT_KILL_AFTER,
        strict: false,
        ping_timeout: monitor::DEFAULT_PING_TIMEOUT,
    };
    let text = |arg: Option<OsString>| arg.unwrap_or_default().to_string_lossy().into_owned();
    let seconds = |text: String| {
        Duration::from_secs(pakyas::schedule::parse_duration(&text).unwrap_or_default())
    };
    while let Some(arg) = args.next() {
        match arg.to_string_lossy().as_ref() {
            "--" => break,
            "monitor" => {}
            "-v" | "--verbose" => globals.verbose = true,
            "--quiet" => globals.quiet = true,
            "--ping-url" => globals.ping_url = Some(text(args.next())),
            "--public_id" => {
                if let Ok(id) = text(args.next()).parse() {
                    job.target = Target::PublicId(id);
                }
            }
            "--capture" => {
                job.capture = match text(args.next()).as_str() {
                    "all" => Capture::All,
                    "none" => Capture::None,
                    "stderr" => Capture::Stderr,
                    _ => Capture::Auto,
                }
            }
            "--no-output" => job.no_output = true,
            "--strict" => job.strict = true,
            "--timeout" => job.timeout = Some(seconds(text(args.next()))),
            "--kill-after" => job.kill_after = seconds(text(args.next())),
            "--ping-timeout" => job.ping_timeout = seconds(text(args.next())),
            slug => job.target = Target::Slug(slug.to_owned()),
        }
    }
    job.command = args.collect();
    if job.command.is_empty() {
        eprintln!("pakyas: monitor needs a command after `--`");
        std::process::exit(2);
    }
    std::process::exit(monitor::run(job, &globals));
}
