//! What a page does while it is looked at: it changes what is new and leaves the reader alone, and
//! says so where it is old.

use serde_json::{Value, json};

use crate::browser::tab::{PHONE, Tab};
use crate::browser::{ME, server};
use crate::support::server::Server;

const NONE: Value = Value::Null;

/// A check that failed with a long output, and its page with somebody signed in.
fn failed(server: &Server) -> Option<(Value, Tab)> {
    let check = server.check("backup", 3600, 300, &NONE);
    let output: String = (1..=200).map(|line| format!("line {line}\n")).collect();
    let output = format!("{output}disk full on /backups\n");
    server.ping_with(&check, "/fail", &[], output.as_bytes());
    let mut tab = Tab::new(server)?;
    tab.open("/");
    tab.sign_in(ME);
    tab.open(&path(&check));
    Some((check, tab))
}

fn path(check: &Value) -> String {
    format!("/checks/{}", check["id"].as_str().unwrap())
}

#[test]
fn why_a_run_failed_is_seen_without_scrolling_in_its_box() {
    let server = server();
    let Some((_, mut tab)) = failed(&server) else {
        return;
    };
    for size in [PHONE, (1280, 900)] {
        tab.resize(size);
        let seen = "(() => { const box = document.querySelector('.now pre');
            return box.scrollHeight <= box.clientHeight
                && box.getBoundingClientRect().bottom < innerHeight
                && box.textContent.trim().endsWith('disk full on /backups'); })()";
        assert_eq!(tab.evaluate(seen), true, "{size:?}: {}", tab.text());
    }
}

#[test]
fn on_a_phone_a_box_that_is_too_small_for_long_lines_begins_at_their_end() {
    let server = server();
    let Some((check, mut tab)) = failed(&server) else {
        return;
    };
    let output = format!("{}\n", "quite a long line of something ".repeat(9)).repeat(12);
    let output = format!("{output}disk full on /backups\n");
    server.ping_with(&check, "/fail", &[], output.as_bytes());
    tab.resize((360, 740));
    tab.open(&path(&check));
    let seen = "(() => { const box = document.querySelector('.now pre');
        const text = document.createRange();
        text.selectNodeContents(box);
        const lines = [...text.getClientRects()].at(-1);
        const frame = box.getBoundingClientRect();
        return [box.scrollHeight > box.clientHeight, lines.bottom <= frame.bottom,
            lines.top >= frame.top, frame.bottom < innerHeight]; })()";
    assert_eq!(tab.evaluate(seen), json!([true, true, true, true]));
}

#[test]
fn news_leave_the_focus_the_scroll_and_an_open_output_where_they_are() {
    let server = server();
    let Some((check, mut tab)) = failed(&server) else {
        return;
    };
    tab.evaluate("document.querySelector('a[data-output]').click()");
    tab.sees("Result");
    tab.unfold("crontab");
    tab.focus("tr.opened pre");
    tab.evaluate("document.querySelector('tr.opened pre').scrollTop = 700");
    server.ping_with(&check, "/5", &[], b"no route to host\n");
    tab.look_again();
    tab.sees("no route to host");
    let kept = "(() => { const box = document.querySelector('tr.opened pre');
        return [box.scrollTop > 600, document.activeElement === box,
            document.querySelectorAll('details[open]').length,
            box.closest('tr').previousElementSibling.querySelector('a').ariaExpanded]; })()";
    assert_eq!(tab.evaluate(kept), json!([true, true, 1, "true"]));
    // Nor does a heading that was just unfolded lose the focus, or the box at the top.
    for selector in [".now pre", "#setup summary, summary"] {
        tab.focus(selector);
        server.ping_with(
            &check,
            "/6",
            &[],
            format!("told at {selector}\n").as_bytes(),
        );
        tab.look_again();
        tab.sees(&format!("told at {selector}"));
        let tag = tab.evaluate("document.activeElement.localName");
        assert!(tag == "pre" || tag == "summary", "{selector}: {tag}");
    }
    // Nor is it taken away when its run is not among the newest any more.
    for _ in 0..26 {
        server.ping(&check, "");
    }
    tab.look_again();
    tab.sees_no_more("told at");
    assert_eq!(
        tab.evaluate("document.querySelector('tr.opened pre').textContent.includes('line 200')"),
        true
    );
    // The same row folds it up again.
    tab.evaluate("document.querySelector('a[data-output][aria-expanded=true]').click()");
    assert_eq!(
        tab.evaluate("document.querySelectorAll('tr.opened').length"),
        0
    );
    assert_eq!(tab.problems(), Vec::<String>::new());
}

