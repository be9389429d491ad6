//! What a mail looks like: its subject, and the same told in text and in HTML.

use super::super::digest::{Digest, since};
use crate::wire::webhook::{Delivery, Event};

/// The longest subject, characters.
const SUBJECT_MAX: usize = 150;

/// A mail's changing parts.
pub struct Body {
    /// One line.
    pub subject: String,
    /// For those who read text.
    pub text: String,
    /// For the others. It loads nothing from anywhere.
    pub html: String,
}

/// A mail about one alert.
pub fn one(delivery: &Delivery) -> Body {
    let alert = &delivery.alert;
    let mut facts = vec![
        (
            "Check",
            format!("{} ({})", delivery.check.name, delivery.check.slug),
        ),
        ("Status", delivery.check.status.as_str().to_owned()),
        ("Project", delivery.project.name.clone()),
        ("Organization", delivery.organization.name.clone()),
        ("Since", since(delivery)),
    ];
    if delivery.event != Event::Test {
        let slug = &delivery.check.slug;
        facts.push(("Look", format!("pakyas check logs {slug}")));
    }
    let mut text = format!("{}\n\n", alert.message);
    let mut html = format!(
        "{}<p><b>{}</b></p>\n<table>\n",
        HEAD,
        escape(&alert.message)
    );
    for (name, value) in &facts {
        text.push_str(&format!("{:<14}{value}\n", format!("{name}:")));
        html.push_str(&format!(
            "<tr><td style=\"padding-right:1em\">{name}</td><td>{}</td></tr>\n",
            escape(value)
        ));
    }
    html.push_str("</table>\n");
    if let Some(output) = alert.output.as_deref().filter(|o| !o.trim().is_empty()) {
        let output = readable(output);
        text.push_str(&format!("\nWhat it printed last:\n\n{output}\n"));
        html.push_str(&format!(
            "<p>What it printed last:</p>\n<pre>{}</pre>\n",
            escape(&output)
        ));
    }
    finish(&subject(delivery), text, html)
}

/// A mail about many.
pub fn many(digest: &Digest) -> Body {
    let headline = digest.headline();
    let mut text = format!("{headline}\n\n");
    let mut html = format!("{}<p><b>{}</b></p>\n<ul>\n", HEAD, escape(&headline));
    for delivery in &digest.named {
        let line = format!(
            "{} ({}), since {}",
            delivery.alert.message,
            delivery.project.name,
            since(delivery)
        );
        text.push_str(&format!("- {line}\n"));
        html.push_str(&format!("<li>{}</li>\n", escape(&line)));
    }
    html.push_str("</ul>\n");
    if let Some(more) = digest.more() {
        text.push_str(&format!("{more}\n"));
        html.push_str(&format!("<p>{}</p>\n", escape(&more)));
    }
    finish(&headline, text, html)
}

const HEAD: &str = "<!doctype html>\n<html><body style=\"font-family:sans-serif\">\n";
const WHY: &str = "Sent by Pakyas to an alert channel of this address: pakyas channel list";

fn finish(subject: &str, text: String, html: String) -> Body {
    let subject: String = subject
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(SUBJECT_MAX)
        .collect();
    Body {
        subject: format!("[Pakyas] {subject}"),
        text: format!("{text}\n-- \n{WHY}\n"),
        html: format!("{html}<p><small>{WHY}</small></p>\n</body></html>\n"),
    }
}

fn subject(delivery: &Delivery) -> String {
    let name = &delivery.check.name;
    match delivery.event {
        Event::Down => format!("DOWN: {name}"),
        Event::Failed => format!("FAILED: {name}"),
        Event::RunningLong => format!("RUNNING LONG: {name}"),
        Event::Up => format!("UP: {name}"),
        Event::Test => "Test of an alert channel".to_owned(),
    }
}

/// An output without what a terminal would act upon.
fn readable(output: &str) -> String {
    output
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect()
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::alerts::digest::tests::storm;

    #[test]
    fn a_mail_about_thousands_names_fifty_counts_the_rest_and_stays_small() {
        let body = many(&storm(10_000));
        assert_eq!(body.subject, "[Pakyas] 10000 checks: 10000 failed");
        for text in [&body.text, &body.html] {
            assert!(text.contains("and 9950 more; pakyas check list shows all"));
            assert!(text.contains("0049 ") && !text.contains("0050 "));
            assert!(text.len() < 100_000, "{}", text.len());
        }
        assert!(!many(&storm(50)).text.contains(" more; "));
    }

    #[test]
    fn what_means_something_to_html_is_escaped() {
        assert_eq!(
            escape("<script>\"a\" & 'b'</script>"),
            "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;"
        );
    }

    #[test]
    fn a_subject_is_one_line_whatever_a_check_is_called() {
        let body = finish("DOWN: a\r\nBcc: x@y.example", String::new(), String::new());
        assert_eq!(body.subject, "[Pakyas] DOWN: a  Bcc: x@y.example");
    }
}
