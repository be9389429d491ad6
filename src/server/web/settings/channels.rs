//! Alert channels: listed with how they are, made, tried out, switched, and what became of what
//! they were sent.

use askama::Template;
use uuid::Uuid;

use super::super::fields::{Choice, Field, Problems};
use super::super::moment::{Moment, Part, parts};
use super::super::page::Frame;
use super::super::place::{Page, Place, Stop, Token, ours, refuse, token};
use super::super::visit::Visit;
use super::subject::{Names, Typed};
use super::{Head, done, field, filling_in};
use crate::server::api::channels as api;
use crate::server::clock;
use crate::server::store::{channels, deliveries, projects};
use crate::wire::{Channel, ChannelChange, ChannelKind, ChannelTest, DeliveryRecord, NewChannel};

/// How many deliveries a channel's page shows.
const SHOWN: u32 = 50;

/// A channel as the page lists it.
struct Row {
    channel: Channel,
    about: String,
    last: Option<Moment>,
    failing: Option<Moment>,
}

#[derive(Template)]
#[template(path = "channels.html")]
struct List<'a> {
    frame: Frame<'a>,
    head: Head<'a>,
    rows: Vec<Row>,
    may: bool,
    problems: &'a Problems,
    fields: [Field; 4],
    about: [Field; 2],
}

/// A delivery as the page lists it.
struct Sent {
    record: DeliveryRecord,
    message: Vec<Part>,
    at: Moment,
    next: Option<Moment>,
}

#[derive(Template)]
#[template(path = "channel.html")]
struct One<'a> {
    frame: Frame<'a>,
    head: Head<'a>,
    row: Row,
    may: bool,
    problems: &'a Problems,
    fields: Vec<Field>,
    test: Option<ChannelTest>,
    sent: Vec<Sent>,
    total: u64,
}

/// What was typed for a new one. A secret is not shown again.
#[derive(Default)]
struct New {
    kind: String,
    name: String,
    target: String,
    about: Typed,
}

pub(super) fn list(visit: &Visit<'_>) -> Page {
    let place = Place::of(visit)?;
    page(visit, &place, &Problems::default(), &New::default())
}

fn page(visit: &Visit<'_>, place: &Place, problems: &Problems, new: &New) -> Page {
    let (rows, projects) = visit.app.store.read(|connection| {
        let projects = projects::list(connection, place.org())?;
        let names = Names::of(&projects);
        let mut rows = Vec::new();
        for channel in channels::list(connection, place.org())? {
            let (project, check) = (channel.project_id, channel.check_id);
            let about = names.say(connection, place.org(), project, check)?;
            rows.push(row(channel, about));
        }
        Ok((rows, projects))
    })?;
    let mut kinds = vec![
        Choice::new("email", "Email"),
        Choice::new("slack", "Slack"),
        Choice::new("webhook", "Webhook"),
    ];
    let can_mail = visit.app.notifier.can_mail();
    if !can_mail {
        kinds.remove(0);
    }
    let template = List {
        frame: place.frame(visit),
        head: Head::new(visit, place, "channels"),
        rows,
        may: place.may("manage"),
        problems,
        fields: [
            Field::select("kind", "Kind", kinds)
                .value(&new.kind)
                .hint(if can_mail {
                    ""
                } else {
                    "This server has no mail server to send through: its operator can start it with --smtp-host and --smtp-from."
                })
                .of(problems),
            Field::new("name", "Name")
                .value(&new.name)
                .required()
                .of(problems),
            Field::new("target", "Target")
                .value(&new.target)
                .hint("An address such as ops@example.com, the URL of a Slack incoming webhook, or a URL that takes JSON.")
                .required()
                .of(problems),
            Field::new("secret", "Secret")
                .kind("password")
                .autocomplete("new-password")
                .hint("For webhooks, if you like: each delivery is signed with it. It is never shown again.")
                .of(problems),
        ],
        about: new.about.fields(&projects, problems),
    };
    Ok(visit.page(problems.status(), &template))
}

fn row(channel: Channel, about: String) -> Row {
    Row {
        last: channel.last_delivery_at.map(Moment::of),
        failing: channel.failing_since.map(Moment::of),
        channel,
        about,
    }
}

pub(super) fn create(visit: &Visit<'_>) -> Page {
    let (token, place) = filling_in(visit, "manage")?;
    let typed = New {
        kind: field(visit, "kind"),
        name: field(visit, "name"),
        target: field(visit, "target"),
        about: Typed::sent(visit),
    };
    token.or_again(|problems| page(visit, &place, problems, &typed))?;
    let mut problems = Problems::default();
    let (project_id, check_id) = typed.about.find(visit, &place, &mut problems)?;
    let kind = match typed.kind.as_str() {
        "email" => Some(ChannelKind::Email),
        "slack" => Some(ChannelKind::Slack),
        "webhook" => Some(ChannelKind::Webhook),
        _ => None,
    };
    let Some(kind) = kind else {
        problems.add("kind", "Choose what kind of channel it is");
        return page(visit, &place, &problems, &typed);
    };
    if !problems.is_empty() {
        return page(visit, &place, &problems, &typed);
    }
    let new = NewChannel {
        org_id: place.org(),
        project_id,
        check_id,
        kind,
        name: typed.name.clone(),
        target: typed.target.clone(),
        secret: visit.request.form("secret"),
    };
    match api::make(visit.app, &place.caller, new) {
        Ok(channel) => {
            let path = format!("channels/{}", channel.id);
            Ok(done(visit, &place, &path, "created"))
        }
        Err(error) => {
            problems.take(visit, &error)?;
            page(visit, &place, &problems, &typed)
        }
    }
}

