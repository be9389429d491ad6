//! `pakyas completion` and `pakyas man`, as typed: what a shell and man(1) are given.

use argh::{ArgsInfo, FromArgs};

/// Print what makes a shell complete commands, flags and slugs.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "completion",
    help_triggers("-h", "--help"),
    usage = "bash|zsh|fish",
    example = "pakyas completion bash > /etc/bash_completion.d/pakyas\n\
               pakyas completion fish > ~/.config/fish/completions/pakyas.fish",
    note = "For yourself alone, in bash: add the line  source <(pakyas completion bash)  to\n\
            ~/.bashrc. In zsh: write it to a file _pakyas in a directory of $fpath, as\n\
            /usr/local/share/zsh/site-functions/_pakyas, or add to ~/.zshrc after compinit\n\
            the line  source <(pakyas completion zsh). Slugs and projects are those that\n\
            pakyas saw last: 'pakyas check sync' refreshes them."
)]
pub struct Completion {
    /// the shell that it is for
    #[argh(positional, arg_name = "bash|zsh|fish")]
    pub shell: String,
}

/// Print the manual page.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "man",
    help_triggers("-h", "--help"),
    example = "pakyas man | man -l -\n\
               pakyas man > /usr/local/share/man/man1/pakyas.1"
)]
pub struct Man {}
