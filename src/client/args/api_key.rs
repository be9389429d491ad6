//! The flags of `pakyas api-key …`, as typed. The doc comments are the texts of `--help`.

use argh::{ArgsInfo, FromArgs};

/// The organization's API keys: list, create and revoke them.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "api-key",
    help_triggers("-h", "--help"),
    example = "pakyas api-key list\npakyas api-key create deploy --scopes read,write --expires 90d"
)]
#[allow(missing_docs, reason = "the field is the subcommand itself")]
pub struct ApiKey {
    #[argh(subcommand)]
    pub command: ApiKeyCommand,
}

/// What to do with API keys.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand)]
#[allow(missing_docs, reason = "each variant is described by its struct")]
pub enum ApiKeyCommand {
    List(ApiKeyList),
    Create(ApiKeyCreate),
    Revoke(ApiKeyRevoke),
}

/// List the organization's API keys: what each begins with, may do, and when it was used.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "list",
    help_triggers("-h", "--help"),
    example = "pakyas api-key list\npakyas api-key list --format json"
)]
pub struct ApiKeyList {}

/// Create an API key and show it, this once; with --quiet nothing but the key.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "create",
    help_triggers("-h", "--help"),
    usage = "NAME [--scopes read,write,manage] [--expires DURATION]",
    example = "pakyas api-key create deploy --scopes read,write --expires 90d\n\
               pakyas api-key create web-1 --quiet"
)]
pub struct ApiKeyCreate {
    /// its name, 1 to 100 characters
    #[argh(positional, arg_name = "NAME")]
    pub name: String,
    /// what it may do, of read, write and manage (default read,write)
    #[argh(option)]
    pub scopes: Option<String>,
    /// when it ends, in whole days, as 90d or 90 (default: never)
    #[argh(option)]
    pub expires: Option<String>,
}

/// Revoke an API key: whoever uses it is refused from then on.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "revoke",
    help_triggers("-h", "--help"),
    usage = "NAME [-y]",
    example = "pakyas api-key revoke deploy\npakyas api-key revoke pk_live_1a2b -y"
)]
pub struct ApiKeyRevoke {
    /// its name, what it begins with, or its id
    #[argh(positional, arg_name = "NAME")]
    pub name: String,
    /// do not ask
    #[argh(switch, short = 'y')]
    pub yes: bool,
}
