//! What tells of jobs and what tells people, as it was typed: `ping`, `monitor`, `channel`.

use argh::{ArgsInfo, FromArgs};

/// Tell that a job succeeded, started or failed.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "ping",
    help_triggers("-h", "--help"),
    usage = "SLUG [--start | --fail | --exit-code N] [--message TEXT] [--run ID] [--duration-ms N]",
    example = "pakyas ping db-backup --start\n\
               pakyas ping --public-id \"$PAKYAS_PUBLIC_ID\" --exit-code 3",
    note = "PAKYAS_PUBLIC_ID is used where neither a slug nor --public-id is given."
)]
pub struct Ping {
    /// the check's slug, or its ping URL
    #[argh(positional, arg_name = "SLUG")]
    pub slug: Option<String>,
    /// the check's public id or ping URL, instead of the slug: needs no API key
    #[argh(option)]
    pub public_id: Option<String>,
    /// the job is starting
    #[argh(switch)]
    pub start: bool,
    /// the job failed
    #[argh(switch)]
    pub fail: bool,
    /// the job's exit code, 0 to 255
    #[argh(option)]
    pub exit_code: Option<String>,
    /// kept as the run's output; - reads standard input
    #[argh(option)]
    pub message: Option<String>,
    /// run id, pairs a start with its end
    #[argh(option)]
    pub run: Option<String>,
    /// how long the run took, milliseconds
    #[argh(option)]
    pub duration_ms: Option<String>,
    /// how long to keep trying (default 30s); then the ping is kept, and goes out with a
    /// later pakyas
    #[argh(option)]
    pub ping_timeout: Option<String>,
    /// exit 4 where the ping is only kept
    #[argh(switch)]
    pub strict: bool,
}

/// Run a job and tell how it went; the job notices nothing.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "monitor",
    help_triggers("-h", "--help"),
    usage = "SLUG [FLAGS] -- COMMAND [ARGUMENTS]",
    example = "pakyas monitor db-backup -- pg_dump mydb\n\
               pakyas monitor --public-id \"$PAKYAS_PUBLIC_ID\" --timeout 2h -- make build",
    note = "The exit code is the job's: 128+N where signal N ended it, 127 where it is not found,\n\
            126 where it can't be run, 124 after --timeout. PAKYAS_PUBLIC_ID is used where \n\
            neither a slug nor --public-id is given. A job that leaves a daemon behind which \n\
            goes on writing wants --capture none."
)]
pub struct Monitor {
    /// the check's slug, or its ping URL
    #[argh(positional, arg_name = "SLUG")]
    pub slug: Option<String>,
    /// the check's public id or ping URL, instead of the slug: needs no API key
    #[argh(option)]
    pub public_id: Option<String>,
    /// whose output passes through here to be kept: auto (default), none, stderr or all
    #[argh(option, arg_name = "auto|none|stderr|all")]
    pub capture: Option<String>,
    /// send nothing of what the job writes
    #[argh(switch)]
    pub no_output: bool,
    /// end the job after this long
    #[argh(option)]
    pub timeout: Option<String>,
    /// how long after --timeout's TERM to KILL (default 10s)
    #[argh(option)]
    pub kill_after: Option<String>,
    /// exit 3 where the job succeeded but its end could be neither told nor kept
    #[argh(switch)]
    pub strict: bool,
    /// how long to keep trying after the job's end (default 30s); then the report is kept,
    /// and goes out with a later pakyas
    #[argh(option)]
    pub ping_timeout: Option<String>,
}

/// Choose where alerts go.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "channel",
    help_triggers("-h", "--help"),
    example = "pakyas channel create --kind webhook --name ops --target https://example.com/hook\n\
               pakyas channel test ops"
)]
#[allow(missing_docs, reason = "the field is the subcommand itself")]
pub struct Channel {
    #[argh(subcommand)]
    pub command: ChannelCommand,
}

