//! What people do with the pages, and see on them, in a real browser with the real client.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr};

use serde_json::Value;

use crate::browser::tab::{DESKTOP, PHONE, Tab};
use crate::browser::{ME, job_host, server};
use crate::support::accounts::PASSWORD;
use crate::support::home::Home;
use crate::support::server::Server;

const NONE: Value = Value::Null;

/// `pakyas login` on a machine, waiting for the browser.
struct Login {
    child: Child,
    /// The path of its page.
    link: String,
    code: String,
    rest: BufReader<ChildStderr>,
}

impl Login {
    fn begin(home: &Home) -> Self {
        let mut child = home.command().arg("login").spawn().unwrap();
        let mut rest = BufReader::new(child.stderr.take().unwrap());
        let mut text = String::new();
        while !text.contains("this code: ") {
            assert!(rest.read_line(&mut text).unwrap() > 0, "{text}");
        }
        let link = text
            .lines()
            .find_map(|line| Some(line[line.find("/device/")?..].trim().to_owned()));
        Self {
            child,
            link: link.unwrap(),
            code: text.trim().rsplit(' ').next().unwrap().to_owned(),
            rest,
        }
    }

    /// Its exit code, and what else it said.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.rest.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

/// A tab whose person is signed in, at the first page.
fn signed_in(server: &Server) -> Option<Tab> {
    let mut tab = Tab::new(server)?;
    tab.open("/");
    tab.sign_in(ME);
    Some(tab)
}

#[test]
fn a_job_turns_up_and_turns_red_with_its_last_output_on_a_page_that_nobody_reloads() {
    let server = server();
    let check = server.check("nightly-dump", 3600, 300, &NONE);
    let host = job_host(&server);
    let Some(mut tab) = signed_in(&server) else {
        return;
    };
    tab.sees("nightly-dump");
    tab.sees("never");
    host.pakyas("ping nightly-dump").exits(0);
    tab.sees_no_more("never");
    server.wait_for_status(&check, "up");
    assert!(!tab.text().contains("Needs a look"), "{}", tab.text());
    let job = "echo reading; echo 'disk full on /backups' >&2; exit 3";
    host.run(["monitor", "nightly-dump", "--", "/bin/sh", "-c", job])
        .exits(3);
    tab.sees("disk full on /backups");
    let text = tab.text();
    assert!(text.contains("Needs a look"), "{text}");
    // Red, and not by its colour alone.
    let red = tab.evaluate("getComputedStyle(document.querySelector('.is.down')).color");
    let plain = tab.evaluate("getComputedStyle(document.body).color");
    assert_ne!(red, plain);
    assert!(text.contains("down"), "{text}");
    assert_eq!(tab.problems(), Vec::<String>::new());
}

#[test]
fn a_machine_is_let_in_after_a_look_at_its_code_and_only_once() {
    let server = server();
    let home = Home::at(&server.url);
    let login = Login::begin(&home);
    let Some(mut tab) = Tab::new(&server) else {
        return;
    };
    // The link leads to signing in first, then back; opening it approves nothing.
    tab.open(&login.link);
    tab.sign_in(ME);
    tab.sees(&login.code);
    let text = tab.text();
    assert!(text.contains("127.0.0.1"), "who asks: {text}");
    tab.open(&format!("{}?decision=approve", login.link));
    tab.sees(&login.code);
    tab.press("Approve");
    tab.sees("The machine is logged in");
    let link = login.link.clone();
    let (code, said) = login.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Logged in as me@acme.example"), "{said}");
    home.pakyas("whoami").exits(0).shows(ME);
    // What was decided stays decided.
    tab.open(&link);
    let text = tab.text();
    assert!(
        text.contains("Approved") && !text.contains("Deny"),
        "{text}"
    );
    assert_eq!(tab.problems(), Vec::<String>::new());
}

#[test]
fn a_machine_that_is_denied_gets_no_key() {
    let server = server();
    let home = Home::at(&server.url);
    let login = Login::begin(&home);
    let Some(mut tab) = signed_in(&server) else {
        return;
    };
    tab.open(&login.link);
    tab.sees(&login.code);
    tab.press("Deny");
    tab.sees("The machine gets no key");
    let (code, said) = login.end();
    assert_eq!(code, Some(5), "{said}");
    assert!(!home.file("credentials.json").exists());
    assert_eq!(tab.open("/device/0123456789abcdef0123456789abcdef"), 404);
}

#[test]
fn after_signing_out_the_back_button_shows_nothing() {
    let server = server();
    server.check("secret-job", 3600, 300, &NONE);
    let Some(mut tab) = signed_in(&server) else {
        return;
    };
    tab.sees("secret-job");
    tab.press("Sign out");
    tab.sees("Password");
    tab.back();
    tab.sees("Password");
    assert!(!tab.text().contains("secret-job"), "{}", tab.text());
    let cookie = tab.cookies();
    assert!(cookie.iter().all(|one| one["httpOnly"] == true));
}

#[test]
fn all_of_it_works_without_javascript() {
    let server = server();
    let check = server.check("quiet-job", 3600, 300, &NONE);
    let Some(mut tab) = Tab::without_javascript(&server) else {
        return;
    };
    tab.open("/");
    tab.sign_in(ME);
    tab.sees("quiet-job");
    server.ping_with(&check, "/fail", &[], b"no route to host");
    // Nothing moves below somebody who writes or reads: the page is as old as it says.
    tab.sees("As of ");
    tab.follow("Reload");
    tab.sees("no route to host");
    tab.fill("Name", "nothing");
    tab.press("Show");
    tab.sees("No check matches");
    let home = Home::at(&server.url);
    let login = Login::begin(&home);
    tab.open(&login.link);
    tab.sees(&login.code);
    tab.press("Approve");
    tab.sees("The machine is logged in");
    assert_eq!(login.end().0, Some(0));
    tab.press("Sign out");
    tab.sees("Password");
}

#[test]
fn signing_in_takes_no_mouse() {
    let server = server();
    server.check("nightly", 3600, 300, &NONE);
    let Some(mut tab) = Tab::new(&server) else {
        return;
    };
    tab.open("/");
    // The first field gets the focus by itself, once the page is drawn.
    while tab.evaluate("document.activeElement.name") != "email" {}
    let keys = |text: &str| -> Vec<String> { text.chars().map(String::from).collect() };
    let email = keys(ME);
    let password = keys(PASSWORD);
    let mut all: Vec<&str> = email.iter().map(String::as_str).collect();
    all.push("Tab");
    all.extend(password.iter().map(String::as_str));
    all.push("Enter");
    tab.type_keys(&all);
    tab.sees("nightly");
}

/// The whole of it, as somebody new goes through it, on a screen of that size.
fn from_sign_in_to_sign_out(size: (u32, u32)) {
    let server = server();
    let host = job_host(&server);
    let Some(mut tab) = Tab::new(&server) else {
        return;
    };
    tab.resize(size);
    tab.open("/");
    tab.sign_in(ME);
    tab.follow("New check");
    tab.fill("Name", "Nightly dump");
    tab.tick("As a cron expression says", true);
    tab.fill("Cron expression", "0 2 * * *");
    tab.fill("Time zone", "Asia/Manila");
    // Nothing is sent yet: this is the answer to what was typed.
    tab.sees(", 02:00 ");
    tab.press("Create check");
    tab.sees("Every day at 02:00, Asia/Manila");
    tab.sees("No run has reported yet");
    host.pakyas("ping nightly-dump").exits(0);
    tab.sees_no_more("No run has reported yet");
    tab.follow("All checks");
    tab.sees("Nightly dump");
    let job = "echo reading; echo 'disk full on /backups' >&2; exit 3";
    host.run(["monitor", "nightly-dump", "--", "/bin/sh", "-c", job])
        .exits(3);
    tab.sees("disk full on /backups");
    tab.follow("Nightly dump");
    tab.follow("All that it wrote");
    tab.sees("failed with exit code 3");
    tab.follow("Settings");
    tab.fill("Name", "ci");
    tab.press("Create API Key");
    tab.sees("it is shown this once");
    assert_eq!(tab.audit(), Vec::<String>::new());
    let key = tab.evaluate("document.getElementById('key').textContent");
    let ci = Home::at(&server.url).with("PAKYAS_API_KEY", key.as_str().unwrap());
    ci.pakyas("whoami").exits(0).shows(ME);
    let machine = Home::at(&server.url);
    let login = Login::begin(&machine);
    tab.open(&login.link);
    tab.sees(&login.code);
    tab.press("Approve");
    tab.sees("The machine is logged in");
    let (code, said) = login.end();
    assert_eq!(code, Some(0), "{said}");
    machine.pakyas("whoami").exits(0).shows(ME);
    tab.press("Sign out");
    tab.sees("Password");
    assert_eq!(tab.problems(), Vec::<String>::new());
}

#[test]
fn somebody_new_gets_from_signing_in_to_signing_out_at_a_desk() {
    from_sign_in_to_sign_out(DESKTOP);
}

#[test]
fn somebody_new_gets_from_signing_in_to_signing_out_on_a_phone() {
    from_sign_in_to_sign_out(PHONE);
}

/// What signing out and in again in another tab does to the cookie of this one.
const SIGN_IN_ANEW: &str = "(async () => {
    const send = (path, fields) => fetch(path, { method: 'POST', body: new URLSearchParams(fields) });
    const token = (html) => html.match(/name=\"csrf\" value=\"([0-9a-f]+)\"/)[1];
    await send('/sign-out', { csrf: document.querySelector('[name=csrf]').value });
    const csrf = token(await (await fetch('/sign-in')).text());
    await send('/sign-in', { csrf, email: 'EMAIL', password: 'PASSWORD' });
    return 'done';
})()";

