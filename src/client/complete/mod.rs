//! What a shell offers at TAB: `pakyas __complete SHELL …`, which the scripts of
//! `pakyas completion` call.
//!
//! The thinking is done here and not in three shell languages, which starting pakyas is fast
//! enough for. Reads the definitions of the parser, the configuration and the cache; touches no
//! network, writes nothing, and says nothing where something is wrong: a person is typing.

mod known;
mod line;
mod values;

use std::ffi::OsString;

use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};

use super::args::{Cli, Globals, flag_called};
use super::render;
use known::Known;
use line::Line;

/// The word that stands before the rest where a script asks.
pub const ASKED: &str = "__complete";

/// No shell is shown more than this many.
const MOST: usize = 1_000;

/// The scripts that teach a shell to ask.
const SCRIPTS: [(&str, &str); 3] = [
    ("bash", include_str!("pakyas.bash")),
    ("zsh", include_str!("pakyas.zsh")),
    ("fish", include_str!("pakyas.fish")),
];

/// What makes `shell` complete; `None` for one that is not known.
pub fn script(shell: &str) -> Option<&'static str> {
    let found = SCRIPTS.iter().find(|(name, _)| *name == shell);
    found.map(|(_, text)| *text)
}

/// Something that may stand where the cursor is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Offer {
    word: String,
    about: String,
}

impl Offer {
    fn new(word: impl Into<String>, about: &str) -> Self {
        Self {
            word: word.into(),
            about: about.to_owned(),
        }
    }
}

/// What begins with what is typed, in order, each once. Inserted where it belongs: the sorts of
/// std would make the client larger than all of completion is.
struct Offers<'a> {
    typed: &'a str,
    found: Vec<Offer>,
}

impl<'a> Offers<'a> {
    fn of(typed: &'a str) -> Self {
        Self {
            typed,
            found: Vec::new(),
        }
    }

    fn add(&mut self, word: &str, about: &str) {
        if !word.starts_with(self.typed) || self.found.len() >= MOST {
            return;
        }
        let place = self
            .found
            .binary_search_by(|known| known.word.as_str().cmp(word));
        if let Err(at) = place {
            self.found.insert(at, Offer::new(word, about));
        }
    }

    fn is_empty(&self) -> bool {
        self.found.is_empty()
    }
}

/// What to do at the cursor.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// One of these.
    Words(Vec<Offer>),
    /// The words from this index on, `pakyas` being 0, are another command, which the shell
    /// knows how to complete.
    Job(usize),
}

/// Answers a script: `arguments` are the shell's name and, for bash, the line up to the cursor
/// and the part of it that bash would replace; for the others the words up to the cursor, of
/// which the last is the one that is being typed.
pub fn run(arguments: impl IntoIterator<Item = OsString>) {
    // Nothing may break the line that a person is typing, not even a defect.
    std::panic::set_hook(Box::new(|_| std::process::exit(0)));
    let words = arguments.into_iter().map(|word| word.into_string().ok());
    let words: Option<Vec<String>> = words.collect();
    if let Some(text) = words.as_deref().and_then(answer_for) {
        let _ = render::print(text.as_bytes());
    }
}

/// The first line says what follows (`words`) or where the job begins (`job N`).
fn answer_for(arguments: &[String]) -> Option<String> {
    let (shell, words) = arguments.split_first()?;
    let program = Cli::get_args_info();
    if shell == "bash" {
        let [text, replaced] = words else {
            return None;
        };
        let line = Line::read(text, replaced);
        let words = line.words.get(1..)?;
        return Some(match answer(&program, words) {
            Answer::Job(at) => format!("job {at}\n"),
            Answer::Words(offers) => {
                let quoted = offers.iter().filter_map(|offer| line.quoted(&offer.word));
                lines(quoted.map(|word| word + "\n"))
            }
        });
    }
    Some(match answer(&program, words) {
        Answer::Job(at) => format!("job {at}\n"),
        Answer::Words(offers) => lines(
            offers
                .iter()
                .map(|offer| format!("{}\t{}\n", offer.word, offer.about)),
        ),
    })
}

fn lines(offers: impl Iterator<Item = String>) -> String {
    let mut text = "words\n".to_owned();
    text.extend(offers);
    text
}

/// What to do at the end of `words`, of which the last is the one that is being typed.
fn answer(program: &CommandInfoWithArgs, words: &[String]) -> Answer {
    let Some((current, before)) = words.split_last() else {
        return Answer::Words(Vec::new());
    };
    let mut place = Place {
        program,
        command: program,
        positionals: 0,
        given: Vec::new(),
        globals: Globals::default(),
    };
    let mut before = before.iter().enumerate();
    while let Some((index, word)) = before.next() {
        if word == "--" {
            return if place.command.name == "monitor" {
                Answer::Job(index + 2)
            } else {
                Answer::Words(Vec::new())
            };
        }
        if word.len() < 2 || !word.starts_with('-') {
            place.word(word);
            continue;
        }
        let (name, attached) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.as_str(), None),
        };
        let Some(flag) = place.flag(name) else {
            continue;
        };
        let value = match (flag.kind == FlagInfoKind::Switch, attached) {
            (true, _) => "",
            (false, Some(value)) => value,
            (false, None) => match before.next() {
                Some((_, value)) => value,
                None => return offers(place.values(flag, current), ""),
            },
        };
        place.give(flag, value);
    }
    match current.split_once('=') {
        Some((name, value)) if name.starts_with("--") => match place.flag(name) {
            Some(flag) => offers(place.values(flag, value), &format!("{name}=")),
            None => Answer::Words(Vec::new()),
        },
        _ => offers(place.words(current), ""),
    }
}

