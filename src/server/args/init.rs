//! `pakyas-server init`.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::values;

/// Create the first organization with a project and an API key, and print their ids and the key.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "init",
    help_triggers("-h", "--help"),
    example = "{command_name} --org 'My Company' --project Production --email me@example.com",
    example = "{command_name} --org Acme --project Production --email me@example.com --password-file /run/secrets/password --format json"
)]
pub(super) struct InitArgs {
    /// the organization's name
    #[argh(option, arg_name = "name")]
    org: String,

    /// the first project's name
    #[argh(option, arg_name = "name")]
    project: String,

    /// the owner's email address
    #[argh(option, arg_name = "address")]
    email: String,

    /// a file that holds the owner's password, - is stdin
    #[argh(option, arg_name = "file")]
    password_file: Option<String>,

    /// where everything is kept, as without a command
    #[argh(option, arg_name = "dir")]
    data_dir: Option<PathBuf>,

    /// text or json
    #[argh(option, arg_name = "format", default = "String::from(\"text\")")]
    format: String,
}

/// Settled values for `init`.
#[derive(Debug, PartialEq, Eq)]
pub struct Init {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// The organization's name.
    pub org: String,
    /// The project's name.
    pub project: String,
    /// The owner's address.
    pub email: String,
    /// Where the password is.
    pub password_file: Option<String>,
    /// Whether to print JSON.
    pub json: bool,
}

/// Settles `init`; `data_dir` is the flag as it was given before the command.
pub(super) fn settle(init: InitArgs, data_dir: Option<PathBuf>) -> Result<Init, String> {
    Ok(Init {
        data_dir: values::data_dir(init.data_dir.or(data_dir))?,
        org: values::name("--org", &init.org)?,
        project: values::name("--project", &init.project)?,
        email: values::email(&init.email)?,
        password_file: init.password_file,
        json: values::is_json(&init.format)?,
    })
}
