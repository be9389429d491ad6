//! What each command does: one file for each noun.

mod api_key;
mod ask;
mod auth;
mod browser;
mod channel;
mod check;
mod create;
mod doctor;
mod inspect;
mod login;
mod logout;
mod logs;
mod maintenance;
mod monitor;
mod org;
mod password;
mod patience;
mod ping;
mod plan;
mod project;
mod shell;
mod spool;
mod tail;
mod update;
mod whoami;

use std::io::{BufRead, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

use super::address;
use super::api::Api;
use super::args::{Command, Globals, Invocation};
use super::config::{self, ChosenProject, Config};
use super::delivery::Courier;
use super::error::{Error, Kind};
use super::http::Http;
use super::render::{Format, Screen};
use super::settings::{self, Settings};
use super::talk::{Talk, say};
use crate::wire::Me;
use crate::wire::check::NAME_MAX;

/// How long a command may take for pings that were kept before, once its own work is done.
const AFTER_WORK: Duration = Duration::from_secs(2);

/// The exit code of a command that Ctrl-C ended, as a shell tells it.
const INTERRUPTED: i32 = 130;

/// Does what was asked for, and gives the exit code.
///
/// # Errors
/// Where it could not be done.
pub fn run(invocation: Invocation) -> Result<i32, Error> {
    let idle = invocation.idle_flags();
    let Invocation {
        globals,
        command,
        rest,
        faults,
        ..
    } = invocation;
    // The job comes first: nothing may be read before it runs, not even a setting.
    if let Command::Monitor(typed) = command {
        return monitor::run(typed, rest, faults, idle, &globals);
    }
    // These two are asked by shells and by packagers: no file matters to them.
    match &command {
        Command::Completion(typed) => return shell::completion(typed).map(|()| 0),
        Command::Man(_) => return shell::man().map(|()| 0),
        _ => {}
    }
    own_up_to_defects();
    let context = match command {
        Command::Ping(_) => Context::for_a_report(globals)?,
        _ => Context::new(globals)?,
    };
    if let Some(idle) = idle {
        context.talk.note(&idle);
    }
    match command {
        Command::Login(typed) => login::run(&context, typed),
        Command::Auth(typed) => auth::run(&context, typed.command),
        Command::ApiKey(typed) => api_key::run(&context, typed.command),
        Command::Logout(_) => return logout::run(&context),
        Command::Whoami(_) => whoami::run(&context),
        Command::Org(typed) => org::run(&context, typed.command),
        Command::Project(typed) => project::run(&context, typed.command),
        Command::Check(typed) => check::run(&context, typed.command),
        Command::Channel(typed) => channel::run(&context, typed.command),
        Command::Maintenance(typed) => maintenance::run(&context, typed.command),
        Command::Ping(typed) => return ping::run(&context, typed),
        Command::Spool(typed) => return spool::run(&context, &typed.command),
        Command::Monitor(_) | Command::Completion(_) | Command::Man(_) => return Ok(0),
    }
    .inspect(|_| {
        // The server answered: a good time to send what could not be sent before.
        Courier::new(context.globals()).after_work(Instant::now() + AFTER_WORK);
    })
}

/// A defect ends the command with a sentence and the exit code that scripts know it by.
/// Not under `monitor`, which has a job to stay with.
fn own_up_to_defects() {
    std::panic::set_hook(Box::new(|info| {
        let place = info
            .location()
            .map(|place| format!(" at {}:{}", place.file(), place.line()));
        say(&format!(
            "This is a defect in pakyas {}{}. Please report it, with the command that you ran",
            crate::VERSION,
            place.unwrap_or_default()
        ));
        std::process::exit(i32::from(Kind::Defect.exit_code()));
    }));
}

/// What every command but `monitor` needs.
struct Context {
    settings: Settings,
    http: Http,
    format: Format,
    screen: Screen,
    talk: Talk,
}

impl Context {
    /// For a command that tells of a job: it is not lost for how its result would be shown.
    fn for_a_report(globals: Globals) -> Result<Self, Error> {
        let format = Settings::load(&globals).format();
        match format {
            Err(error) if error.is_local() => {
                Talk::new(&globals).warn(error.first_line());
                let format = Some("table".to_owned());
                Self::new(Globals { format, ..globals })
            }
            _ => Self::new(globals),
        }
    }

    fn new(globals: Globals) -> Result<Self, Error> {
        let settings = Settings::load(&globals);
        let talk = Talk::new(&globals);
        if let Some(found) = settings.directory().and_then(|d| config::guard_keys(d)) {
            talk.note(&found);
        }
        Ok(Self {
            format: settings.format()?,
            settings,
            http: Http::new(settings::ca_file()),
            screen: Screen::of(&globals),
            talk,
        })
    }

    fn globals(&self) -> &Globals {
        self.settings.globals()
    }

    /// The API, with the key that the settings say.
    fn api(&self) -> Result<Api<'_>, Error> {
        Api::connect(&self.settings, &self.http, None)
    }

    /// Keeps the server and the organization that `me` is about as those in use, and what
    /// `project` says as that one's project.
    fn use_from_now_on(
        &self,
        api: &Api<'_>,
        me: &Me,
        project: Option<ChosenProject>,
    ) -> Result<(), Error> {
        let ping_url = self.ping_url_of(api, me);
        let directory = self.settings.directory_to_write()?;
        let aside = config::update::<Config>(directory, |config| {
            config.api_url = Some(api.base().to_owned());
            config.ping_url = Some(ping_url);
            config.org_id = Some(me.org_id);
            config.org_name = Some(me.org_name.clone());
            if let Some(project) = project {
                config.projects.insert(me.org_id, project);
            }
        })?;
        self.tell_aside(aside);
        Ok(())
    }

    fn ping_url_of(&self, api: &Api<'_>, me: &Me) -> String {
        let typed = self.globals().ping_url.as_deref();
        let said = typed.unwrap_or(&me.ping_url_base);
        address::base_url(said, "the server's ping URL").unwrap_or_else(|error| {
            self.talk.detail(error.first_line());
            // A self-hosted server has both at one address.
            api.base().to_owned()
        })
    }

    /// Tells of a damaged file that was set aside.
    fn tell_aside(&self, aside: Option<std::path::PathBuf>) {
        if let Some(path) = aside {
            self.talk.note(&format!(
                "A damaged file was set aside and a new one begun: {}",
                path.display()
            ));
        }
    }
}

