//! The command line of pakyas-server as typed, and what flags, environment and defaults say
//! together. The flags of serving are here, what they mean is in `serve`; each command has a
//! file of its own.

mod init;
mod serve;
#[cfg(test)]
mod tests;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

pub use init::Init;
pub use serve::Serve;

/// The self-hosted Pakyas Cloud: takes pings, notices silence, sends alerts.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    help_triggers("-h", "--help"),
    example = "Take pings on this machine only:\n    {command_name}",
    example = "Serve behind a proxy that has the certificate:\n    {command_name} --listen 127.0.0.1:8080 --public-url https://pakyas.example.com",
    note = "Each option may be given in the environment: PAKYAS_SERVER_LISTEN,\n  PAKYAS_SERVER_DATA_DIR, PAKYAS_SERVER_PUBLIC_URL. A flag is stronger.",
    note = "The first start creates an organization, a project and an API key, and\n  prints how to log in with it."
)]
pub struct Args {
    /// address and port to listen on (default 127.0.0.1:8080)
    #[argh(option, arg_name = "addr")]
    listen: Option<String>,

    /// where everything is kept (default /var/lib/pakyas as root, else ~/.local/share/pakyas)
    #[argh(option, arg_name = "dir")]
    data_dir: Option<PathBuf>,

    /// where clients reach this server (default: http:// and the address listened on)
    #[argh(option, arg_name = "url")]
    public_url: Option<String>,

    /// print the version and end
    #[argh(switch)]
    pub version: bool,

    #[argh(subcommand)]
    command: Option<Command>,
}

#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(subcommand)]
enum Command {
    Init(init::InitArgs),
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Mode {
    /// Print the version.
    Version,
    /// Serve until a signal says to end.
    Serve(Serve),
    /// Create the first organization.
    Init(Init),
}

/// What the command line asks for that is not [`Mode`]: text to print.
#[derive(Debug, PartialEq, Eq)]
pub enum Exit {
    /// Help, for stdout.
    Help(String),
    /// A usage error, for stderr.
    Usage(String),
}

/// Reads the command line, without the program's name, and the environment.
///
/// # Errors
/// [`Exit`] with the text to print.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Mode, Exit> {
    let mut split = Vec::new();
    for argument in arguments {
        let argument = argument
            .into_string()
            .map_err(|bad| Exit::Usage(format!("'{}' is not UTF-8", bad.to_string_lossy())))?;
        // argh knows `--name value` only.
        match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => {
                split.extend([name.to_owned(), value.to_owned()]);
            }
            _ => split.push(argument),
        }
    }
    let words: Vec<&str> = split.iter().map(String::as_str).collect();
    let args = Args::from_args(&["pakyas-server"], &words).map_err(|exit| match exit.status {
        Ok(()) => Exit::Help(exit.output),
        Err(()) => Exit::Usage(exit.output.trim_end().to_owned()),
    })?;
    settle(args).map_err(Exit::Usage)
}

fn settle(args: Args) -> Result<Mode, String> {
    if args.version {
        return Ok(Mode::Version);
    }
    match args.command {
        Some(Command::Init(init)) => init::settle(init, args.data_dir).map(Mode::Init),
        None => serve::settle(args).map(Mode::Serve),
    }
}
