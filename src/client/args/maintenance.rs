//! The flags of `pakyas maintenance …`, as typed. The doc comments are the texts of `--help`.

use argh::{ArgsInfo, FromArgs};

/// Plan times in which nobody is alerted.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "maintenance",
    help_triggers("-h", "--help"),
    example = "pakyas maintenance create --reason \"Database move\" --starts now --for 2h\n\
               pakyas maintenance list"
)]
#[allow(missing_docs, reason = "the field is the subcommand itself")]
pub struct Maintenance {
    #[argh(subcommand)]
    pub command: MaintenanceCommand,
}

/// What to do with maintenance windows.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand)]
#[allow(missing_docs, reason = "each variant is described by its struct")]
pub enum MaintenanceCommand {
    Create(MaintenanceCreate),
    List(MaintenanceList),
    Delete(MaintenanceDelete),
}

/// Plan a maintenance window for the organization; with --project or --check, for that only.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "create",
    help_triggers("-h", "--help"),
    usage = "--reason TEXT --starts WHEN --ends WHEN | --for DURATION [--check SLUG]",
    example = "pakyas maintenance create --reason \"Database move\" --starts now --for 2h\n\
               pakyas maintenance create --reason Upgrade --starts 2026-12-01T22:00+08:00 \
               --ends 2026-12-02T02:00+08:00 --check db-backup",
    note = "WHEN is 'now', or a date and a time with the zone that they are in: an offset such as\n\
            +08:00, or Z for UTC. States move on in a window and alerts are held; what is still\n\
            wrong when it ends alerts then."
)]
pub struct MaintenanceCreate {
    /// what for, up to 500 characters
    #[argh(option)]
    pub reason: String,
    /// when alerts begin to be held
    #[argh(option)]
    pub starts: String,
    /// when they are held no longer
    #[argh(option)]
    pub ends: Option<String>,
    /// or how long they are held: 30m, 2h, "1h 30m"
    #[argh(option, long = "for")]
    pub lasts: Option<String>,
    /// hold the alerts of this check only: its slug, id, public id or ping URL
    #[argh(option)]
    pub check: Option<String>,
}

/// List the organization's maintenance windows.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "list",
    help_triggers("-h", "--help"),
    example = "pakyas maintenance list\npakyas maintenance list --format json"
)]
pub struct MaintenanceList {}

/// Delete a maintenance window; one that is running ends at once.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "delete",
    help_triggers("-h", "--help"),
    usage = "ID [-y]",
    example = "pakyas maintenance delete 7f0a2b1e-0000-4000-8000-000000000000\n\
               pakyas maintenance delete 7f0a2b1e-0000-4000-8000-000000000000 -y"
)]
pub struct MaintenanceDelete {
    /// its id, as 'pakyas maintenance list' shows it
    #[argh(positional, arg_name = "ID")]
    pub id: String,
    /// do not ask
    #[argh(switch, short = 'y')]
    pub yes: bool,
}