#[test]
fn what_is_typed_stays_and_a_field_or_a_button_with_the_focus_stops_no_news() {
    let server = server();
    let check = server.check("nightly", 3600, 300, &NONE);
    let Some(mut tab) = Tab::new(&server) else {
        return;
    };
    tab.open("/");
    tab.sign_in(ME);
    tab.focus("#q");
    server.ping_with(&check, "/fail", &[], b"first reason\n");
    tab.look_again();
    tab.sees("first reason");
    assert_eq!(tab.evaluate("document.activeElement.id"), "q");
    // While somebody types the page waits, and then goes on by itself with what they typed kept.
    tab.type_keys(&["a", "b"]);
    server.ping_with(&check, "/fail", &[], b"second reason\n");
    tab.look_again();
    tab.sees("second reason");
    let field = tab.evaluate("[document.activeElement.id, document.getElementById('q').value]");
    assert_eq!(field, json!(["q", "ab"]));
    tab.open(&path(&check));
    tab.evaluate("document.querySelector('main button[data-copy]').focus()");
    tab.type_keys(&["Enter"]);
    tab.sees("Copied");
    server.ping_with(&check, "/fail", &[], b"third reason\n");
    tab.look_again();
    tab.sees("third reason");
    assert_eq!(tab.problems(), Vec::<String>::new());
}

#[test]
fn a_page_that_can_not_be_kept_up_to_date_says_since_when_and_why() {
    let server = server();
    let Some((check, mut tab)) = failed(&server) else {
        return;
    };
    tab.sees("Updated ");
    assert!(!tab.text().contains("Not updated"), "{}", tab.text());
    tab.offline(true);
    tab.look_again();
    tab.sees("Not updated since ");
    tab.sees(": the server can't be reached");
    // In sight wherever the page is scrolled to, and told to who can't see it.
    tab.evaluate("scrollTo(0, document.body.scrollHeight)");
    let seen = "(() => { const box = document.getElementById('updated').getBoundingClientRect();
        return [box.top >= 0 && box.bottom <= innerHeight,
            document.getElementById('news').textContent.startsWith('Not updated since')]; })()";
    assert_eq!(tab.evaluate(seen), json!([true, true]));
    assert_eq!(tab.audit(), Vec::<String>::new());
    tab.offline(false);
    tab.look_again();
    tab.sees("Updated ");
    tab.sees_no_more("Not updated");
    tab.answer_with("<p>Buy an hour of our network</p>");
    tab.look_again();
    tab.sees(": something else came in place of this page");
    assert!(!tab.text().contains("Buy an hour"), "{}", tab.text());
    tab.answer_with("");
    tab.look_again();
    tab.sees_no_more("something else came");
    tab.forget();
    tab.look_again();
    tab.sees("You are signed out: sign in");
    assert!(tab.text().contains("disk full"), "what was there stays");
    assert_eq!(tab.audit(), Vec::<String>::new());
    // The link leads back to this page.
    tab.follow("sign in");
    tab.sign_in(ME);
    assert!(tab.url().ends_with(&path(&check)), "{}", tab.url());
}

#[test]
fn on_a_phone_trouble_comes_first_and_nothing_touches() {
    let server = server();
    for name in ["one", "two", "three"] {
        let check = server.check(name, 3600, 300, &NONE);
        server.ping(&check, if name == "two" { "/fail" } else { "" });
    }
    server.webhook("pager", "http://127.0.0.1:9/", None);
    let Some(mut tab) = Tab::new(&server) else {
        return;
    };
    tab.open("/");
    tab.sign_in(ME);
    for (width, height) in [(360, 740), (760, 900), (961, 900), (1280, 900)] {
        tab.resize((width, height));
        tab.open("/");
        let places = "(() => {
            const of = (what) => document.querySelector(what).getBoundingClientRect();
            const row = of('#wrong tbody tr');
            return [of('.summary').top, row.top, of('#wrong td:nth-child(2)').width,
                of('.tools .button').top - of('.counts').bottom]; })()";
        let places: Vec<f64> = serde_json::from_value(tab.evaluate(places)).unwrap();
        let [summary, row, name, gap] = places[..] else {
            panic!("{places:?}");
        };
        assert!(summary < 180.0 && row < 460.0, "{width}: {places:?}");
        // Where the table is one, what went wrong has the most room of all columns.
        assert!(name > 300.0 && gap >= 5.0, "{width}: {places:?}");
    }
}

#[test]
fn fields_can_be_made_out_from_what_is_around_them() {
    let server = server();
    server.check("nightly", 3600, 300, &NONE);
    let Some(mut tab) = Tab::new(&server) else {
        return;
    };
    // WCAG 2.2, 1.4.11: 3:1, by the formula of its definition of contrast.
    let contrast = "(() => {
        const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
            .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        const light = (text) => { const [r, g, b] = rgb(text); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const paper = light(getComputedStyle(document.body).backgroundColor);
        return Math.min(...[...document.querySelectorAll('input:not([type=hidden]), select')].map((field) => {
            const edge = light(getComputedStyle(field).borderTopColor);
            return (Math.max(edge, paper) + 0.05) / (Math.min(edge, paper) + 0.05);
        })); })()";
    for dark in [false, true] {
        tab.scheme(dark);
        tab.open("/sign-in");
        let least = tab.evaluate(contrast);
        assert!(
            least.as_f64() >= Some(3.0),
            "sign-in, dark: {dark}: {least}"
        );
    }
    tab.sign_in(ME);
    for dark in [false, true] {
        tab.scheme(dark);
        let least = tab.evaluate(contrast);
        assert!(
            least.as_f64() >= Some(3.0),
            "overview, dark: {dark}: {least}"
        );
    }
}
