//! `pakyas check inspect`, `doctor` and `tail` as they were typed.

use argh::{ArgsInfo, FromArgs};

/// Show what a check is now, and the figures of its last day.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "inspect",
    help_triggers("-h", "--help"),
    usage = "SLUG",
    example = "pakyas check inspect db-backup\n\
               pakyas check inspect db-backup --format json | jq .stats"
)]
pub struct CheckInspect {
    /// its slug, id, public id or ping URL
    #[argh(positional, arg_name = "SLUG")]
    pub check: String,
}

/// Find out what is wrong with a check, and what mends it.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "doctor",
    help_triggers("-h", "--help"),
    usage = "SLUG [--deep] [--fail-on error|warning|info|never]",
    example = "pakyas check doctor db-backup\n\
               pakyas check doctor db-backup --deep --fail-on warning",
    note = "Exits with 1 where a finding is at least as severe as --fail-on says."
)]
pub struct CheckDoctor {
    /// its slug, id, public id or ping URL
    #[argh(positional, arg_name = "SLUG")]
    pub check: String,
    /// look at the newest 5,000 pings instead of 300
    #[argh(switch)]
    pub deep: bool,
    /// exit with 1 from this severity on: error (default), warning, info, or never
    #[argh(option)]
    pub fail_on: Option<String>,
}

/// Show what happened to a check, or to all of the project: runs, changes of status, alerts.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "tail",
    help_triggers("-h", "--help"),
    usage = "[SLUG] [-f] [--since TIME] [--types LIST] [--limit N]",
    example = "pakyas check tail db-backup --since 2d\n\
               pakyas check tail -f --types state,alert",
    note = "Without --since, the last 20 events, or as many as --limit says. With -f it ends at \n\
            Ctrl-C."
)]
pub struct CheckTail {
    /// its slug, id, public id or ping URL; without it, every check of the project
    #[argh(positional, arg_name = "SLUG")]
    pub check: Option<String>,
    /// go on with what happens from now on
    #[argh(switch, short = 'f')]
    pub follow: bool,
    /// how far back: 30m, 2d, or a time like 2026-01-02T03:04:05Z
    #[argh(option)]
    pub since: Option<String>,
    /// only these, separated by commas: signal (runs), state, alert
    #[argh(option)]
    pub types: Option<String>,
    /// how many of the newest events at most to begin with, 1 to 10000
    #[argh(option)]
    pub limit: Option<String>,
}
