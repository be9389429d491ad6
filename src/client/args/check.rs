//! `pakyas check …` as it was typed.

use argh::{ArgsInfo, FromArgs};

/// Create, list and look at checks.
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
    Sync(CheckSync),
}

/// Create a check in the selected project.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "create",
    help_triggers("-h", "--help"),
    usage = "[SLUG] --period DURATION [--name NAME] [--slug SLUG] [--grace DURATION]",
    example = "pakyas check create --name \"Hourly Sync\" --slug hourly-sync --period 3600 --grace 300\n\
               pakyas check create db-backup --period 1d --grace \"1h 30m\"",
    note = "A missing slug comes from the name, a missing name from the slug. Without --grace \n\
            it is a tenth of the period, from 30 s to 1 h."
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
    /// how late it may be before you are alerted
    #[argh(option)]
    pub grace: Option<String>,
}

/// List the project's checks.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "list",
    help_triggers("-h", "--help"),
    example = "pakyas check list\npakyas check list --project Staging --format json"
)]
pub struct CheckList {}

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
    /// its slug, id or public id
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
    /// its slug, id or public id
    #[argh(positional, arg_name = "SLUG")]
    pub slug: String,
    /// how many pings, 1 to 1000 (default 20)
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
