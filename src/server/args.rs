//! The command line of pakyas-server as typed, and what flags, environment and defaults say
//! together. The flags of serving are here, what they mean is in `serve`; each command has a
//! file of its own.

mod accounts;
mod backup;
mod init;
mod look;
pub mod mail;
mod prepare;
mod serve;
#[cfg(test)]
mod tests;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

pub use accounts::{Admin, Task};
pub use backup::Backup;
pub use init::Init;
pub use serve::{Draft, Serve};

/// The self-hosted Pakyas Cloud: takes pings, notices silence, sends alerts.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    help_triggers("-h", "--help"),
    example = "Take pings on this machine only:\n    {command_name}",
    example = "Serve behind a proxy that has the certificate:\n    {command_name} --trusted-proxy 127.0.0.1 --public-url https://pakyas.example.com",
    note = "Each option may be given in the environment: PAKYAS_SERVER_LISTEN for --listen,\n  and so on. A flag is stronger. PAKYAS_SERVER_TRUSTED_PROXY takes several, with\n  commas between them.",
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

    /// PEM file with the certificate chain; the server speaks HTTPS then
    #[argh(option, arg_name = "file")]
    tls_cert: Option<PathBuf>,

    /// PEM file with the certificate's private key
    #[argh(option, arg_name = "file")]
    tls_key: Option<PathBuf>,

    /// network whose X-Forwarded-For is believed, like 10.0.0.0/8; may be given several times
    #[argh(option, arg_name = "cidr")]
    trusted_proxy: Vec<String>,

    /// write a JSON line about each request to this file, - is stdout
    #[argh(option, arg_name = "file")]
    access_log: Option<PathBuf>,

    /// requests a minute to the management API for each organization (default 1000)
    #[argh(option, arg_name = "n")]
    api_limit: Option<String>,
    /// how long pings, events and alerts are kept, days (default 90)
    #[argh(option, arg_name = "days")]
    keep_days: Option<String>,

    /// how many pings of a check are kept (default 10000)
    #[argh(option, arg_name = "number")]
    keep_pings: Option<String>,
    /// the mail server that alerts go through
    #[argh(option, arg_name = "host")]
    smtp_host: Option<String>,

    /// its port (default 587 with starttls, 465 with tls, 25 with none)
    #[argh(option, arg_name = "port")]
    smtp_port: Option<String>,

    /// starttls (default), tls or none
    #[argh(option, arg_name = "how")]
    smtp_security: Option<String>,

    /// the user to log in to it as
    #[argh(option, arg_name = "name")]
    smtp_user: Option<String>,

    /// a file that holds that user's password
    #[argh(option, arg_name = "file")]
    smtp_password_file: Option<String>,

    /// the address that alerts come from
    #[argh(option, arg_name = "address")]
    smtp_from: Option<String>,

    /// PEM certificates to trust for it instead of the built-in ones
    #[argh(option, arg_name = "file")]
    smtp_ca_file: Option<String>,

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
    Backup(backup::BackupArgs),
    CheckConfig(look::CheckConfigArgs),
    Healthcheck(look::HealthcheckArgs),
    User(accounts::UserArgs),
    Org(accounts::OrgArgs),
    Key(accounts::KeyArgs),
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
    /// Copy everything into a file.
    Backup(Backup),
    /// Say what serving would refuse.
    CheckConfig(Draft),
    /// Ask whether the server is well.
    Healthcheck(Serve),
    /// Change who may do what.
    Admin(Admin),
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
    let words = prepare::prepare(arguments, &Args::get_args_info()).map_err(Exit::Usage)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
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
    let admin = |(task, typed_dir, format): accounts::Typed| {
        Ok(Mode::Admin(Admin {
            data_dir: values::data_dir(typed_dir.or_else(|| args.data_dir.clone()))?,
            json: values::is_json(&format)?,
            task,
        }))
    };
    match args.command {
        Some(Command::Init(init)) => init::settle(init, args.data_dir).map(Mode::Init),
        Some(Command::Backup(backup)) => backup::settle(backup, args.data_dir).map(Mode::Backup),
        Some(Command::CheckConfig(_)) => Ok(Mode::CheckConfig(serve::draft(&args))),
        Some(Command::Healthcheck(_)) => serve::settle(&args).map(Mode::Healthcheck),
        Some(Command::User(typed)) => admin(typed.settle()?),
        Some(Command::Org(typed)) => admin(typed.settle()?),
        Some(Command::Key(typed)) => admin(typed.settle()?),
        None => serve::settle(&args).map(Mode::Serve),
    }
}
