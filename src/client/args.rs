//! The command line as it was typed: nothing here has been looked up, resolved or checked
//! against a server.
//!
//! The doc comments of the structs and fields are the texts of `--help`, of the man page and of
//! the shells' completion. The last also reads the `arg_name`s: `a|b` are the values that there
//! are, `SLUG`, `PROJECT` and `ORG` are known from the cache, `FILE` and `file:PATH` are files.

mod help;
mod official;
mod prepare;

use std::ffi::OsString;

use argh::{ArgsInfo, FromArgs};

use super::error::{Error, Kind};
use super::render::Format;

/// The flags that every command takes, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Globals {
    /// The organization for this command: a name or an id.
    pub org: Option<String>,
    /// The project for this command: a name, a slug or an id.
    pub project: Option<String>,
    /// `table`, `json` or `ndjson`.
    pub format: Option<String>,
    /// Tell on stderr what is done and how it went.
    pub verbose: bool,
    /// Say nothing but what was asked for.
    pub quiet: bool,
    /// No colours, whatever stdout is.
    pub no_color: bool,
    /// The management API's address.
    pub api_url: Option<String>,
    /// Where pings go.
    pub ping_url: Option<String>,
    /// Times in UTC, not in this machine's zone.
    pub utc: bool,
    /// `PAKYAS_API_KEY` counts for nothing.
    pub ignore_env: bool,
}

/// A command line that can be carried out.
#[derive(Debug)]
pub struct Invocation {
    /// The flags that every command takes.
    pub globals: Globals,
    /// The command and its own arguments.
    pub command: Command,
    /// What followed the first `--`, untouched; `None` where there was no `--`.
    pub rest: Option<Vec<OsString>>,
    /// What was left out because it can't be understood; for a job only, which runs all the same.
    pub faults: Vec<Error>,
    /// Flags of the official client that have no effect here.
    pub idle: Vec<String>,
}

impl Invocation {
    /// What to say of the flags that have no effect, where there are any.
    pub fn idle_flags(&self) -> Option<String> {
        let have = match self.idle.as_slice() {
            [] => return None,
            [_] => "has",
            _ => "have",
        };
        Some(format!("{} {have} no effect here", self.idle.join(", ")))
    }
}

/// What a command line asks for.
#[derive(Debug)]
pub enum Parsed {
    /// Carry this out.
    Run(Box<Invocation>),
    /// Print this text (help, version) and end.
    Print(String),
}

/// Reads the command line, `arguments` without the program's name.
///
/// # Errors
/// A [`Kind::Usage`] sentence with the nearest flag or command where one is near.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, Error> {
    let mut arguments = arguments.into_iter().peekable();
    if arguments.peek().is_none() {
        // A script whose command went missing must not seem to have succeeded.
        return Err(Error::new(Kind::Usage, help(&[]).trim_end()));
    }
    let prepare::Run {
        words,
        rest,
        mut faults,
        idle,
    } = match prepare::prepare(arguments, &Cli::get_args_info())? {
        prepare::Prepared::Version => {
            return Ok(Parsed::Print(format!("pakyas {}\n", crate::VERSION)));
        }
        prepare::Prepared::Help(path) => return Ok(Parsed::Print(help(&path))),
        prepare::Prepared::Run(run) => run,
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let cli = Cli::from_args(&["pakyas"], &words)
        .map_err(|exit| Error::new(Kind::Usage, exit.output.trim_end()))?;
    let mut globals = Globals {
        org: cli.org,
        project: cli.project,
        format: cli.format,
        verbose: cli.verbose,
        quiet: cli.quiet,
        no_color: cli.no_color,
        api_url: cli.api_url,
        ping_url: cli.ping_url,
        utc: cli.utc,
        ignore_env: cli.ignore_env,
    };
    if let Some(Err(error)) = (globals.format.as_deref()).map(|f| Format::named(f, "--format")) {
        let job_comes_first = matches!(&cli.command, Command::Monitor(typed) if !typed.strict)
            && rest.as_ref().is_some_and(|job| !job.is_empty());
        if !job_comes_first {
            return Err(error);
        }
        globals.format = None;
        faults.push(error);
    }
    if rest.is_some() && !matches!(cli.command, Command::Monitor(_)) {
        return Err(Error::new(
            Kind::Usage,
            "Only 'pakyas monitor' takes a command after '--'; leave the '--' out",
        ));
    }
    Ok(Parsed::Run(Box::new(Invocation {
        globals,
        command: cli.command,
        rest,
        faults,
        idle,
    })))
}

