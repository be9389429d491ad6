//! The flags of `user`, `org` and `key` as typed, and what they come to.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::values::{email, name};
use crate::server::store::accounts::Role;
use crate::wire::account::{EXPIRES_MAX_DAYS, SCOPES};

/// Add, list and remove people, and set their passwords; also while the server is running.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "user",
    help_triggers("-h", "--help"),
    example = "{command_name} add me@example.com --role admin",
    example = "{command_name} passwd me@example.com"
)]
pub(super) struct UserArgs {
    #[argh(subcommand)]
    command: UserCommand,
}

#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(subcommand)]
enum UserCommand {
    Add(UserAddArgs),
    List(UserListArgs),
    Passwd(UserPasswdArgs),
    Remove(UserRemoveArgs),
}

/// Add a person to an organization, or change what they are there.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "add",
    help_triggers("-h", "--help"),
    example = "{command_name} me@example.com --role admin",
    example = "{command_name} ops@example.com --org Acme --role read-only --password-file /run/secrets/password",
    note = "The password is asked for on the terminal where no file holds it. Who is known already\n  keeps theirs."
)]
struct UserAddArgs {
    /// the person's email address
    #[argh(positional, arg_name = "email")]
    email: String,
    /// the organization, by name or id (default: the only one)
    #[argh(option, arg_name = "name")]
    org: Option<String>,
    /// owner, admin, member or read-only (default member, for who is new there)
    #[argh(option, arg_name = "role")]
    role: Option<String>,
    /// how they want to be called
    #[argh(option, arg_name = "name")]
    name: Option<String>,
    /// a file that holds the password, - is stdin
    #[argh(option, arg_name = "file")]
    password_file: Option<String>,
    /// where everything is kept, as without a command
    #[argh(option, arg_name = "dir")]
    data_dir: Option<PathBuf>,
    /// text or json
    #[argh(option, arg_name = "format", default = "String::from(\"text\")")]
    format: String,
}

/// List the people and what they are in which organization.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "list",
    help_triggers("-h", "--help"),
    example = "{command_name}",
    example = "{command_name} --org Acme --format json"
)]
struct UserListArgs {
    /// only those of this organization, by name or id
    #[argh(option, arg_name = "name")]
    org: Option<String>,
    /// where everything is kept, as without a command
    #[argh(option, arg_name = "dir")]
    data_dir: Option<PathBuf>,
    /// text or json
    #[argh(option, arg_name = "format", default = "String::from(\"text\")")]
    format: String,
}

/// Set a person's password; whoever is signed in with the old one is signed out.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "passwd",
    help_triggers("-h", "--help"),
    example = "{command_name} me@example.com",
    example = "{command_name} me@example.com --password-file /run/secrets/password"
)]
struct UserPasswdArgs {
    /// the person's email address
    #[argh(positional, arg_name = "email")]
    email: String,
    /// a file that holds the password, - is stdin
    #[argh(option, arg_name = "file")]
    password_file: Option<String>,
    /// where everything is kept, as without a command
    #[argh(option, arg_name = "dir")]
    data_dir: Option<PathBuf>,
    /// text or json
    #[argh(option, arg_name = "format", default = "String::from(\"text\")")]
    format: String,
}

/// Remove a person; the API keys in their name are revoked.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "remove",
    help_triggers("-h", "--help"),
    example = "{command_name} me@example.com",
    example = "{command_name} me@example.com --org Acme"
)]
struct UserRemoveArgs {
    /// the person's email address
    #[argh(positional, arg_name = "email")]
    email: String,
    /// from this organization only, by name or id
    #[argh(option, arg_name = "name")]
    org: Option<String>,
    /// where everything is kept, as without a command
    #[argh(option, arg_name = "dir")]
    data_dir: Option<PathBuf>,
    /// text or json
    #[argh(option, arg_name = "format", default = "String::from(\"text\")")]
    format: String,
}

/// Add and list organizations; also while the server is running.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "org",
    help_triggers("-h", "--help"),
    example = "{command_name} list",
    example = "{command_name} add Acme --owner me@example.com"
)]
pub(super) struct OrgArgs {
    #[argh(subcommand)]
    command: OrgCommand,
}

#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(subcommand)]
enum OrgCommand {
    Add(OrgAddArgs),
    List(OrgListArgs),
}

