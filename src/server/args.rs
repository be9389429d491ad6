//! The command line of pakyas-server as typed, and what flags, environment and defaults say
//! together.

pub mod mail;

use std::env;
use std::ffi::OsString;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use argh::FromArgs;

/// Where the server listens unless told otherwise.
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

/// The self-hosted Pakyas Cloud: takes pings, notices silence, sends alerts.
#[derive(FromArgs, Debug)]
#[argh(
    help_triggers("-h", "--help"),
    example = "Take pings on this machine only:\n    {command_name}",
    example = "Serve behind a proxy that has the certificate:\n    {command_name} --listen 127.0.0.1:8080 --public-url https://pakyas.example.com",
    note = "Each option may be given in the environment: PAKYAS_SERVER_LISTEN,\n  PAKYAS_SERVER_DATA_DIR, PAKYAS_SERVER_PUBLIC_URL and so on. A flag is stronger.",
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

#[derive(FromArgs, Debug)]
#[argh(subcommand)]
enum Command {
    Init(InitArgs),
}

/// Create the first organization with a project and an API key, and print their ids and the key.
#[derive(FromArgs, Debug)]
#[argh(
    subcommand,
    name = "init",
    help_triggers("-h", "--help"),
    example = "{command_name} --org 'My Company' --project Production --email me@example.com",
    example = "{command_name} --org Acme --project Production --email me@example.com --password-file /run/secrets/password --format json"
)]
struct InitArgs {
    /// the organization's name
    #[argh(option, arg_name = "name")]
    org: String,

    /// the first project's name
    #[argh(option, arg_name = "name")]
    project: String,

    /// the owner's email address
    #[argh(option, arg_name = "address")]
    email: String,

    /// a file that holds the owner's password
    #[argh(option, arg_name = "file")]
    password_file: Option<String>,

    /// where everything is kept, as without a command
    #[argh(option, arg_name = "dir")]
    data_dir: Option<PathBuf>,

    /// text or json
    #[argh(option, arg_name = "format", default = "String::from(\"text\")")]
    format: String,
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

/// Settled values for serving.
#[derive(Debug, PartialEq, Eq)]
pub struct Serve {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Where clients reach the server, without a slash at its end; where not said, it comes
    /// from the address listened on.
    pub public_url: Option<String>,
    /// The mail server for alerts; none where there is none.
    pub smtp: Option<mail::Smtp>,
}

/// Settled values for `init`.
#[derive(Debug, PartialEq, Eq)]
pub struct Init {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// The organization's name.
    pub org: String,
    /// The project's name.
    pub project: String,
    /// The owner's address.
    pub email: String,
    /// Where the password is.
    pub password_file: Option<String>,
    /// Whether to print JSON.
    pub json: bool,
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
    let data_dir = |flag: Option<PathBuf>| {
        // An unset variable in a unit file must not begin an empty server somewhere.
        if flag
            .as_ref()
            .is_some_and(|path| path.as_os_str().is_empty())
        {
            return Err("--data-dir is empty; name a directory".to_owned());
        }
        flag.or_else(|| setting("PAKYAS_SERVER_DATA_DIR").map(PathBuf::from))
            .map_or_else(default_data_dir, Ok)
    };
    match args.command {
        Some(Command::Init(init)) => Ok(Mode::Init(Init {
            data_dir: data_dir(init.data_dir.or(args.data_dir))?,
            org: name("--org", &init.org)?,
            project: name("--project", &init.project)?,
            email: email(&init.email)?,
            password_file: init.password_file,
            json: match init.format.as_str() {
                "text" => false,
                "json" => true,
                other => return Err(format!("--format is text or json, not '{other}'")),
            },
        })),
        None => Ok(Mode::Serve(Serve {
            listen: address(
                &args
                    .listen
                    .or_else(|| setting("PAKYAS_SERVER_LISTEN"))
                    .unwrap_or_else(|| DEFAULT_LISTEN.to_owned()),
            )?,
            data_dir: data_dir(args.data_dir)?,
            public_url: args
                .public_url
                .or_else(|| setting("PAKYAS_SERVER_PUBLIC_URL"))
                .map(|url| public_url(&url))
                .transpose()?,
            smtp: mail::settle(mail::Typed {
                host: args.smtp_host,
                port: args.smtp_port,
                security: args.smtp_security,
                user: args.smtp_user,
                password_file: args.smtp_password_file,
                from: args.smtp_from,
                ca_file: args.smtp_ca_file,
            })?,
        })),
    }
}

/// An environment variable; an empty one is as good as none.
fn setting(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn default_data_dir() -> Result<PathBuf, String> {
    if crate::sys::is_root() {
        return Ok(PathBuf::from("/var/lib/pakyas"));
    }
    let absolute = |name| {
        setting(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("pakyas"))
        .ok_or_else(|| "there is no home directory to keep data in; give --data-dir".to_owned())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| {
            format!(
                "'{text}' is no address to listen on; write it like 127.0.0.1:8080 or [::]:8080"
            )
        })
}

fn public_url(text: &str) -> Result<String, String> {
    let url = text.trim_end_matches('/');
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains([' ', '?', '#']) => Ok(url.to_owned()),
        _ => Err(format!(
            "'{text}' is no URL for clients; write it like https://pakyas.example.com"
        )),
    }
}

fn name(flag: &str, text: &str) -> Result<String, String> {
    let text = text.trim();
    match text.chars().count() {
        1..=100 if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err(format!("{flag} must be a name of 1 to 100 characters")),
    }
}

fn email(text: &str) -> Result<String, String> {
    match text.split_once('@') {
        Some((user, host))
            if !user.is_empty()
                && !host.is_empty()
                && text.len() <= 254
                && !text.contains(char::is_whitespace) =>
        {
            Ok(text.to_owned())
        }
        _ => Err(format!("'{text}' is no email address")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(line: &[&str]) -> Result<Mode, Exit> {
        parse(line.iter().map(OsString::from))
    }

    #[test]
    fn flags_are_read_with_a_space_and_with_an_equals_sign() {
        let expected = Mode::Serve(Serve {
            listen: SocketAddr::from(([127, 0, 0, 1], 9)),
            data_dir: PathBuf::from("/d"),
            public_url: Some("https://p.example".to_owned()),
            smtp: None,
        });
        for line in [
            &[
                "--listen",
                "127.0.0.1:9",
                "--data-dir",
                "/d",
                "--public-url",
                "https://p.example/",
            ][..],
            &[
                "--listen=127.0.0.1:9",
                "--data-dir=/d",
                "--public-url=https://p.example",
            ],
        ] {
            assert_eq!(mode(line).as_ref(), Ok(&expected));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, word) in [
            (&["--listen", "nowhere", "--data-dir", "/d"][..], "nowhere"),
            (&["--data-dir", "/d", "--public-url", "ftp://x"], "ftp://x"),
            (
                &[
                    "init",
                    "--org",
                    "",
                    "--project",
                    "p",
                    "--email",
                    "a@b",
                    "--data-dir",
                    "/d",
                ],
                "--org",
            ),
            (
                &[
                    "init",
                    "--org",
                    "o",
                    "--project",
                    "p",
                    "--email",
                    "ab",
                    "--data-dir",
                    "/d",
                ],
                "'ab'",
            ),
            (&["--lissen", "x"], "--lissen"),
        ] {
            let Err(Exit::Usage(text)) = mode(line) else {
                panic!("{line:?} is accepted");
            };
            assert!(text.contains(word), "{text}");
        }
    }
}
