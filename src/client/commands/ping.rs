//! `pakyas ping`: one ping, delivered or told why not.

use std::io::Read;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{AFTER_WORK, Context, not_a_public_id, number, usage};
use crate::client::args;
use crate::client::delivery::{Courier, Delivery, Moment, Ping, Target, not_a_slug};
use crate::client::error::Error;
use crate::client::fold::Fold;
use crate::client::render::{self, Format};
use crate::client::settings::Settings;
use crate::schedule::parse_duration;
use crate::wire::check::is_slug;
use crate::wire::ping::{Kind, Signal};
use crate::wire::{NUMBER_MAX, OUTPUT_LIMIT, RUN_ID_MAX};

/// How long to keep trying where nothing is said.
const USUAL_TIMEOUT: Duration = Duration::from_secs(30);

pub fn run(context: &Context, typed: args::Ping) -> Result<i32, Error> {
    let (at, begun) = (Moment::now(), Instant::now());
    let signal = signal(&typed)?;
    context.settings.check_typed()?;
    // An empty flag is that of a variable that the shell filled in before it was set, as in
    // the guide's crontab line: then the environment counts.
    let public_id = typed.public_id.as_deref().filter(|text| !text.is_empty());
    let target = target(typed.slug.as_deref(), public_id)?;
    let timeout = match &typed.ping_timeout {
        Some(text) => Duration::from_secs(
            parse_duration(text).map_err(|bad| usage(format!("--ping-timeout: {bad}")))?,
        ),
        None => USUAL_TIMEOUT,
    };
    let mut ping = Ping::new(signal, at);
    ping.run_id = typed.run.as_deref().map(run_id).transpose()?;
    ping.duration_ms = match &typed.duration_ms {
        // A longer run is reported as one of 24.8 days, which is better than not at all.
        Some(text) => {
            Some(number("--duration-ms", text, 0, i64::MAX.unsigned_abs())?.min(NUMBER_MAX))
        }
        None => None,
    };
    ping.body = match typed.message.as_deref() {
        Some("-") => stdin_tail()?,
        Some(text) => text.as_bytes().to_vec(),
        None => Vec::new(),
    };
    let courier = Courier::new(context.globals());
    let delivery = courier.deliver(&target, &ping, deadline(begun, timeout));
    let (delivered, why) = match &delivery {
        Delivery::Done(delivered) => (Some(delivered), None),
        Delivery::Kept(error) => (None, Some(error)),
        Delivery::Lost(error) => return Err(error.clone()),
    };
    if context.format == Format::Table {
        if delivered.is_some() && !context.globals().quiet {
            let shown = target.shown();
            render::print(format!("Pong! Check '{shown}' {}\n", told(signal)).as_bytes())?;
        }
    } else {
        let slug = match &target {
            Target::Slug(slug) => Some(slug),
            Target::PublicId(_) | Target::Url(..) => None,
        };
        let result = json!({
            "slug": slug,
            "public_id": delivered.map(|delivered| delivered.public_id),
            "type": signal.kind,
            "exit_code": signal.exit_code,
            "run_id": ping.run_id,
            "delivered": delivered.is_some(),
            "sent_to": delivered.map(|delivered| &delivered.sent_to),
            "attempts": delivered.map(|delivered| delivered.attempts),
        });
        render::one(context.format, &result, String::new)?;
    }
    if let Some(error) = why {
        context.talk.warn(&format!(
            "the ping is kept and goes out with a later pakyas: {}",
            error.first_line()
        ));
        return Ok(if typed.strict {
            i32::from(error.kind().exit_code())
        } else {
            0
        });
    }
    courier.after_work(Instant::now() + AFTER_WORK);
    Ok(0)
}

/// `timeout` after `at`; a century where that is more than a clock can hold.
fn deadline(at: Instant, timeout: Duration) -> Instant {
    at.checked_add(timeout)
        .unwrap_or(at + Duration::from_secs(100 * 366 * 86_400))
}

fn told(signal: Signal) -> String {
    match (signal.exit_code, signal.kind) {
        (Some(code), _) => format!("exit code {code} recorded"),
        (None, Kind::Success) => "pinged successfully".to_owned(),
        (None, Kind::Start) => "start recorded".to_owned(),
        (None, Kind::Fail) => "failure recorded".to_owned(),
        (None, Kind::Log) => "log recorded".to_owned(),
    }
}

fn signal(typed: &args::Ping) -> Result<Signal, Error> {
    match (typed.start, typed.fail, &typed.exit_code) {
        (false, false, None) => Ok(Kind::Success.into()),
        (true, false, None) => Ok(Kind::Start.into()),
        (false, true, None) => Ok(Kind::Fail.into()),
        (false, false, Some(text)) => {
            let code = number("--exit-code", text, 0, 255)?;
            Ok(Signal::exit(u8::try_from(code).unwrap_or(u8::MAX)))
        }
        _ => Err(usage(
            "--start, --fail and --exit-code say different things; give one of them",
        )),
    }
}

/// The slug, the public id of the command line, or that of the environment: what is typed wins.
fn target(slug: Option<&str>, public_id: Option<&str>) -> Result<Target, Error> {
    match (slug, public_id) {
        (Some(_), Some(_)) => Err(usage("Give the slug or --public-id, not both")),
        (Some(slug), None) => match Target::by_id(slug) {
            Some(target) => Ok(target),
            None if is_slug(slug) => Ok(Target::Slug(slug.to_owned())),
            None => Err(not_a_slug(slug)),
        },
        (None, Some(text)) => public("--public-id", text),
        (None, None) => match Settings::public_id() {
            Some(text) => public("PAKYAS_PUBLIC_ID", &text),
            None => Err(usage(
                "'pakyas ping' needs a check: pakyas ping SLUG, or --public-id ID, or PAKYAS_PUBLIC_ID",
            )),
        },
    }
}

fn public(from: &str, text: &str) -> Result<Target, Error> {
    Target::by_id(text).ok_or_else(|| not_a_public_id(from))
}

fn run_id(text: &str) -> Result<String, Error> {
    let printable = text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if printable && (1..=RUN_ID_MAX).contains(&text.len()) && text.trim() == text {
        return Ok(text.to_owned());
    }
    Err(usage(format!(
        "--run needs 1 to {RUN_ID_MAX} printable ASCII characters"
    )))
}

/// The last of what standard input holds, as a terminal would show it and as much as the server
/// keeps.
fn stdin_tail() -> Result<Vec<u8>, Error> {
    let (mut tail, mut fold) = (Vec::new(), Fold::default());
    let mut keep = |folded: &[u8]| {
        tail.extend_from_slice(folded);
        let surplus = tail.len().saturating_sub(OUTPUT_LIMIT);
        tail.drain(..surplus);
    };
    let mut buffer = [0; 8 * 1024];
    let mut stdin = std::io::stdin().lock();
    loop {
        let read = match stdin.read(&mut buffer) {
            Ok(read) => read,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => {
                return Err(usage(format!(
                    "Can't read the message from standard input: {e}"
                )));
            }
        };
        if read == 0 {
            break;
        }
        fold.push(&buffer[..read], &mut keep);
    }
    fold.finish(&mut keep);
    Ok(tail)
}
