//! `pakyas man`: the manual page, in the macros of man(7), made of the parser's definitions.
//! What the definitions don't say (environment, files, exit codes) is written here.

use argh::{ArgsInfo, CommandInfoWithArgs};

use super::args::{Cli, typed, usage_line};
use crate::VERSION;

/// Name and meaning.
const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "PAKYAS_API_KEY",
        "The API key, or file:PATH to read it from a file.",
    ),
    (
        "PAKYAS_PUBLIC_ID",
        "The check of monitor and ping, by its public id or ping URL, where neither a slug nor \
         --public-id is given. Needs no key.",
    ),
    (
        "PAKYAS_ORG, PAKYAS_PROJECT",
        "The organization (name or id) and the project (name, slug or id).",
    ),
    ("PAKYAS_FORMAT", "table, json or ndjson."),
    ("PAKYAS_API_URL, PAKYAS_PING_URL", "Where the server is."),
    (
        "PAKYAS_CONFIG_DIR, PAKYAS_SPOOL_DIR",
        "Where files are kept; else below XDG_CONFIG_HOME and XDG_STATE_HOME, else in the home.",
    ),
    (
        "PAKYAS_CA_FILE, SSL_CERT_FILE",
        "PEM certificates to trust instead of the built-in ones.",
    ),
    (
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
        "HTTP proxies, and the hosts, domains and networks that are reached without one.",
    ),
    ("NO_COLOR", "No colours, where it is set to anything."),
    ("COLUMNS", "The width that tables fit on a terminal."),
    ("TZ", "The time zone in which times are shown."),
];

const FILES: &[(&str, &str)] = &[
    (
        "~/.config/pakyas/config.json",
        "The server, the organization and the project in use. No secrets.",
    ),
    (
        "~/.config/pakyas/credentials.json",
        "The keys, one for each organization; for its owner alone.",
    ),
    (
        "~/.config/pakyas/keys.json",
        "A copy of the keys, for where the official client has dropped them from credentials.json.",
    ),
    (
        "~/.config/pakyas/config.toml",
        "The official client's, read where there is no config.json.",
    ),
    (
        "~/.config/pakyas/cache/checks.json",
        "Which slug is which check. May be deleted at any time; pakyas check sync fills it again.",
    ),
    (
        "~/.local/state/pakyas/spool",
        "Reports that could not be delivered yet.",
    ),
];

const EXIT_STATUS: &[(&str, &str)] = &[
    (
        "0",
        "Done. For ping also: kept, to go out later (4 with --strict).",
    ),
    ("1", "The server or a disk refused."),
    ("2", "Usage, or a setting or file that is wrong."),
    ("3", "Not found."),
    (
        "4",
        "Network, a server that can't answer now, or something else that answers in its place.",
    ),
    ("5", "Not logged in, or a bad key."),
    ("6", "Not permitted."),
    ("7", "A defect in pakyas."),
];

const DESCRIPTION: &[&str] = &[
    "Put pakyas monitor SLUG -- before a job's command. The job runs at once and as ever, with its \
     own output and its own exit code; pakyas tells the server when it started and how it ended. \
     The server knows how often the job should run, and alerts when it did not, failed, or never \
     finished.",
    "What can't be delivered is kept on disk, and goes out with the next pakyas that reaches the \
     same server.",
    "A setting on the command line is stronger than one in the environment, which is stronger than \
     the configuration file. Only results are written to standard output; all else goes to standard \
     error.",
];

const OF_MONITOR: &str = "monitor exits as the job does: 128+N where signal N ended it, 127 where it \
     is not found, 126 where it can't be run, 124 after --timeout. With --strict it exits 3 where \
     the job succeeded and that could be neither told nor kept.";

const EXAMPLES: &[(&str, &str)] = &[
    (
        "Log in, and choose where checks are:",
        "pakyas login --api-key file:/run/secrets/pakyas\npakyas project switch \"Production\"",
    ),
    (
        "Watch a job that runs every night:",
        "pakyas check create --name \"Database Backup\" --period 1d --grace 1h",
    ),
    (
        "In the crontab:",
        "0 2 * * * pakyas monitor database-backup -- /opt/scripts/backup.sh",
    ),
    (
        "In a script of your own:",
        "pakyas ping etl --start\n./etl.sh; pakyas ping etl --exit-code $?",
    ),
    (
        "What is down, for another program:",
        "pakyas check list --all --status down --format ndjson",
    ),
];

/// The whole page, as roff.
pub fn page() -> String {
    let program = Cli::get_args_info();
    let mut page = Page(String::new());
    page.0.push_str(&format!(
        ".TH PAKYAS 1 \"\" \"pakyas {VERSION}\" \"User Commands\"\n"
    ));
    page.section("NAME");
    let purpose = program.description.trim_end_matches('.');
    let mut letters = purpose.chars();
    let first = letters.next().map(|c| c.to_ascii_lowercase());
    page.text(&format!(
        "pakyas - {}{}",
        first.map_or_else(String::new, String::from),
        letters.as_str()
    ));
    page.section("SYNOPSIS");
    page.usage(&usage_line(&[]));
    page.0.push_str(".br\n");
    page.usage("pakyas monitor SLUG [FLAGS] -- COMMAND [ARGUMENTS]");
    page.section("DESCRIPTION");
    for (index, text) in DESCRIPTION.iter().enumerate() {
        if index > 0 {
            page.0.push_str(".PP\n");
        }
        page.text(text);
    }
    page.section("OPTIONS");
    page.text("These may stand anywhere before --.");
    page.flags(&program);
    page.section("COMMANDS");
    page.commands(&program, &mut Vec::new());
    page.section("EXIT STATUS");
    page.items(EXIT_STATUS);
    page.0.push_str(".PP\n");
    page.text(OF_MONITOR);
    page.section("ENVIRONMENT");
    page.items(ENVIRONMENT);
    page.section("FILES");
    page.items(FILES);
    page.section("EXAMPLES");
    for (index, (text, code)) in EXAMPLES.iter().enumerate() {
        if index > 0 {
            page.0.push_str(".PP\n");
        }
        page.text(text);
        page.code(code);
    }
    page.section("SEE ALSO");
    page.0.push_str(".BR cron (8),\n.BR crontab (5)\n");
    page.0
}