/// What to do with channels.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand)]
#[allow(missing_docs, reason = "each variant is described by its struct")]
pub enum ChannelCommand {
    Create(ChannelCreate),
    List(ChannelList),
    Update(ChannelUpdate),
    Test(ChannelTest),
    Deliveries(ChannelDeliveries),
    Delete(ChannelDelete),
}

/// Create an alert channel for the organization; with --project or --check, for that one only.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "create",
    help_triggers("-h", "--help"),
    usage = "--kind email|slack|webhook --name NAME --target ADDRESS|URL [--check SLUG] [--secret SECRET]",
    example = "pakyas channel create --kind email --name ops --target ops@example.com\n\
               pakyas channel create --kind webhook --name backups --target https://example.com/hook --check daily-backup --secret file:/run/secrets/hook"
)]
pub struct ChannelCreate {
    /// email, slack (an incoming webhook of Slack) or webhook (signed JSON)
    #[argh(option, arg_name = "webhook|email|slack")]
    pub kind: String,
    /// its name, 1 to 100 characters
    #[argh(option)]
    pub name: String,
    /// an address, or a URL; file:PATH reads it from a file
    #[argh(option)]
    pub target: String,
    /// hear of this check only: its slug or its id
    #[argh(option)]
    pub check: Option<String>,
    /// signs the deliveries of a webhook; file:PATH reads it from a file
    #[argh(option, arg_name = "SECRET|file:PATH")]
    pub secret: Option<String>,
}

/// List the organization's alert channels.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "list",
    help_triggers("-h", "--help"),
    example = "pakyas channel list\npakyas channel list --format json"
)]
pub struct ChannelList {}

/// Change an alert channel: only what is given changes.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "update",
    help_triggers("-h", "--help"),
    usage = "NAME [--name NAME] [--target ADDRESS|URL] [--secret SECRET] [--enable|--disable]",
    example = "pakyas channel update ops --target https://example.com/new-hook\n\
               pakyas channel update ops --disable"
)]
pub struct ChannelUpdate {
    /// its name, in any case, or its id
    #[argh(positional, arg_name = "NAME")]
    pub channel: String,
    /// another name
    #[argh(option)]
    pub name: Option<String>,
    /// another address or URL; file:PATH reads it from a file
    #[argh(option)]
    pub target: Option<String>,
    /// another secret of a webhook; file:PATH reads it from a file, '' ends the signing
    #[argh(option)]
    pub secret: Option<String>,
    /// let it hear of alerts again; what waited for it goes out
    #[argh(switch)]
    pub enable: bool,
    /// let it hear of nothing
    #[argh(switch)]
    pub disable: bool,
}

/// Show what became of the alerts for a channel, newest first.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "deliveries",
    help_triggers("-h", "--help"),
    usage = "NAME [--limit N]",
    example = "pakyas channel deliveries ops\n\
               pakyas channel deliveries ops --limit 100 --format ndjson"
)]
pub struct ChannelDeliveries {
    /// its name, in any case, or its id
    #[argh(positional, arg_name = "NAME")]
    pub name: String,
    /// how many, up to 1000 (default 20)
    #[argh(option)]
    pub limit: Option<String>,
}

/// Send a test alert, and show what the target answered.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "test",
    help_triggers("-h", "--help"),
    usage = "NAME",
    example = "pakyas channel test ops\npakyas channel test ops --format json"
)]
pub struct ChannelTest {
    /// its name, in any case, or its id
    #[argh(positional, arg_name = "NAME")]
    pub name: String,
}

/// Delete an alert channel: it hears of nothing more.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "delete",
    help_triggers("-h", "--help"),
    usage = "NAME [-y]",
    example = "pakyas channel delete ops\npakyas channel delete ops -y"
)]
pub struct ChannelDelete {
    /// its name, in any case, or its id
    #[argh(positional, arg_name = "NAME")]
    pub name: String,
    /// do not ask
    #[argh(switch, short = 'y')]
    pub yes: bool,
}
