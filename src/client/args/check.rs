//! `pakyas check …` as it was typed.

use argh::{ArgsInfo, FromArgs};

use super::history::{CheckDoctor, CheckInspect, CheckTail};

/// Create, change and look at checks.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "check",
    help_triggers("-h", "--help"),
    example = "pakyas check create --name \"Daily Backup\" --period 1d\npakyas check list"
)]
#[allow(missing_docs, reason = "the field is the subcommand itself")]
pub struct Check {
    #[argh(subcommand)]
    pub command: CheckCommand,
}

/// What to do with checks.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand)]
#[allow(missing_docs, reason = "each variant is described by its struct")]
pub enum CheckCommand {
    Create(CheckCreate),
    List(CheckList),
    Show(CheckShow),
    Logs(CheckLogs),
    Update(CheckUpdate),
    Pause(CheckPause),
    Resume(CheckResume),
    Delete(CheckDelete),
    Sync(CheckSync),
    Inspect(CheckInspect),
    Doctor(CheckDoctor),
    Tail(CheckTail),
}

/// Create a check in the selected project.
#[derive(Debug, Default, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "create",
    help_triggers("-h", "--help"),
    usage = "[SLUG] [--name NAME] --period DURATION|--cron EXPRESSION [--grace DURATION] [FLAGS]",
    example = "pakyas check create --name \"Hourly Sync\" --slug hourly-sync --period 3600 --grace 300\n\
               pakyas check create db-backup --cron \"0 2 * * *\" --tz Asia/Manila --missing-after 30m",
    note = "A missing slug comes from the name, a missing name from the slug. Without --grace \n\
            it is a tenth of the time between two runs, from 30 s to 1 h. With --quiet only \n\
            the ping URL is printed."
)]
pub struct CheckCreate {
    /// the same as --slug
    #[argh(positional, arg_name = "SLUG")]
    pub positional_slug: Option<String>,
    /// name for people, 1 to 100 characters
    #[argh(option)]
    pub name: Option<String>,
    /// name for commands: a-z, 0-9 and -, up to 100 characters
    #[argh(option)]
    pub slug: Option<String>,
    /// how often the job runs: seconds (3600), or 5m, "1h 30m", "2 days"
    #[argh(option)]
    pub period: Option<String>,
    /// the same as --period
    #[argh(option)]
    pub every: Option<String>,
    /// when the job runs, instead: "0 2 * * *", @daily
    #[argh(option)]
    pub cron: Option<String>,
    /// the time zone of --cron, by IANA name (default: the organization's)
    #[argh(option)]
    pub tz: Option<String>,
    /// how late it may be before you are alerted
    #[argh(option)]
    pub grace: Option<String>,
    /// the same as --grace
    #[argh(option)]
    pub missing_after: Option<String>,
    /// what it is for, up to 500 characters
    #[argh(option)]
    pub description: Option<String>,
    /// to group checks by, separated by commas
    #[argh(option)]
    pub tags: Option<String>,
    /// how long a run may take before you are alerted
    #[argh(option)]
    pub max_runtime: Option<String>,
    /// alert after so many missed runs in a row (default 1)
    #[argh(option)]
    pub alert_after_miss_pings: Option<String>,
    /// alert after so many failures in a row (default 1)
    #[argh(option)]
    pub alert_after_fail_pings: Option<String>,
    /// show what would be created, and create nothing
    #[argh(switch)]
    pub dry_run: bool,
    /// ask for what is not given
    #[argh(switch, short = 'i')]
    pub interactive: bool,
}

