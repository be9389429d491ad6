//! `pakyas channel …`: where alerts go.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::{Context, confirm, name, usage};
use crate::client::api::Api;
use crate::client::args::{ChannelCommand, ChannelCreate, ChannelDelete};
use crate::client::error::{Error, Kind};
use crate::client::lookup;
use crate::client::render::{self, Table, clean, relative};
use crate::client::settings::same_name;
use crate::secret::Secret;
use crate::wire::{Channel, ChannelKind, ChannelTest, NewChannel};

/// The longest target, characters: no address is longer.
const TARGET_MAX: usize = 2_000;

pub fn run(context: &Context, command: ChannelCommand) -> Result<i32, Error> {
    match command {
        ChannelCommand::Create(typed) => create(context, &typed).map(|()| 0),
        ChannelCommand::List(_) => list(context).map(|()| 0),
        ChannelCommand::Test(typed) => test(context, &typed.name),
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
    let target = typed.target.trim();
    let is_url = target.starts_with("http://") || target.starts_with("https://");
    if target.is_empty()
        || target.chars().count() > TARGET_MAX
        || target.chars().any(|c| c.is_control() || c.is_whitespace())
        || (kind != ChannelKind::Email && !is_url)
    {
        return Err(usage(format!(
            "--target: '{}' is not where a {} channel can go; write it as {}",
            target.chars().take(100).collect::<String>().escape_debug(),
            kind.as_str(),
            if kind == ChannelKind::Email {
                "ops@example.com"
            } else {
                "https://example.com/hook"
            }
        )));
    }
    let secret = match &typed.secret {
        Some(text) => Some(Secret::from_setting(text).map_err(usage)?),
        None => None,
    };
    let api = context.api()?;
    // Only the flag narrows a channel: a project in use is about checks.
    let project_id = match &context.globals().project {
        Some(project) => Some(lookup::project(&api, project)?.id),
        None => None,
    };
    let new = NewChannel {
        org_id: api.org_id()?,
        project_id,
        kind,
        name,
        target: target.to_owned(),
        secret: secret.map(|secret| secret.expose().to_owned()),
    };
    let channel: Channel = api.post("/channels", &new)?;
    context.talk.note(&format!(
        "Created the channel '{name}'. Try it: pakyas channel test \"{name}\"",
        name = clean(&channel.name)
    ));
    render::one(context.format, &channel, String::new)
}

fn channels(api: &Api<'_>) -> Result<Vec<Channel>, Error> {
    api.get(&format!("/channels?org_id={}", api.org_id()?))
}

fn list(context: &Context) -> Result<(), Error> {
    let channels = channels(&context.api()?)?;
    if channels.is_empty() {
        context.talk.note(
            "There are no channels, so nobody is alerted. Make one: \
             pakyas channel create --kind webhook --name NAME --target URL",
        );
    }
    render::list(context.format, &channels, || {
        if channels.is_empty() {
            return String::new();
        }
        let now = Timestamp::now();
        let mut table = Table::new(
            &["NAME", "KIND", "TARGET", "SIGNED", "CREATED", "ID"],
            &[2, 0],
        );
        for channel in &channels {
            table.row([
                channel.name.clone(),
                channel.kind.as_str().to_owned(),
                channel.target.clone(),
                if channel.has_secret { "yes" } else { "no" }.to_owned(),
                relative(channel.created_at, now),
                channel.id.to_string(),
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
        format!(
            "The channel '{}' {how}: it answered{status} after {} ms: {}\n",
            clean(&channel.name),
            result.duration_ms,
            clean(result.answer.trim())
        )
    })?;
    Ok(i32::from(!result.delivered))
}
