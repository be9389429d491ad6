//! The flags of `pakyas spool …`, as typed. The doc comments are the texts of `--help`.

use argh::{ArgsInfo, FromArgs};

/// See and send the pings that could not be delivered yet.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "spool",
    help_triggers("-h", "--help"),
    example = "pakyas spool list\npakyas spool flush"
)]
#[allow(missing_docs, reason = "the field is the subcommand itself")]
pub struct Spool {
    #[argh(subcommand)]
    pub command: SpoolCommand,
}

/// What to do with what is kept.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand)]
#[allow(missing_docs, reason = "each variant is described by its struct")]
pub enum SpoolCommand {
    List(SpoolList),
    Flush(SpoolFlush),
    Clear(SpoolClear),
}

/// List the pings that are kept, oldest first.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "list",
    help_triggers("-h", "--help"),
    example = "pakyas spool list\npakyas spool list --format json"
)]
pub struct SpoolList {}

/// Send now what is kept; exits 4 where something is left.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "flush",
    help_triggers("-h", "--help"),
    example = "pakyas spool flush\npakyas spool flush --verbose"
)]
pub struct SpoolFlush {}

/// Throw away what is kept: those runs are never reported.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "clear",
    help_triggers("-h", "--help"),
    usage = "[-y]",
    example = "pakyas spool clear\npakyas spool clear -y --format json"
)]
pub struct SpoolClear {
    /// do not ask
    #[argh(switch, short = 'y')]
    pub yes: bool,
}
