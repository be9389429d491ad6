//! `pakyas channel …`: where alerts go.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::{Context, confirm, name, number, usage};
use crate::client::api::Api;
use crate::client::args::{
    ChannelCommand, ChannelCreate, ChannelDelete, ChannelDeliveries, ChannelUpdate,
};
use crate::client::error::{Error, Kind};
use crate::client::lookup;
use crate::client::render::{self, Format, Table, clean, relative};
use crate::client::settings::same_name;
use crate::secret::Secret;
use crate::wire::{Channel, ChannelChange, ChannelKind, ChannelTest, DeliveryList, NewChannel};

/// The longest target, characters: no address is longer.
const TARGET_MAX: usize = 2_000;

/// How many deliveries are shown where nobody says, and at most.
const DELIVERIES: u64 = 20;
const DELIVERIES_MAX: u64 = 1000;

pub fn run(context: &Context, command: ChannelCommand) -> Result<i32, Error> {
    match command {
        ChannelCommand::Create(typed) => create(context, &typed).map(|()| 0),
        ChannelCommand::List(_) => list(context).map(|()| 0),
        ChannelCommand::Update(typed) => update(context, &typed).map(|()| 0),
        ChannelCommand::Test(typed) => test(context, &typed.name),
        ChannelCommand::Deliveries(typed) => deliveries(context, &typed).map(|()| 0),
        ChannelCommand::Delete(typed) => delete(context, &typed).map(|()| 0),
    }
}

fn create(context: &Context, typed: &ChannelCreate) -> Result<(), Error> {
    let kinds = [ChannelKind::Webhook, ChannelKind::Email, ChannelKind::Slack];
    let Some(kind) = kinds.into_iter().find(|kind| kind.as_str() == typed.kind) else {
        return Err(usage(format!(
            "'{}' is not a kind of channel; there are webhook, email and slack",
            typed.kind.escape_debug()
        )));
    };
    let name = name("--name", &typed.name)?;
    let target = target(kind, &typed.target)?;
    let secret = secret(typed.secret.as_deref())?;
    let api = context.api()?;
    // Only the flag narrows a channel: a project in use is about checks.
    let (project_id, check_id) = match (&typed.check, &context.globals().project) {
        (Some(check), _) => {
            let check = lookup::check_or_id(&api, &context.settings.project()?, check)?;
            (None, Some(check.id))
        }
        (None, Some(project)) => (Some(lookup::project(&api, project)?.id), None),
        (None, None) => (None, None),
    };
    let new = NewChannel {
        org_id: api.org_id()?,
        project_id,
        check_id,
        kind,
        name,
        target,
        secret,
    };
    let channel: Channel = api.post("/channels", &new)?;
    context.talk.note(&format!(
        "Created the channel '{name}'. Try it: pakyas channel test \"{name}\"",
        name = clean(&channel.name)
    ));
    render::one(context.format, &channel, String::new)
}

/// A target as typed: who knows the URL of a Slack channel can post there, so it may be in a
/// file.
fn target(kind: ChannelKind, text: &str) -> Result<String, Error> {
    let target = Secret::from_setting("--target", text.trim()).map_err(usage)?;
    let target = target.expose();
    let is_url = target.starts_with("http://") || target.starts_with("https://");
    if target.is_empty()
        || target.chars().count() > TARGET_MAX
        || target.chars().any(|c| c.is_control() || c.is_whitespace())
        || (kind != ChannelKind::Email && !is_url)
    {
        // What was to be a Slack URL may be most of one, and that is not to be shown.
        let shown = match kind {
            ChannelKind::Slack => "this".to_owned(),
            _ => format!(
                "'{}'",
                target.chars().take(100).collect::<String>().escape_debug()
            ),
        };
        return Err(usage(format!(
            "--target: {shown} is not where a {} channel can go; write it as {}",
            kind.as_str(),
            match kind {
                ChannelKind::Email => "ops@example.com",
                ChannelKind::Slack => "https://hooks.slack.com/services/…",
                ChannelKind::Webhook => "https://example.com/hook",
            }
        )));
    }
    Ok(target.to_owned())
}