fn usage(message: impl Into<String>) -> Error {
    Error::new(Kind::Usage, message)
}

/// Asks before something is done that can't be undone, unless `-y` was given.
fn confirm(question: &str, yes: bool) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(usage(format!(
            "{question} There is no terminal to ask at; add -y to do it"
        )));
    }
    let _ = write!(std::io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    let read = stdin.lock().take(100).read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Error::new(Kind::Refused, "Nothing was changed"))
}

/// A name for people, as typed after `flag`.
fn name(flag: &str, text: &str) -> Result<String, Error> {
    let name = text.trim();
    let length = name.chars().count();
    if (1..=NAME_MAX).contains(&length) && !name.chars().any(char::is_control) {
        return Ok(name.to_owned());
    }
    Err(usage(format!(
        "{flag} needs 1 to {NAME_MAX} characters, none of them a control character; this has {length}"
    )))
}

/// A number between `least` and `most`, as typed after `flag`.
fn number(flag: &str, text: &str, least: u64, most: u64) -> Result<u64, Error> {
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(usage(format!(
            "{flag} needs a whole number from {least} to {most}, not '{}'",
            text.escape_debug()
        ))),
    }
}

/// That what stands in `from` can't be a public id.
fn not_a_public_id(from: &str) -> Error {
    usage(format!(
        "{from} is not a public id, which looks like 550e8400-e29b-41d4-a716-446655440000, nor a \
         ping URL, which ends in one. \
         See it: pakyas check show SLUG"
    ))
}
