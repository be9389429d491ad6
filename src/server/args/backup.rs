//! `pakyas-server backup`.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::values;

/// Copy everything into one file, while the server runs. To restore it, stop the server and put
/// the file in the place of pakyas.db, without pakyas.db-wal and pakyas.db-shm.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "backup",
    help_triggers("-h", "--help"),
    example = "{command_name} /backup/pakyas-$(date +%F).db",
    example = "{command_name} --data-dir /var/lib/pakyas --force /backup/pakyas.db"
)]
pub(super) struct BackupArgs {
    /// overwrite a file that is there
    #[argh(switch)]
    force: bool,

    /// where everything is kept, as without a command
    #[argh(option, arg_name = "dir")]
    data_dir: Option<PathBuf>,

    /// the file to write
    #[argh(positional)]
    file: PathBuf,
}

/// Settled values for `backup`.
#[derive(Debug, PartialEq, Eq)]
pub struct Backup {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// The file to write.
    pub file: PathBuf,
    /// Whether a file that is there may be overwritten.
    pub force: bool,
}

/// Settles `backup`; `data_dir` is the flag as it was given before the command.
pub(super) fn settle(backup: BackupArgs, data_dir: Option<PathBuf>) -> Result<Backup, String> {
    Ok(Backup {
        data_dir: values::data_dir(backup.data_dir.or(data_dir))?,
        file: backup.file,
        force: backup.force,
    })
}