fn secret(typed: Option<&str>) -> Result<Option<String>, Error> {
    let secret = typed.map(|text| Secret::from_setting("--secret", text));
    let secret = secret.transpose().map_err(usage)?;
    Ok(secret.map(|secret| secret.expose().to_owned()))
}

fn update(context: &Context, typed: &ChannelUpdate) -> Result<(), Error> {
    let enabled = match (typed.enable, typed.disable) {
        (true, true) => return Err(usage("--enable and --disable can't both be; give one")),
        (true, false) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    };
    let mut change = ChannelChange {
        name: typed
            .name
            .as_deref()
            .map(|text| name("--name", text))
            .transpose()?,
        target: None,
        secret: secret(typed.secret.as_deref())?,
        enabled,
    };
    if change == ChannelChange::default() && typed.target.is_none() {
        return Err(usage(
            "'pakyas channel update' needs something to change, as --target URL; see pakyas channel update --help",
        ));
    }
    let api = context.api()?;
    let channel = find(&api, &typed.channel)?;
    if let Some(text) = &typed.target {
        change.target = Some(target(channel.kind, text)?);
    }
    let channel: Channel = api.put(&format!("/channels/{}", channel.id), &change)?;
    context
        .talk
        .note(&format!("Changed the channel '{}'", clean(&channel.name)));
    render::one(context.format, &channel, String::new)
}

fn channels(api: &Api<'_>) -> Result<Vec<Channel>, Error> {
    api.get(&format!("/channels?org_id={}", api.org_id()?))
}

fn list(context: &Context) -> Result<(), Error> {
    let api = context.api()?;
    let channels = channels(&api)?;
    if channels.is_empty() {
        context.talk.note(
            "There are no channels, so nobody is alerted. Make one: \
             pakyas channel create --kind webhook --name NAME --target URL",
        );
    }
    // Their names are asked for only where they are needed: scripts get ids.
    let table = context.format == Format::Table;
    let of_project = table && channels.iter().any(|c| c.project_id.is_some());
    let of_check = table && channels.iter().any(|c| c.check_id.is_some());
    let projects = if of_project {
        api.projects()?
    } else {
        Vec::new()
    };
    let checks = if of_check {
        api.checks(None)?
    } else {
        Vec::new()
    };
    let hears_of = |channel: &Channel| match (channel.project_id, channel.check_id) {
        (_, Some(id)) => {
            let check = checks.iter().find(|check| check.id == id);
            check.map_or("a deleted check".to_owned(), |check| {
                format!("check {}", check.slug)
            })
        }
        (Some(id), None) => {
            let project = projects.iter().find(|project| project.id == id);
            project.map_or("a deleted project".to_owned(), |project| {
                format!("project {}", project.name)
            })
        }
        (None, None) => "all".to_owned(),
    };
    render::list(context.format, &channels, || {
        if channels.is_empty() {
            return String::new();
        }
        let now = Timestamp::now();
        let mut table = Table::new(
            &[
                "NAME", "KIND", "TARGET", "HEARS OF", "SIGNED", "STATE", "CREATED", "ID",
            ],
            &[2, 0, 3, 5],
        );
        for channel in &channels {
            table.row([
                channel.name.clone(),
                channel.kind.as_str().to_owned(),
                channel.target.clone(),
                hears_of(channel),
                if channel.has_secret { "yes" } else { "no" }.to_owned(),
                state(channel, now),
                relative(channel.created_at, now),
                channel.id.to_string(),
            ]);
        }
        table.text(context.screen)
    })
}

/// How a channel's deliveries go, in a few words.
fn state(channel: &Channel, now: Timestamp) -> String {
    let state = match (channel.failing_since, channel.last_delivery_at) {
        _ if !channel.enabled => match &channel.disabled_reason {
            Some(why) => format!("disabled: {why}"),
            None => "disabled".to_owned(),
        },
        (Some(since), _) => format!("failing since {}", relative(since, now)),
        (None, Some(last)) => format!("delivered {}", relative(last, now)),
        (None, None) => "unused".to_owned(),
    };
    match channel.pending {
        0 => state,
        waiting => format!("{state}, {waiting} waiting"),
    }
}