/// Add an organization, with an owner and a first project.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "add",
    help_triggers("-h", "--help"),
    example = "{command_name} Acme --owner me@example.com",
    example = "{command_name} 'Company B' --owner me@example.com --project Staging --format json"
)]
struct OrgAddArgs {
    /// its name
    #[argh(positional, arg_name = "name")]
    name: String,
    /// the email address of its owner, who is known already
    #[argh(option, arg_name = "email")]
    owner: String,
    /// its first project's name (default Production)
    #[argh(option, arg_name = "name", default = "String::from(\"Production\")")]
    project: String,
    /// where everything is kept, as without a command
    #[argh(option, arg_name = "dir")]
    data_dir: Option<PathBuf>,
    /// text or json
    #[argh(option, arg_name = "format", default = "String::from(\"text\")")]
    format: String,
}

/// List the organizations.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "list",
    help_triggers("-h", "--help"),
    example = "{command_name}",
    example = "{command_name} --format json"
)]
struct OrgListArgs {
    /// where everything is kept, as without a command
    #[argh(option, arg_name = "dir")]
    data_dir: Option<PathBuf>,
    /// text or json
    #[argh(option, arg_name = "format", default = "String::from(\"text\")")]
    format: String,
}

/// Create, list and revoke API keys; also while the server is running.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "key",
    help_triggers("-h", "--help"),
    example = "{command_name} create web-1 --scopes read,write",
    example = "{command_name} list"
)]
pub(super) struct KeyArgs {
    #[argh(subcommand)]
    command: KeyCommand,
}

#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(subcommand)]
enum KeyCommand {
    Create(KeyCreateArgs),
    List(KeyListArgs),
    Revoke(KeyRevokeArgs),
}

/// Create an API key and print it, this once.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "create",
    help_triggers("-h", "--help"),
    example = "{command_name} web-1",
    example = "{command_name} deploy --org Acme --user me@example.com --scopes read,write --expires 90d"
)]
struct KeyCreateArgs {
    /// its name
    #[argh(positional, arg_name = "name")]
    name: String,
    /// the organization, by name or id (default: the only one)
    #[argh(option, arg_name = "name")]
    org: Option<String>,
    /// in whose name (default: an owner's)
    #[argh(option, arg_name = "email")]
    user: Option<String>,
    /// what it may do, of read, write and manage (default: all that this person may)
    #[argh(option, arg_name = "list")]
    scopes: Option<String>,
    /// after how many days it ends, as 90d (default: never)
    #[argh(option, arg_name = "days")]
    expires: Option<String>,
    /// where everything is kept, as without a command
    #[argh(option, arg_name = "dir")]
    data_dir: Option<PathBuf>,
    /// text or json
    #[argh(option, arg_name = "format", default = "String::from(\"text\")")]
    format: String,
}

/// List the API keys: what they begin with, what they may do, when they were last used.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "list",
    help_triggers("-h", "--help"),
    example = "{command_name}",
    example = "{command_name} --org Acme --format json"
)]
struct KeyListArgs {
    /// only those of this organization, by name or id
    #[argh(option, arg_name = "name")]
    org: Option<String>,
    /// where everything is kept, as without a command
    #[argh(option, arg_name = "dir")]
    data_dir: Option<PathBuf>,
    /// text or json
    #[argh(option, arg_name = "format", default = "String::from(\"text\")")]
    format: String,
}

/// Revoke an API key: the next request with it is refused.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "revoke",
    help_triggers("-h", "--help"),
    example = "{command_name} web-1",
    example = "{command_name} 550e8400-e29b-41d4-a716-446655440000"
)]
struct KeyRevokeArgs {
    /// its name, its id, or what it begins with
    #[argh(positional, arg_name = "key")]
    key: String,
    /// only one of this organization, by name or id
    #[argh(option, arg_name = "name")]
    org: Option<String>,
    /// where everything is kept, as without a command
    #[argh(option, arg_name = "dir")]
    data_dir: Option<PathBuf>,
    /// text or json
    #[argh(option, arg_name = "format", default = "String::from(\"text\")")]
    format: String,
}

/// What a command about accounts needs besides its own.
#[derive(Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Whether to print JSON.
    pub json: bool,
    /// The command.
    pub task: Task,
}

