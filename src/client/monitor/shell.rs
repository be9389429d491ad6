//! Whether a command that can't be found was meant for a shell. Pure.

use std::ffi::{OsStr, OsString};

/// What only a shell can do or only a shell understands, of those that people write first
/// (POSIX.1-2024, XCU 2.4 "Reserved Words", 2.15 "Special Built-In Utilities", and what a process of
/// its own could not do).
const WORDS: &[&str] = &[
    "!", ".", ":", "alias", "case", "cd", "eval", "exec", "exit", "export", "for", "if", "popd",
    "pushd", "read", "readonly", "set", "shopt", "source", "trap", "type", "ulimit", "umask",
    "unset", "until", "while", "{",
];

/// Words between commands or before a file.
const OPERATORS: &[&str] = &[
    "&&", "||", "|", "|&", ";", "&", "<", ">", ">>", "2>", "2>&1", "&>",
];

/// Whether `program` and `arguments`, of which the first can't be found, are words of a shell: an
/// assignment (`FOO=bar cmd`), a built-in (`cd x`), an operator (`x && y`), or a whole line of them.
pub fn is_meant(program: &OsStr, arguments: &[OsString]) -> bool {
    let program = program.to_string_lossy();
    let of_shell = |word: &str| WORDS.contains(&word) || is_assignment(word);
    // As one word, in quotes: the whole line of a crontab.
    let mut words = program.split_ascii_whitespace();
    of_shell(words.next().unwrap_or_default())
        || words.any(is_operator)
        || program.contains(['|', ';', '<', '>', '`', '(', '$'])
        || arguments
            .iter()
            .any(|word| is_operator(&word.to_string_lossy()))
}

fn is_assignment(word: &str) -> bool {
    let is_name = |name: &str| {
        let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(of_name)
    };
    word.split_once('=').is_some_and(|(name, _)| is_name(name))
}

fn is_operator(word: &str) -> bool {
    OPERATORS.contains(&word) || word.ends_with(';')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_meant_by(words: &[&str]) -> bool {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        is_meant(&words[0], &words[1..])
    }

    #[test]
    fn words_of_a_shell_are_known() {
        for words in [
            &["FOO=bar", "cmd"][..],
            &["_x1="],
            &["cd", "/srv", "&&", "make"],
            &["cd", "/srv"],
            &["cd /srv && make"],
            &["FOO=bar cmd"],
            &["pg_dump mydb > /tmp/x"],
            &["dumpp", "mydb", "|", "gzip"],
            &["source", "env.sh"],
            &["for", "f", "in", "x"],
            &["$HOME/bin/job"],
            &["/srv/job", "&&", "echo"],
        ] {
            assert!(is_meant_by(words), "{words:?}");
        }
    }

    #[test]
    fn a_name_with_a_mistake_is_no_word_of_a_shell() {
        for words in [
            &["pg_dmup", "mydb"][..],
            &["pg_dump mydb"],
            &["/srv/backup.sh"],
            &["1=2"],
            &["a-b=c"],
            &["make", "FOO=bar"],
        ] {
            assert!(!is_meant_by(words), "{words:?}");
        }
    }
}