/// Tells you when a scheduled job did not run, failed, or never finished.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    help_triggers("-h", "--help"),
    usage = "[FLAGS] COMMAND [ARGUMENTS]",
    example = "pakyas check create --name \"Hourly Sync\" --slug hourly-sync --period 1h\n\
               pakyas monitor hourly-sync -- /opt/scripts/sync.sh"
)]
#[allow(missing_docs, reason = "the doc comments are the help")]
pub struct Cli {
    /// organization: name or id (PAKYAS_ORG)
    #[argh(option, arg_name = "ORG")]
    pub org: Option<String>,
    /// project: name, slug or id (PAKYAS_PROJECT)
    #[argh(option, arg_name = "PROJECT")]
    pub project: Option<String>,
    /// how results are shown (PAKYAS_FORMAT)
    #[argh(option, arg_name = "table|json|ndjson")]
    pub format: Option<String>,
    /// tell on stderr what is sent where, and how it went
    #[argh(switch, short = 'v')]
    pub verbose: bool,
    /// say nothing but what was asked for
    #[argh(switch)]
    pub quiet: bool,
    /// no colours (NO_COLOR)
    #[argh(switch)]
    pub no_color: bool,
    /// address of the API (PAKYAS_API_URL)
    #[argh(option, arg_name = "URL")]
    pub api_url: Option<String>,
    /// where pings go (PAKYAS_PING_URL)
    #[argh(option, arg_name = "URL")]
    pub ping_url: Option<String>,
    /// times in UTC, not in this machine's zone
    #[argh(switch)]
    pub utc: bool,
    /// use the stored key, whatever PAKYAS_API_KEY says
    #[argh(switch)]
    pub ignore_env: bool,
    /// print the version
    #[argh(switch)]
    pub version: bool,
    #[argh(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand)]
#[allow(missing_docs, reason = "each variant is described by its struct")]
pub enum Command {
    Login(Login),
    Logout(Logout),
    Whoami(Whoami),
    Org(Org),
    Project(Project),
    Check(Check),
    Ping(Ping),
    Monitor(Monitor),
    Channel(Channel),
    Maintenance(Maintenance),
    Spool(Spool),
    Auth(Auth),
    ApiKey(ApiKey),
    Completion(Completion),
    Man(Man),
}

/// Log in: in a browser, with a password, or with an API key.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "login",
    help_triggers("-h", "--help"),
    usage = "[--no-browser | --api-key KEY|file:PATH|-]",
    example = "pakyas login\n\
               pakyas login --no-browser --api-url http://127.0.0.1:8080\n\
               pakyas login --api-key pk_live_your_key_here"
)]
pub struct Login {
    /// the key; file:PATH reads it from a file, - from standard input, and neither
    /// shows it in the list of processes
    #[argh(option, arg_name = "KEY|file:PATH")]
    pub api_key: Option<String>,
    /// ask for email and password on this terminal
    #[argh(switch)]
    pub no_browser: bool,
}

/// Forget the key of the organization in use.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "logout",
    help_triggers("-h", "--help"),
    example = "pakyas logout\npakyas logout --org \"Company A\""
)]
pub struct Logout {}

/// Show the user, organization and project in use.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "whoami",
    help_triggers("-h", "--help"),
    example = "pakyas whoami\npakyas whoami --format json"
)]
pub struct Whoami {}

/// List organizations and choose one.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "org",
    help_triggers("-h", "--help"),
    example = "pakyas org list\npakyas org switch \"My Company\""
)]
#[allow(missing_docs, reason = "the field is the subcommand itself")]
pub struct Org {
    #[argh(subcommand)]
    pub command: OrgCommand,
}

/// What to do with organizations.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand)]
#[allow(missing_docs, reason = "each variant is described by its struct")]
pub enum OrgCommand {
    List(OrgList),
    Switch(OrgSwitch),
}

/// List the organizations that your keys open.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "list",
    help_triggers("-h", "--help"),
    example = "pakyas org list\npakyas org list --format json"
)]
pub struct OrgList {}