/// As they may stand on the line: in full, bounded, and without what would steer a terminal or
/// end a line of the answer.
fn offers(found: Vec<Offer>, prefix: &str) -> Answer {
    let mut found = found;
    found.retain(|offer| !offer.word.chars().any(char::is_control));
    found.truncate(MOST);
    for offer in &mut found {
        offer.word.insert_str(0, prefix);
        offer.about = render::clean(&offer.about);
    }
    Answer::Words(found)
}

/// Where on the command line the cursor is.
struct Place<'a> {
    program: &'a CommandInfoWithArgs,
    command: &'a CommandInfoWithArgs,
    /// How many positional arguments the command has already.
    positionals: usize,
    given: Vec<&'a str>,
    globals: Globals,
}

impl<'a> Place<'a> {
    fn word(&mut self, word: &str) {
        let found = self.command.commands.iter().find(|c| c.name == word);
        match found {
            Some(found) => self.command = &found.command,
            // `help check` is about check.
            None if std::ptr::eq(self.command, self.program) => {}
            None => self.positionals += 1,
        }
    }

    fn flag(&self, name: &str) -> Option<&'a FlagInfo<'static>> {
        let name = name.replace('_', "-");
        flag_called(self.program, &name).or_else(|| flag_called(self.command, &name))
    }

    fn give(&mut self, flag: &'a FlagInfo<'static>, value: &str) {
        self.given.push(flag.long);
        let of = match flag.long {
            "--org" => &mut self.globals.org,
            "--project" => &mut self.globals.project,
            "--api-url" => &mut self.globals.api_url,
            _ => return,
        };
        *of = Some(value.to_owned());
    }

    /// What may stand where no flag waits for its value.
    fn words(&self, current: &str) -> Vec<Offer> {
        let mut offers: Vec<Offer> = Vec::new();
        if !current.starts_with('-') {
            for command in &self.command.commands {
                offers.push(Offer::new(command.name, command.command.description));
            }
            // What is created has no name yet that could be known.
            let positional = self.command.positionals.get(self.positionals);
            if let (Some(positional), false) = (positional, self.command.name == "create") {
                offers.extend(self.named(positional.name, current));
            }
            offers.retain(|offer| offer.word.starts_with(current));
            if !offers.is_empty() || !current.is_empty() {
                return offers;
            }
        }
        if self.command.name == "monitor" {
            offers.push(Offer::new("--", "what follows is the job"));
        }
        let flags = self.command.flags.iter().chain(self.program.flags);
        for flag in flags.filter(|flag| !flag.hidden) {
            let again = flag.optionality == Optionality::Repeating;
            if again || !self.given.contains(&flag.long) {
                offers.push(Offer::new(flag.long, flag.description));
            }
        }
        if !self.command.flags.iter().any(|f| f.long == "--help") {
            offers.push(Offer::new("--help", "tell more of this"));
        }
        offers.retain(|offer| offer.word.starts_with(current));
        offers
    }

    /// The values that `flag` may have.
    fn values(&self, flag: &FlagInfo<'_>, current: &str) -> Vec<Offer> {
        let FlagInfoKind::Option { arg_name } = flag.kind else {
            return Vec::new();
        };
        // A flag that may be given again also takes several values with commas.
        let again = flag.optionality == Optionality::Repeating;
        let (before, current) = match current.rfind(',') {
            Some(comma) if again => current.split_at(comma + 1),
            _ => ("", current),
        };
        let mut offers = self.named(arg_name, current);
        offers.retain(|offer| {
            offer.word.starts_with(current) && !before.split(',').any(|word| word == offer.word)
        });
        for offer in &mut offers {
            offer.word.insert_str(0, before);
        }
        offers
    }

    /// What an argument of that name may be: its name in the definitions says what it takes.
    fn named(&self, name: &str, current: &str) -> Vec<Offer> {
        let take: fn(&Known, &mut Offers<'_>) = match name {
            "SLUG" => Known::slugs,
            "PROJECT" => Known::projects,
            "ORG" => Known::organizations,
            _ => return values::listed(name, current),
        };
        let mut offers = Offers::of(current);
        take(&Known::of(&self.globals), &mut offers);
        offers.found
    }
}

#[cfg(test)]
mod tests;
