//! The flags of `pakyas auth …`, as typed. The doc comments are the texts of `--help`.

use argh::{ArgsInfo, FromArgs};

/// See who is logged in, and with which keys.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "auth",
    help_triggers("-h", "--help"),
    example = "pakyas auth status\npakyas auth key list"
)]
#[allow(missing_docs, reason = "the field is the subcommand itself")]
pub struct Auth {
    #[argh(subcommand)]
    pub command: AuthCommand,
}

/// What to look at.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand)]
#[allow(missing_docs, reason = "each variant is described by its struct")]
pub enum AuthCommand {
    Status(AuthStatus),
    Key(AuthKey),
}

/// Show who is logged in where, with which key, and whether it works.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "status",
    help_triggers("-h", "--help"),
    example = "pakyas auth status\npakyas auth status --org \"Company A\" --format json"
)]
pub struct AuthStatus {}

/// The keys on this machine, one for each organization.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "key",
    help_triggers("-h", "--help"),
    example = "pakyas auth key list\npakyas auth key verify"
)]
#[allow(missing_docs, reason = "the field is the subcommand itself")]
pub struct AuthKey {
    #[argh(subcommand)]
    pub command: AuthKeyCommand,
}

/// What to do with the keys on this machine.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand)]
#[allow(missing_docs, reason = "each variant is described by its struct")]
pub enum AuthKeyCommand {
    List(AuthKeyList),
    Set(AuthKeySet),
    Verify(AuthKeyVerify),
    Rm(AuthKeyRm),
}

/// List the keys that are kept on this machine, without showing them.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "list",
    help_triggers("-h", "--help"),
    example = "pakyas auth key list\npakyas auth key list --format json"
)]
pub struct AuthKeyList {}

/// Keep a key for its organization; the one in use stays in use.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "set",
    help_triggers("-h", "--help"),
    usage = "[KEY|file:PATH] [--org NAME]",
    example = "pakyas auth key set file:/run/secrets/pakyas\n\
               pakyas auth key set --org \"Company A\""
)]
pub struct AuthKeySet {
    /// the key, or file:PATH to read it from a file; without it, it is asked for on the
    /// terminal or read from standard input, and none of these shows it in the list of
    /// processes
    #[argh(positional, arg_name = "KEY")]
    pub key: Option<String>,
}

/// Ask the server whether the keys on this machine work; exits 5 where one does not.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "verify",
    help_triggers("-h", "--help"),
    example = "pakyas auth key verify\npakyas auth key verify --org \"Company A\""
)]
pub struct AuthKeyVerify {}

/// Forget the key of the organization in use, or of --org; it stays good elsewhere.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "rm",
    help_triggers("-h", "--help"),
    usage = "[--org NAME] [--legacy]",
    example = "pakyas auth key rm\npakyas auth key rm --org \"Company A\""
)]
pub struct AuthKeyRm {
    /// forget the key that the official client kept before it had one for each organization
    #[argh(switch)]
    pub legacy: bool,
}