/// Use another organization from now on.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "switch",
    help_triggers("-h", "--help"),
    usage = "ORG",
    example = "pakyas org switch \"My Company\"\n\
               pakyas org switch 7f0a2b1e-0000-4000-8000-000000000000"
)]
pub struct OrgSwitch {
    /// its name, in any case, or its id
    #[argh(positional, arg_name = "ORG")]
    pub name: String,
}

/// List, create and delete projects, and choose one.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "project",
    help_triggers("-h", "--help"),
    example = "pakyas project list\npakyas project switch Production"
)]
#[allow(missing_docs, reason = "the field is the subcommand itself")]
pub struct Project {
    #[argh(subcommand)]
    pub command: ProjectCommand,
}

/// What to do with projects.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand)]
#[allow(missing_docs, reason = "each variant is described by its struct")]
pub enum ProjectCommand {
    List(ProjectList),
    Create(ProjectCreate),
    Switch(ProjectSwitch),
    Default(ProjectDefault),
    Delete(ProjectDelete),
}

/// List the organization's projects.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "list",
    help_triggers("-h", "--help"),
    example = "pakyas project list\npakyas --org \"Company A\" project list --format json"
)]
pub struct ProjectList {}

/// Create a project.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "create",
    help_triggers("-h", "--help"),
    usage = "NAME [--description TEXT]",
    example = "pakyas project create Staging\n\
               pakyas project create \"CI/CD\" --description \"Builds and releases\""
)]
pub struct ProjectCreate {
    /// its name, 1 to 100 characters
    #[argh(positional, arg_name = "NAME")]
    pub name: String,
    /// what it is for, up to 500 characters
    #[argh(option)]
    pub description: Option<String>,
}

/// Use another project from now on.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "switch",
    help_triggers("-h", "--help"),
    usage = "PROJECT",
    example = "pakyas project switch \"Production\"\npakyas project switch production"
)]
pub struct ProjectSwitch {
    /// its name, in any case, its slug or its id
    #[argh(positional, arg_name = "PROJECT")]
    pub name: String,
}

/// Show the project that commands use when none is named, or set it.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "default",
    help_triggers("-h", "--help"),
    usage = "[NAME] [--clear]",
    example = "pakyas project default\npakyas project default Production"
)]
pub struct ProjectDefault {
    /// its name, in any case, its slug or its id
    #[argh(positional, arg_name = "NAME")]
    pub name: Option<String>,
    /// have none from now on
    #[argh(switch)]
    pub clear: bool,
}

/// Delete a project and its checks.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "delete",
    help_triggers("-h", "--help"),
    usage = "PROJECT [-y]",
    example = "pakyas project delete Staging\npakyas project delete staging -y"
)]
pub struct ProjectDelete {
    /// its name, in any case, its slug or its id
    #[argh(positional, arg_name = "PROJECT")]
    pub name: String,
    /// do not ask
    #[argh(switch, short = 'y')]
    pub yes: bool,
}

mod api_key;
mod auth;
mod check;
mod history;
mod maintenance;
mod shell;
mod signals;
mod spool;

pub use api_key::{ApiKey, ApiKeyCommand, ApiKeyCreate, ApiKeyList, ApiKeyRevoke};
pub use auth::{
    Auth, AuthCommand, AuthKey, AuthKeyCommand, AuthKeyList, AuthKeyRm, AuthKeySet, AuthKeyVerify,
    AuthStatus,
};
pub use check::{
    Check, CheckCommand, CheckCreate, CheckDelete, CheckList, CheckLogs, CheckPause, CheckResume,
    CheckShow, CheckSync, CheckUpdate,
};
pub(super) use help::typed;
pub use help::{help, usage_line};
pub use history::{CheckDoctor, CheckInspect, CheckTail};
pub use maintenance::{
    Maintenance, MaintenanceCommand, MaintenanceCreate, MaintenanceDelete, MaintenanceList,
};
pub(super) use prepare::flag_called;
pub use shell::{Completion, Man};
pub use signals::{
    Channel, ChannelCommand, ChannelCreate, ChannelDelete, ChannelDeliveries, ChannelList,
    ChannelTest, ChannelUpdate, Monitor, Ping,
};
pub use spool::{Spool, SpoolClear, SpoolCommand, SpoolFlush, SpoolList};

#[cfg(test)]
mod tests;
