//! The commands that look at what serving would be: they take its flags, and none of their own.

use argh::{ArgsInfo, FromArgs};

/// Say everything that serving with these flags would refuse; exit with 1 if there is anything.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "check-config",
    help_triggers("-h", "--help"),
    note = "It takes the flags of 'pakyas-server --help'."
)]
pub(super) struct CheckConfigArgs {}

/// Ask the server on this machine whether it is well; exit with 0 if it is.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "healthcheck",
    help_triggers("-h", "--help"),
    note = "It takes the flags of 'pakyas-server --help', as they are given to the server."
)]
pub(super) struct HealthcheckArgs {}