/// A command about accounts, its values settled. Organizations are names or ids.
#[derive(Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the flags above")]
pub enum Task {
    UserAdd {
        email: String,
        org: Option<String>,
        role: Option<Role>,
        name: Option<String>,
        password_file: Option<String>,
    },
    UserList {
        org: Option<String>,
    },
    UserPasswd {
        email: String,
        password_file: Option<String>,
    },
    UserRemove {
        email: String,
        org: Option<String>,
    },
    OrgAdd {
        name: String,
        owner: String,
        project: String,
    },
    OrgList,
    KeyCreate {
        name: String,
        org: Option<String>,
        user: Option<String>,
        scopes: Option<Vec<String>>,
        expires_in_days: Option<i64>,
    },
    KeyList {
        org: Option<String>,
    },
    KeyRevoke {
        key: String,
        org: Option<String>,
    },
}

/// A command, the directory that was typed after it, and the format.
pub(super) type Typed = (Task, Option<PathBuf>, String);

impl UserArgs {
    pub fn settle(self) -> Result<Typed, String> {
        Ok(match self.command {
            UserCommand::Add(typed) => (
                Task::UserAdd {
                    email: email(&typed.email)?,
                    org: typed.org,
                    role: typed.role.map(|text| role(&text)).transpose()?,
                    name: typed.name.map(|text| name("--name", &text)).transpose()?,
                    password_file: typed.password_file,
                },
                typed.data_dir,
                typed.format,
            ),
            UserCommand::List(typed) => (
                Task::UserList { org: typed.org },
                typed.data_dir,
                typed.format,
            ),
            UserCommand::Passwd(typed) => (
                Task::UserPasswd {
                    email: email(&typed.email)?,
                    password_file: typed.password_file,
                },
                typed.data_dir,
                typed.format,
            ),
            UserCommand::Remove(typed) => (
                Task::UserRemove {
                    email: email(&typed.email)?,
                    org: typed.org,
                },
                typed.data_dir,
                typed.format,
            ),
        })
    }
}

impl OrgArgs {
    pub fn settle(self) -> Result<Typed, String> {
        Ok(match self.command {
            OrgCommand::Add(typed) => (
                Task::OrgAdd {
                    name: name("an organization's name", &typed.name)?,
                    owner: email(&typed.owner)?,
                    project: name("--project", &typed.project)?,
                },
                typed.data_dir,
                typed.format,
            ),
            OrgCommand::List(typed) => (Task::OrgList, typed.data_dir, typed.format),
        })
    }
}

impl KeyArgs {
    pub fn settle(self) -> Result<Typed, String> {
        Ok(match self.command {
            KeyCommand::Create(typed) => (
                Task::KeyCreate {
                    name: name("a key's name", &typed.name)?,
                    org: typed.org,
                    user: typed.user.map(|text| email(&text)).transpose()?,
                    scopes: typed.scopes.map(|text| scopes(&text)).transpose()?,
                    expires_in_days: typed.expires.map(|text| days(&text)).transpose()?,
                },
                typed.data_dir,
                typed.format,
            ),
            KeyCommand::List(typed) => (
                Task::KeyList { org: typed.org },
                typed.data_dir,
                typed.format,
            ),
            KeyCommand::Revoke(typed) => (
                Task::KeyRevoke {
                    key: typed.key,
                    org: typed.org,
                },
                typed.data_dir,
                typed.format,
            ),
        })
    }
}

fn role(text: &str) -> Result<Role, String> {
    Role::named(text)
        .ok_or_else(|| format!("--role is owner, admin, member or read-only, not '{text}'"))
}

/// A list such as `read,write`, each once and in the usual order.
fn scopes(text: &str) -> Result<Vec<String>, String> {
    let asked: Vec<&str> = text.split(',').map(str::trim).collect();
    if let Some(unknown) = asked.iter().find(|scope| !SCOPES.contains(scope)) {
        return Err(format!(
            "--scopes takes read, write and manage, not '{unknown}'"
        ));
    }
    let in_order = SCOPES.iter().filter(|scope| asked.contains(scope));
    Ok(in_order.map(|&scope| scope.to_owned()).collect())
}

fn days(text: &str) -> Result<i64, String> {
    text.trim_end_matches('d')
        .parse()
        .ok()
        .filter(|days| (1..=EXPIRES_MAX_DAYS).contains(days))
        .ok_or_else(|| {
            format!("--expires takes a number of days from 1d to {EXPIRES_MAX_DAYS}d, not '{text}'")
        })
}
