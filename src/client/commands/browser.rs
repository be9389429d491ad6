//! `pakyas login`: a person approves in a browser, here or on any other machine.

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{Context, login, patience, usage};
use crate::VERSION;
use crate::client::address::base_url;
use crate::client::door::Door;
use crate::client::error::{Error, Kind};
use crate::client::render::clean;
use crate::client::settings::{same_name, variable};
use crate::client::talk::say;
use crate::secret::Secret;
use crate::sys::{self, SIGINT};
use crate::wire::account::{DeviceLogin, DeviceLoginState};

/// The longest that is waited, whatever the server allows.
const LONGEST: Duration = Duration::from_secs(3600);

pub fn run(context: &Context, base: String) -> Result<i32, Error> {
    let door = Door {
        http: &context.http,
        base: &base,
    };
    let begun = door.begin(&DeviceLogin {
        device_name: sys::host_name(),
        cli_version: Some(VERSION.to_owned()),
        target_org_id: wanted_org(context, &base)?,
    })?;
    let address = base_url(&begun.auth_url, "the server's address for signing in")?;
    say(&format!(
        "To log in, open this address and approve:\n  {}",
        clean(&address)
    ));
    if let Some(code) = &begun.user_code {
        say(&format!(
            "Approve only where the page shows this code: {}",
            clean(code)
        ));
    }
    let watched = std::io::stderr().is_terminal();
    if watched && std::io::stdin().is_terminal() {
        open(context, &address);
    }
    let until = Instant::now() + Duration::from_secs(begun.expires_in).min(LONGEST);
    let line = Line { shown: watched };
    give_up_at_ctrl_c(watched)?;
    let state = wait(context, &door, &begun.session_token, until, &line)?;
    match state.status.as_str() {
        "completed" => {
            let key = state.api_key.filter(|key| !key.is_empty()).ok_or_else(|| {
                Error::new(
                    Kind::Refused,
                    "The server says that it is done, and gives no key; try again: pakyas login",
                )
            })?;
            login::take(context, base, Secret::from_text(key))
        }
        "denied" => Err(Error::new(
            Kind::NotLoggedIn,
            "Not logged in: it was denied in the browser. To ask again, run: pakyas login",
        )),
        "expired" => Err(Error::new(
            Kind::NotLoggedIn,
            "Not logged in: nobody approved in time. To ask again, run: pakyas login",
        )),
        other => Err(Error::new(
            Kind::Refused,
            format!(
                "Not logged in: the server answered '{}', which this version does not know",
                other.chars().take(50).collect::<String>().escape_debug()
            ),
        )),
    }
}

/// The organization that was asked for, as far as its id is known here.
fn wanted_org(context: &Context, base: &str) -> Result<Option<Uuid>, Error> {
    let Some(asked) = context.settings.asked_org() else {
        return Ok(None);
    };
    if let Ok(id) = Uuid::try_parse(&asked) {
        return Ok(Some(id));
    }
    let stored = context.settings.stored_keys(base)?;
    let known = stored.iter().find(|c| same_name(&c.org_name, &asked));
    if known.is_none() {
        context.talk.note(&format!(
            "Choose the organization '{}' in the browser",
            clean(&asked)
        ));
    }
    Ok(known.map(|c| c.org_id))
}

/// Asks until something was decided.
fn wait(
    context: &Context,
    door: &Door<'_>,
    token: &str,
    until: Instant,
    line: &Line,
) -> Result<DeviceLoginState, Error> {
    let mut asked = None;
    while let Some(pause) = patience::for_a_person(Instant::now(), until, asked) {
        let left = until.saturating_duration_since(Instant::now());
        line.show(&format!(
            "Waiting for you to approve, {}:{:02} left (Ctrl-C gives up)",
            left.as_secs() / 60,
            left.as_secs() % 60
        ));
        std::thread::sleep(pause);
        match door.poll(token) {
            Ok(state) if state.status == "pending" => asked = None,
            Ok(state) => {
                line.show("");
                return Ok(state);
            }
            // A person at a browser takes longer than most troubles of a network.
            Err(error) if error.kind() == Kind::Network => {
                context.talk.detail(error.first_line());
                asked = error.asked_pause();
            }
            Err(error) => {
                line.show("");
                return Err(error);
            }
        }
    }
    Ok(DeviceLoginState {
        status: "expired".to_owned(),
        ..DeviceLoginState::default()
    })
}

/// One line of a terminal, written again and again.
struct Line {
    shown: bool,
}

impl Line {
    fn show(&self, text: &str) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K{text}");
        }
    }
}

/// Nothing is half done while waiting, so Ctrl-C only has to say so.
fn give_up_at_ctrl_c(watched: bool) -> Result<(), Error> {
    let trouble = |e: std::io::Error| usage(format!("Can't wait for Ctrl-C: {e}"));
    sys::block_signals(&[SIGINT]).map_err(trouble)?;
    std::thread::Builder::new()
        .spawn(move || {
            if sys::wait_for_signal(&[SIGINT]).is_ok() {
                Line { shown: watched }.show("");
                say("Login was given up; nothing was changed");
                std::process::exit(super::INTERRUPTED);
            }
        })
        .map_err(trouble)?;
    Ok(())
}

/// Opens the address where there is something to open it with; the person can always do it.
fn open(context: &Context, address: &str) {
    let browser = variable("BROWSER");
    let mut words = match &browser {
        // A list, as in XDG's own tools: the first will do.
        Some(list) => list.split(':').next().unwrap_or_default().split(' '),
        None if variable("DISPLAY").is_some() || variable("WAYLAND_DISPLAY").is_some() => {
            "xdg-open".split(' ')
        }
        None => return,
    };
    let Some(program) = words.next().filter(|program| !program.is_empty()) else {
        return;
    };
    let started = Command::new(program)
        .args(words.filter(|word| !word.is_empty() && *word != "%s"))
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Ok(_) => context.talk.detail(&format!("opened with {program}")),
        Err(error) => context
            .talk
            .detail(&format!("{program} can't be started: {error}")),
    }
}
