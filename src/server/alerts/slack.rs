//! The Slack channel: an incoming webhook, with blocks and a fallback text.
//!
//! Limits and escaping: <https://docs.slack.dev/reference/block-kit/blocks> and
//! <https://docs.slack.dev/messaging/formatting-message-text>.

use serde_json::{Value, json};

use super::digest::{Digest, since};
use super::{Answer, Message, Verdict, webhook};
use crate::wire::webhook::{Delivery, Event};

/// The longest text of a header block, characters.
const HEADER_MAX: usize = 150;

/// The longest text of a section block, characters.
const SECTION_MAX: usize = 3000;

/// How much of an output is shown, characters before escaping. Its end says most.
const OUTPUT_MAX: usize = 1500;

/// Posts `message` to an incoming webhook.
///
/// What Slack answers goes by its status, as with any webhook: 410 `channel_is_archived` is final.
/// 404 `no_service` and `channel_not_found`, 403 `action_prohibited` and 400 `invalid_payload` are
/// tried again: someone may set that right, and a proxy on the way answers 404 as well
/// (<https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks>).
pub fn send(agent: &ureq::Agent, target: &str, message: &Message) -> Answer {
    let body = match message {
        Message::One(payload, _) => match serde_json::from_str(payload) {
            Ok(delivery) => one(&delivery),
            Err(error) => {
                return Answer {
                    verdict: Verdict::GiveUp,
                    status: None,
                    retry_after: None,
                    text: format!("the stored alert can't be read: {error}"),
                };
            }
        },
        Message::Digest(digest) => many(digest),
    };
    webhook::send(agent, target, None, &body.to_string())
}

fn one(delivery: &Delivery) -> Value {
    let message = &delivery.alert.message;
    let mut blocks = vec![
        json!({"type": "header", "text": {
            "type": "plain_text",
            "text": cut(&escape(&title(delivery)), HEADER_MAX),
        }}),
        section(&escape(message)),
        context(&format!(
            "{} · {} · `{}` · {}",
            escape(&delivery.organization.name),
            escape(&delivery.project.name),
            escape(&delivery.check.slug),
            since(delivery)
        )),
    ];
    if let Some(output) = delivery
        .alert
        .output
        .as_deref()
        .filter(|o| !o.trim().is_empty())
    {
        blocks.push(section(&code(output)));
    }
    json!({ "text": escape(message), "blocks": blocks })
}

fn many(digest: &Digest) -> Value {
    let headline = digest.headline();
    let mut blocks = vec![json!({"type": "header", "text": {
        "type": "plain_text",
        "text": cut(&escape(&headline), HEADER_MAX),
    }})];
    let mut text = String::new();
    for delivery in &digest.named {
        let line = format!(
            "{} {} ({}), since {}\n",
            mark(delivery.event),
            escape(&delivery.alert.message),
            escape(&delivery.project.name),
            since(delivery)
        );
        if text.chars().count() + line.chars().count() > SECTION_MAX {
            blocks.push(section(&text));
            text.clear();
        }
        text.push_str(&line);
    }
    if !text.is_empty() {
        blocks.push(section(&text));
    }
    if let Some(more) = digest.more() {
        blocks.push(context(&more));
    }
    json!({ "text": escape(&headline), "blocks": blocks })
}

fn title(delivery: &Delivery) -> String {
    let name = &delivery.check.name;
    let what = match delivery.event {
        Event::Down => "is down",
        Event::Failed => "failed",
        Event::RunningLong => "is running long",
        Event::Up => "is up again",
        Event::Test => "of an alert channel",
    };
    format!("{} {name} {what}", mark(delivery.event))
}

fn mark(event: Event) -> &'static str {
    match event {
        Event::Down | Event::Failed => "🔴",
        Event::RunningLong => "🟠",
        Event::Up => "🟢",
        Event::Test => "🔔",
    }
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": cut(text, SECTION_MAX)}})
}

fn context(text: &str) -> Value {
    json!({"type": "context", "elements": [{"type": "mrkdwn", "text": cut(text, SECTION_MAX)}]})
}

/// The end of an output as a code block that it can't close.
fn code(output: &str) -> String {
    let skip = output.chars().count().saturating_sub(OUTPUT_MAX);
    let mut room = SECTION_MAX - 20;
    // Escaping makes text longer: what is kept is counted as it will be sent.
    let mut kept: Vec<String> = Vec::new();
    for character in output
        .chars()
        .skip(skip)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        let text = match character {
            '`' => "'".to_owned(),
            '\n' | '\t' => character.to_string(),
            other if other.is_control() => continue,
            other => escape(&other.to_string()),
        };
        let Some(left) = room.checked_sub(text.chars().count()) else {
            break;
        };
        room = left;
        kept.push(text);
    }
    kept.reverse();
    format!("```\n{}\n```", kept.concat().trim_end())
}

/// The three characters that mean something to Slack.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// At most `most` characters, an entity not cut in two.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most - 1).collect();
    if let Some(at) = short.rfind('&')
        && !short[at..].contains(';')
    {
        short.truncate(at);
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::alerts::digest::tests::storm;
    use proptest::prelude::*;

    /// The most blocks that one message may have.
    const BLOCKS_MAX: usize = 50;

    #[test]
    fn a_digest_of_thousands_stays_within_what_slack_takes() {
        let message = many(&storm(10_000));
        let blocks = message["blocks"].as_array().unwrap();
        assert!(blocks.len() <= BLOCKS_MAX, "{}", blocks.len());
        let texts: Vec<&str> = blocks
            .iter()
            .filter_map(|block| block["text"]["text"].as_str())
            .collect();
        assert!(texts.iter().all(|text| text.chars().count() <= SECTION_MAX));
        let all = texts.concat();
        assert!(all.contains("0049 ") && !all.contains("0050 "));
        assert!(message.to_string().contains("and 9950 more"));
    }

    #[test]
    fn what_means_something_to_slack_is_escaped_and_no_entity_is_cut_in_two() {
        assert_eq!(escape("<!channel> & co"), "&lt;!channel&gt; &amp; co");
        assert_eq!(cut("abc&amp;d", 6), "abc…");
        assert_eq!(cut("abc", 3), "abc");
    }

    proptest! {
        #[test]
        fn an_output_stays_in_its_block_and_within_the_limit(output in "[<>&`a\\n\\x00é]{0,4000}") {
            let block = code(&output);
            prop_assert!(block.chars().count() <= SECTION_MAX);
            prop_assert_eq!(block.matches('`').count(), 6);
            prop_assert!(!block.contains('<') && !block.contains('>'));
        }
    }
}