#[test]
fn what_was_typed_outlives_signing_in_anew_in_another_tab() {
    let server = server();
    let Some(mut tab) = signed_in(&server) else {
        return;
    };
    tab.follow("New check");
    tab.fill("Name", "Night backup");
    tab.fill("Runs every", "90m");
    let anew = SIGN_IN_ANEW
        .replace("EMAIL", ME)
        .replace("PASSWORD", PASSWORD);
    assert_eq!(tab.evaluate(&anew), "done");
    tab.press("Create check");
    tab.sees("press the button again");
    assert_eq!(
        tab.evaluate("document.getElementById('name').value"),
        "Night backup"
    );
    assert_eq!(
        tab.evaluate("document.getElementById('period').value"),
        "90m"
    );
    assert_eq!(tab.audit(), Vec::<String>::new());
    tab.press("Create check");
    tab.sees("Every 1h 30m");
}

#[test]
fn a_key_that_was_shown_is_gone_when_its_page_is_loaded_again() {
    let server = server();
    let Some(mut tab) = signed_in(&server) else {
        return;
    };
    tab.open("/settings/api-keys");
    tab.fill("Name", "ci");
    tab.press("Create API Key");
    tab.sees("it is shown this once");
    let copy = "!document.querySelector('[data-copy=key]').hidden";
    assert_eq!(tab.evaluate(copy), serde_json::json!(true));
    let key = tab.evaluate("document.getElementById('key').textContent");
    let here = tab.url();
    let path = here.strip_prefix(&server.url).unwrap();
    assert_eq!(tab.open(path), 410);
    assert!(!tab.text().contains(key.as_str().unwrap()));
    let keys = server.api("GET", "/api-keys", None).body;
    assert_eq!(keys.matches("\"ci\"").count(), 1, "{keys}");
}