pub(super) fn show(visit: &Visit<'_>, id: &str) -> Page {
    let (place, channel) = find(visit, id)?;
    let (name, target) = (channel.name.clone(), shown(&channel));
    one(
        visit,
        &place,
        channel,
        &Problems::default(),
        None,
        &name,
        &target,
    )
}

fn find(visit: &Visit<'_>, id: &str) -> Result<(Place, Channel), Stop> {
    Place::with(visit, id, channels::get)
}

/// The same for a button, where they may change it.
fn changing(visit: &Visit<'_>, id: &str) -> Result<(Place, Channel), Stop> {
    ours(visit)?;
    let (place, channel) = find(visit, id)?;
    place.need(visit, "manage")?;
    Ok((place, channel))
}

/// The same for the form that is filled in, with what its token is worth.
fn editing(visit: &Visit<'_>, id: &str) -> Result<(Token, Place, Channel), Stop> {
    let token = token(visit)?;
    let (place, channel) = find(visit, id)?;
    place.need(visit, "manage")?;
    Ok((token, place, channel))
}

/// What the field for the target begins with. That of a Slack channel is not known in full.
fn shown(channel: &Channel) -> String {
    match channel.kind {
        ChannelKind::Slack => String::new(),
        ChannelKind::Email | ChannelKind::Webhook => channel.target.clone(),
    }
}

fn one(
    visit: &Visit<'_>,
    place: &Place,
    channel: Channel,
    problems: &Problems,
    test: Option<ChannelTest>,
    name: &str,
    target: &str,
) -> Page {
    let (about, list) = visit.app.store.read(|connection| {
        let names = Names::of(&projects::list(connection, place.org())?);
        let (project, check) = (channel.project_id, channel.check_id);
        Ok((
            names.say(connection, place.org(), project, check)?,
            deliveries::list(connection, place.org(), channel.id, SHOWN)?,
        ))
    })?;
    let mut fields = vec![
        Field::new("name", "Name")
            .value(name)
            .required()
            .of(problems),
        Field::new("target", "Target")
            .value(target)
            .hint(match channel.kind {
                ChannelKind::Slack => "Left empty, it stays as it is.",
                _ => "",
            })
            .of(problems),
    ];
    if channel.kind == ChannelKind::Webhook {
        let hint = match channel.has_secret {
            true => "Left empty, it stays as it is.",
            false => "Each delivery is signed with it.",
        };
        fields.push(
            Field::new("secret", "New secret")
                .kind("password")
                .autocomplete("new-password")
                .hint(hint)
                .of(problems),
        );
    }
    let sent = list.deliveries.into_iter().map(|record| Sent {
        message: parts(&record.message, clock::now()),
        at: Moment::of(record.triggered_at),
        next: record.next_attempt_at.map(Moment::of),
        record,
    });
    let template = One {
        frame: place.frame(visit),
        head: Head::new(visit, place, "channels"),
        row: row(channel, about),
        may: place.may("manage"),
        problems,
        fields,
        test,
        sent: sent.collect(),
        total: list.total,
    };
    Ok(visit.page(problems.status(), &template))
}

pub(super) fn update(visit: &Visit<'_>, id: &str) -> Page {
    let (token, place, channel) = editing(visit, id)?;
    let (name, target) = (field(visit, "name"), field(visit, "target"));
    token.or_again(|problems| {
        let channel = channel.clone();
        one(visit, &place, channel, problems, None, &name, &target)
    })?;
    let given = visit.request.form("secret").filter(|text| !text.is_empty());
    let change = ChannelChange {
        name: Some(name.clone()),
        target: Some(target.clone()).filter(|text| !text.is_empty() && *text != channel.target),
        secret: match field(visit, "unsigned").as_str() {
            "" => given,
            _ => Some(String::new()),
        },
        enabled: None,
    };
    match api::change(visit.app, &place.caller, &channel, change) {
        Ok(channel) => {
            let path = format!("channels/{}", channel.id);
            Ok(done(visit, &place, &path, "changed"))
        }
        Err(error) => {
            let mut problems = Problems::default();
            problems.take(visit, &error)?;
            one(visit, &place, channel, &problems, None, &name, &target)
        }
    }
}

/// Sends a test, and shows what the target answered.
pub(super) fn test(visit: &Visit<'_>, id: &str) -> Page {
    let (place, channel) = changing(visit, id)?;
    let told = api::try_out(visit.app, &place.caller, channel.id)
        .map_err(|error| refuse(visit, &error))?;
    let (name, target) = (channel.name.clone(), shown(&channel));
    one(
        visit,
        &place,
        channel,
        &Problems::default(),
        Some(told),
        &name,
        &target,
    )
}

pub(super) fn switch(visit: &Visit<'_>, id: &str) -> Page {
    let (place, channel) = changing(visit, id)?;
    let on = field(visit, "to") == "on";
    let change = ChannelChange {
        enabled: Some(on),
        ..ChannelChange::default()
    };
    api::change(visit.app, &place.caller, &channel, change)
        .map_err(|error| refuse(visit, &error))?;
    let path = format!("channels/{}", channel.id);
    Ok(done(visit, &place, &path, if on { "on" } else { "off" }))
}

pub(super) fn delete(visit: &Visit<'_>, id: &str) -> Page {
    let (place, channel) = changing(visit, id)?;
    let (org_id, id): (Uuid, Uuid) = (place.org(), channel.id);
    visit
        .app
        .store
        .write(move |desk| channels::delete(desk, org_id, id))?;
    Ok(done(visit, &place, "channels", "deleted"))
}