/// Change a check: only what is given.
#[derive(Debug, Default, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "update",
    help_triggers("-h", "--help"),
    usage = "SLUG [FLAGS]",
    example = "pakyas check update long-job --grace 30m\n\
               pakyas check update db-backup --cron \"30 2 * * *\" --max-runtime 2h"
)]
pub struct CheckUpdate {
    /// its slug, id, public id or ping URL
    #[argh(positional, arg_name = "SLUG")]
    pub check: String,
    /// another name for people
    #[argh(option)]
    pub name: Option<String>,
    /// another name for commands
    #[argh(option)]
    pub slug: Option<String>,
    /// how often the job runs
    #[argh(option)]
    pub period: Option<String>,
    /// the same as --period
    #[argh(option)]
    pub every: Option<String>,
    /// when the job runs, instead: "0 2 * * *", @daily
    #[argh(option)]
    pub cron: Option<String>,
    /// the time zone of a cron expression; an empty one clears it
    #[argh(option)]
    pub tz: Option<String>,
    /// how late it may be before you are alerted
    #[argh(option)]
    pub grace: Option<String>,
    /// the same as --grace
    #[argh(option)]
    pub missing_after: Option<String>,
    /// what it is for; an empty one clears it
    #[argh(option)]
    pub description: Option<String>,
    /// instead of its tags, separated by commas; an empty one clears them
    #[argh(option)]
    pub tags: Option<String>,
    /// how long a run may take before you are alerted
    #[argh(option)]
    pub max_runtime: Option<String>,
    /// alert after so many missed runs in a row
    #[argh(option)]
    pub alert_after_miss_pings: Option<String>,
    /// alert after so many failures in a row
    #[argh(option)]
    pub alert_after_fail_pings: Option<String>,
}

/// Expect nothing and alert nobody, until the check is resumed.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "pause",
    help_triggers("-h", "--help"),
    usage = "SLUG",
    example = "pakyas check pause my-job\npakyas check pause my-job --project Staging"
)]
pub struct CheckPause {
    /// its slug, id, public id or ping URL
    #[argh(positional, arg_name = "SLUG")]
    pub check: String,
}

/// Watch a paused check again, from now on.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "resume",
    help_triggers("-h", "--help"),
    usage = "SLUG",
    example = "pakyas check resume my-job\npakyas check resume my-job --project Staging"
)]
pub struct CheckResume {
    /// its slug, id, public id or ping URL
    #[argh(positional, arg_name = "SLUG")]
    pub check: String,
}

/// Delete a check: its pings are unknown from then on.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "delete",
    help_triggers("-h", "--help"),
    usage = "SLUG [-y]",
    example = "pakyas check delete old-job\npakyas check delete old-job -y"
)]
pub struct CheckDelete {
    /// its slug, id, public id or ping URL
    #[argh(positional, arg_name = "SLUG")]
    pub check: String,
    /// do not ask
    #[argh(switch, short = 'y')]
    pub yes: bool,
}

/// List the project's checks.
#[derive(Debug, Default, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "list",
    help_triggers("-h", "--help"),
    usage = "[--all] [--status STATUS] [--tag TAG]",
    example = "pakyas check list --project Staging --format json\n\
               pakyas check list --all --status down,late"
)]
pub struct CheckList {
    /// those of every project of the organization
    #[argh(switch)]
    pub all: bool,
    /// only those with this status; several with commas, or given again
    #[argh(option, arg_name = "new|up|late|down|overrunning|paused")]
    pub status: Vec<String>,
    /// only those with this tag; of several, with any of them
    #[argh(option)]
    pub tag: Vec<String>,
}

/// Show one check.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "show",
    help_triggers("-h", "--help"),
    usage = "SLUG",
    example = "pakyas check show hourly-sync\n\
               pakyas check show hourly-sync --format json | jq -r .public_id"
)]
pub struct CheckShow {
    /// its slug, id, public id or ping URL
    #[argh(positional, arg_name = "SLUG")]
    pub slug: String,
}

/// Show a check's pings, newest first, or what a run wrote.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "logs",
    help_triggers("-h", "--help"),
    usage = "SLUG [--limit N] [--output PING]",
    example = "pakyas check logs db-backup --limit 50\n\
               pakyas check logs db-backup --output last"
)]
pub struct CheckLogs {
    /// its slug, id, public id or ping URL
    #[argh(positional, arg_name = "SLUG")]
    pub slug: String,
    /// how many pings, 1 to 10000 (default 20)
    #[argh(option)]
    pub limit: Option<String>,
    /// print what that run wrote: an id from the OUTPUT column, or last
    #[argh(option)]
    pub output: Option<String>,
}

/// Fetch the checks again, so that pings find the slugs of today.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "sync",
    help_triggers("-h", "--help"),
    example = "pakyas check sync\npakyas --org \"Company A\" check sync"
)]
pub struct CheckSync {}