fn deliveries(context: &Context, typed: &ChannelDeliveries) -> Result<(), Error> {
    let limit = match &typed.limit {
        Some(text) => number("--limit", text, 1, DELIVERIES_MAX)?,
        None => DELIVERIES,
    };
    let api = context.api()?;
    let channel = find(&api, &typed.name)?;
    let list: DeliveryList = api.get(&format!(
        "/channels/{}/deliveries?limit={limit}",
        channel.id
    ))?;
    if list.deliveries.is_empty() {
        context.talk.note(&format!(
            "The channel '{name}' was not to hear of anything yet. Try it: pakyas channel test \"{name}\"",
            name = clean(&channel.name)
        ));
    }
    if let Some(why) = channel
        .disabled_reason
        .as_ref()
        .filter(|_| !channel.enabled)
    {
        context.talk.note(&format!(
            "The channel '{name}' is disabled: {why}. Switch it on again: pakyas channel update \"{name}\" --enable",
            name = clean(&channel.name),
            why = clean(why)
        ));
    }
    render::list(context.format, &list.deliveries, || {
        if list.deliveries.is_empty() {
            return String::new();
        }
        let now = Timestamp::now();
        let mut table = Table::new(
            &[
                "TRIGGERED",
                "EVENT",
                "CHECK",
                "STATE",
                "TRIED",
                "NEXT",
                "ANSWER",
            ],
            &[6],
        );
        for delivery in &list.deliveries {
            table.row([
                relative(delivery.triggered_at, now),
                delivery.event.clone(),
                delivery.check_slug.clone(),
                delivery.state.clone(),
                delivery.attempts.to_string(),
                render::or_dash(delivery.next_attempt_at.map(|at| {
                    if at <= now {
                        "now".to_owned()
                    } else {
                        relative(at, now)
                    }
                })),
                render::or_dash(delivery.last_answer.clone()),
            ]);
        }
        table.text(context.screen)
    })
}

/// The channel called `wanted`: by name in any case, or by id.
fn find(api: &Api<'_>, wanted: &str) -> Result<Channel, Error> {
    let channels = channels(api)?;
    let id = Uuid::try_parse(wanted).ok();
    let found = channels
        .iter()
        .find(|c| Some(c.id) == id || same_name(&c.name, wanted));
    found.cloned().ok_or_else(|| {
        let names: Vec<_> = channels.iter().map(|c| clean(&c.name)).collect();
        Error::new(
            Kind::NotFound,
            format!(
                "Channel not found: none is called '{}'. There are: {}\n  pakyas channel list",
                wanted.escape_debug(),
                if names.is_empty() {
                    "none yet".to_owned()
                } else {
                    names.join(", ")
                }
            ),
        )
    })
}

fn delete(context: &Context, typed: &ChannelDelete) -> Result<(), Error> {
    let api = context.api()?;
    let channel = find(&api, &typed.name)?;
    let name = clean(&channel.name);
    confirm(
        &format!("Delete the channel '{name}'? It hears of nothing more."),
        typed.yes,
    )?;
    api.act("DELETE", &format!("/channels/{}", channel.id))?;
    context.talk.note(&format!("Deleted the channel '{name}'"));
    let result = json!({ "id": channel.id, "name": channel.name, "deleted": true });
    render::one(context.format, &result, String::new)
}

fn test(context: &Context, wanted: &str) -> Result<i32, Error> {
    let api = context.api()?;
    let channel = find(&api, wanted)?;
    let result: ChannelTest = api.post(&format!("/channels/{}/test", channel.id), &json!({}))?;
    render::one(context.format, &result, || {
        let status = result
            .status
            .map_or_else(String::new, |status| format!(" with {status}"));
        let how = if result.delivered {
            "took the test alert"
        } else {
            "did not take the test alert"
        };
        let name = clean(&channel.name);
        let said = match clean(result.answer.trim()) {
            said if said.is_empty() => String::new(),
            said => format!(": {said}"),
        };
        // Without a status there is no HTTP answer to speak of: the words say what happened.
        match result.status {
            Some(_) => format!(
                "The channel '{name}' {how}: it answered{status} after {} ms{said}\n",
                result.duration_ms
            ),
            None => format!(
                "The channel '{name}' {how} ({} ms){said}\n",
                result.duration_ms
            ),
        }
    })?;
    Ok(i32::from(!result.delivered))
}