struct Page(String);

impl Page {
    fn section(&mut self, name: &str) {
        self.0.push_str(&format!(".SH {name}\n"));
    }

    fn text(&mut self, text: &str) {
        self.0.push_str(&escaped(text));
        self.0.push('\n');
    }

    /// A line of usage: what is typed as it stands in bold, but for the words in capitals.
    fn usage(&mut self, line: &str) {
        self.0.push_str(".nh\n.ad l\n");
        let words = line.split(' ').map(|word| {
            let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            let stands_for = bare.chars().any(|c| c.is_ascii_uppercase());
            if stands_for || bare.is_empty() || word.starts_with(['<', '[']) {
                escaped(word)
            } else {
                format!("\\fB{}\\fR", escaped(word))
            }
        });
        let words: Vec<String> = words.collect();
        self.0.push_str(&words.join(" "));
        self.0.push_str("\n.ad\n.hy\n");
    }

    fn item(&mut self, head: &str, text: &str) {
        self.0.push_str(".TP\n\\fB");
        self.0.push_str(&escaped(head));
        self.0.push_str("\\fR\n");
        self.text(text);
    }

    fn items(&mut self, items: &[(&str, &str)]) {
        for (head, text) in items {
            self.item(head, text);
        }
    }

    fn code(&mut self, text: &str) {
        self.0.push_str(".PP\n.RS 4\n.nf\n");
        for line in text.lines() {
            self.text(line);
        }
        self.0.push_str(".fi\n.RE\n");
    }

    fn flags(&mut self, command: &CommandInfoWithArgs) {
        for positional in command.positionals.iter().filter(|p| !p.hidden) {
            self.item(positional.name, &sentence(positional.description));
        }
        for flag in command.flags.iter().filter(|flag| !flag.hidden) {
            // Said once, for all.
            if flag.long != "--help" || std::ptr::eq(command.flags, Cli::get_args_info().flags) {
                self.item(&typed(flag), &sentence(flag.description));
            }
        }
    }

    /// Every command below `command`, each with its flags.
    fn commands(&mut self, command: &CommandInfoWithArgs, path: &mut Vec<String>) {
        for below in &command.commands {
            path.push(below.name.to_owned());
            let command = &below.command;
            if command.commands.is_empty() {
                self.0
                    .push_str(&format!(".SS {}\n", escaped(&path.join(" "))));
                self.usage(&usage_line(path));
                self.0.push_str(".PP\n");
                self.text(command.description);
                for note in command.notes {
                    self.0.push_str(".PP\n");
                    let lines: Vec<&str> = note.lines().map(str::trim).collect();
                    self.text(&lines.join(" "));
                }
                self.flags(command);
                let examples: Vec<&str> = command.examples.iter().flat_map(|e| e.lines()).collect();
                self.code(&examples.join("\n"));
            } else {
                self.commands(command, path);
            }
            path.pop();
        }
    }
}

/// A description of a flag as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map_or_else(String::new, |c| c.to_ascii_uppercase().into());
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// Text that roff shows as it is (groff_char(7)): a hyphen that may be copied into a shell, a
/// backslash that escapes nothing, a dot or a quote that begins no request.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '-' => out.push_str("\\-"),
            '\\' => out.push_str("\\e"),
            '~' => out.push_str("\\(ti"),
            '^' => out.push_str("\\(ha"),
            '`' => out.push_str("\\(ga"),
            '\'' => out.push_str("\\(aq"),
            '"' => out.push_str("\\(dq"),
            '\n' => out.push(' '),
            c if c.is_ascii() => out.push(c),
            c => out.push_str(&format!("\\[u{:04X}]", u32::from(c))),
        }
    }
    if out.starts_with('.') {
        out.insert_str(0, "\\&");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_roff_would_take_for_its_own_is_escaped() {
        assert_eq!(escaped(".profile"), "\\&.profile");
        assert_eq!(escaped("a\\b"), "a\\eb");
        assert_eq!(escaped("'x' --y"), "\\(aqx\\(aq \\-\\-y");
        assert_eq!(escaped("…"), "\\[u2026]");
    }

    #[test]
    fn every_command_and_every_flag_is_on_the_page() {
        fn walk(command: &CommandInfoWithArgs, page: &str) {
            for flag in command.flags {
                assert!(page.contains(&escaped(flag.long)), "{}", flag.long);
            }
            for below in &command.commands {
                assert!(page.contains(&escaped(below.name)), "{}", below.name);
                walk(&below.command, page);
            }
        }
        walk(&Cli::get_args_info(), &page());
    }

    #[test]
    fn no_line_begins_with_a_request_that_is_not_ours() {
        for line in page().lines().filter(|line| line.starts_with(['.', '\''])) {
            let request = line.split(' ').next().unwrap_or_default();
            let known = [
                ".TH", ".SH", ".SS", ".PP", ".TP", ".RS", ".RE", ".nf", ".fi", ".br", ".BR", ".nh",
                ".hy", ".ad",
            ];
            assert!(known.contains(&request), "{line}");
        }
    }
}
