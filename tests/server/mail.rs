//! Alerts by email: a real mail server as a process, with STARTTLS, TLS and logins.

use std::io::Write;
use std::net::TcpListener;
use std::process::Command;

use crate::support;
use crate::support::server::Server;
use crate::support::smtp::{PASSWORD, Smtp, USER, header, unfolded};
use crate::support::wait_for;
use serde_json::{Value, json};

const NONE: Value = Value::Null;
const TARGET: &str = "ops@example.com";

fn server(smtp: &Smtp, security: &str) -> Server {
    Server::start_with("127.0.0.1:0", |command| smtp.options(security, command))
}

fn email(server: &Server) -> Value {
    server.channel("email", "ops", TARGET, &NONE)
}

fn test(server: &Server, channel: &Value) -> Value {
    let path = format!("/channels/{}/test", channel["id"].as_str().unwrap());
    server.api("POST", &path, None).json()
}

/// That a test of the channel is not delivered, and says this word of why.
fn refused(server: &Server, channel: &Value, word: &str) {
    let result = test(server, channel);
    assert_eq!(result["delivered"], false, "{result}");
    let answer = result["answer"].as_str().unwrap();
    assert!(answer.contains(word), "{answer}");
    assert!(!answer.contains(PASSWORD), "{answer}");
}

#[test]
fn a_failure_is_mailed_in_text_and_html_with_its_output_and_its_end_in_the_same_thread() {
    for security in ["starttls", "tls"] {
        let Some(smtp) = Smtp::start(security, &["127.0.0.1"]) else {
            return;
        };
        let server = server(&smtp, security);
        email(&server);
        let check = server.check("backup", 3600, 300, &json!({"name": "Backup <of> all"}));
        server.ping_with(&check, "/3", &[], b"tar: <disk> & co \x1b[31mfull\n");
        let failed = smtp.wait(1).remove(0);
        assert_eq!(
            header(&failed, "Subject").as_deref(),
            Some("[Pakyas] FAILED: Backup <of> all")
        );
        assert_eq!(header(&failed, "To").as_deref(), Some(TARGET));
        assert_eq!(
            header(&failed, "Auto-Submitted").as_deref(),
            Some("auto-generated")
        );
        assert!(header(&failed, "List-Id").is_some(), "{failed}");
        let text = unfolded(&failed);
        for part in [
            "multipart/alternative",
            "text/plain",
            "text/html",
            "Backup <of> all failed with exit code 3",
            "tar: <disk> & co",
            "Backup &lt;of&gt; all failed with exit code 3",
            "tar: &lt;disk&gt; &amp; co",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains('\x1b'));
        assert!(smtp.noted("logins").contains(PASSWORD));

        server.ping(&check, "");
        let up = smtp.wait(2).remove(1);
        let subject = header(&up, "Subject").unwrap();
        assert_eq!(subject, "[Pakyas] UP: Backup <of> all");
        assert!(unfolded(&up).contains("is up again after"), "{up}");
        let first = header(&failed, "Message-ID");
        assert!(first.is_some());
        assert_eq!(header(&up, "In-Reply-To"), first);
        assert_eq!(header(&up, "References"), first);
        assert_ne!(header(&up, "Message-ID"), first);
    }
}

#[test]
fn a_channel_test_says_what_the_mail_server_said() {
    let Some(smtp) = Smtp::start("starttls", &["127.0.0.1"]) else {
        return;
    };
    let server = server(&smtp, "starttls");
    let channel = email(&server);
    let result = test(&server, &channel);
    assert_eq!(result["delivered"], true, "{result}");
    assert_eq!(result["answer"], "250 OK, taken as 1");
    smtp.answer("rcpt", "550 5.1.1 There is nobody of that name");
    refused(
        &server,
        &channel,
        "refused the recipient ops@example.com: 550",
    );
    refused(&server, &channel, "nobody of that name");
}

#[test]
fn a_server_that_does_not_offer_starttls_gets_neither_password_nor_mail() {
    let Some(smtp) = Smtp::start("none", &["127.0.0.1"]) else {
        return;
    };
    let server = server(&smtp, "starttls");
    let channel = email(&server);
    refused(&server, &channel, "STARTTLS is not supported");
    assert_eq!(smtp.noted("logins"), "");
    assert!(smtp.mails().is_empty());
}

#[test]
fn a_wrong_password_is_told_as_a_refused_login() {
    let Some(smtp) = Smtp::start("tls", &["127.0.0.1"]) else {
        return;
    };
    std::fs::write(smtp.directory.path().join("password"), "wrong one").unwrap();
    let server = server(&smtp, "tls");
    let channel = email(&server);
    refused(&server, &channel, "did not accept the login: 535");
    assert_eq!(smtp.noted("logins"), format!("{USER}:wrong one\n"));
}

#[test]
fn a_certificate_of_another_name_or_another_authority_is_refused_before_the_login() {
    for security in ["starttls", "tls"] {
        let Some(smtp) = Smtp::start(security, &["mail.example.com"]) else {
            return;
        };
        let server = server(&smtp, security);
        let channel = email(&server);
        let place = "no secure connection to the mail server 127.0.0.1:";
        refused(&server, &channel, place);
        refused(&server, &channel, ": its certificate is for another name");
        assert_eq!(smtp.noted("logins"), "");

        let good = Smtp::start(security, &["127.0.0.1"]).unwrap();
        std::fs::copy(
            smtp.directory.path().join("ca.pem"),
            good.directory.path().join("ca.pem"),
        )
        .unwrap();
        let server = self::server(&good, security);
        let channel = email(&server);
        let why = ": its issuer has the name but not the key of one that is trusted";
        refused(&server, &channel, why);
        assert_eq!(good.noted("logins"), "");
    }
}

#[test]
fn a_recipient_that_is_put_off_is_tried_again_and_one_that_is_refused_is_not() {
    let Some(smtp) = Smtp::open() else { return };
    let mut server = server(&smtp, "none");
    let channel = email(&server);
    let check = server.check("job", 3600, 300, &NONE);
    smtp.answer("rcpt", "450 4.2.0 Greylisted, come again");
    server.ping(&check, "/fail");
    let delivery = |server: &Server, attempts: u64| {
        wait_for("an attempt", || {
            let newest = server.deliveries(&channel).remove(0);
            Some(newest).filter(|delivery| delivery["attempts"] == attempts)
        })
    };
    let first = delivery(&server, 1);
    assert_eq!(first["state"], "pending");
    let answer = first["last_answer"].as_str().unwrap();
    assert!(answer.contains("450 4.2.0 Greylisted"), "{answer}");
    smtp.answer("rcpt", "");
    server.let_time_come(|command| smtp.options("none", command));
    smtp.wait(1);
    assert_eq!(delivery(&server, 2)["state"], "delivered");

    // Refused for good is final for this mail, and its channel says so.
    smtp.answer("rcpt", "550 5.1.1 Nobody");
    server.ping(&check, "");
    let refused = delivery(&server, 1);
    assert_eq!(refused["state"], "failed");
    let channel = server.api("GET", "/channels", None).json()[0].clone();
    assert_eq!(channel["enabled"], true);
    assert!(channel["failing_since"].is_string(), "{channel}");
    for said in [&refused["last_answer"], &channel["last_answer"]] {
        let said = said.as_str().unwrap();
        assert!(
            said.ends_with("refused the recipient ops@example.com: 550 5.1.1 Nobody"),
            "{said}"
        );
    }
}

#[test]
fn a_mail_that_was_under_way_when_the_server_was_killed_arrives_with_the_same_id() {
    let Some(smtp) = Smtp::open() else { return };
    // Takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let mut server = Server::start_with("127.0.0.1:0", |command: &mut Command| {
        command
            .args(["--smtp-host", "127.0.0.1", "--smtp-port", &port])
            .args(["--smtp-security", "none", "--smtp-from", "a@pakyas.test"]);
    });
    let channel = email(&server);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    let (_connection, _) = silent.accept().unwrap();
    server.kill();
    server.restart_with(|command| smtp.options("none", command));
    let mail = smtp.wait(1).remove(0);
    let delivery = wait_for("the delivery", || {
        let newest = server.deliveries(&channel).remove(0);
        Some(newest).filter(|delivery| delivery["state"] == "delivered")
    });
    assert_eq!(
        header(&mail, "Message-ID"),
        Some(format!(
            "<alert-{}@pakyas.test>",
            delivery["alert_id"].as_str().unwrap()
        ))
    );
}

#[test]
fn a_mail_server_that_hangs_holds_up_no_other_channel() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let server = Server::start_with("127.0.0.1:0", |command: &mut Command| {
        command
            .args(["--smtp-host", "127.0.0.1", "--smtp-port", &port])
            .args(["--smtp-security", "none", "--smtp-from", "a@pakyas.test"]);
    });
    let hook = support::hook::Hook::start();
    for number in 0..40 {
        server.channel("email", &format!("mail {number}"), TARGET, &NONE);
    }
    server.webhook("hook", &hook.url, None);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    hook.wait(1);
    // Were it their turn one after another, most of the mails would have been tried before.
    let channels = server.api("GET", "/channels", None).json();
    let channels = channels.as_array().unwrap();
    let tried = |channel: &&Value| !channel["failing_since"].is_null();
    let tried = channels.iter().filter(tried).count();
    assert!(tried < 16, "{tried}");
}

#[test]
fn a_storm_is_one_mail_that_names_the_worst_and_its_end_another() {
    const CHECKS: usize = 60;
    let Some(smtp) = Smtp::open() else { return };
    let mut server = server(&smtp, "none");
    let channel = email(&server);
    let checks: Vec<Value> = (0..CHECKS)
        .map(|number| server.check(&format!("job-{number:02}"), 3600, 300, &NONE))
        .collect();
    for (suffix, what) in [("/fail", "failed"), ("", "up again")] {
        // What gathers while no mail is taken is told in one.
        smtp.answer("rcpt", "450 4.2.0 Come again");
        let before = smtp.mails().len();
        for check in &checks {
            server.ping(check, suffix);
        }
        server.kill();
        smtp.answer("rcpt", "");
        server.let_time_come(|command| smtp.options("none", command));
        wait_for("all to be told", || {
            let list = server.deliveries(&channel);
            assert_eq!(list.len() % CHECKS, 0);
            list.iter()
                .all(|delivery| delivery["state"] == "delivered")
                .then_some(())
        });
        let mails = smtp.mails().split_off(before);
        assert_eq!(mails.len(), 1);
        let subject = header(&mails[0], "Subject").unwrap();
        assert_eq!(
            subject,
            format!("[Pakyas] {CHECKS} checks: {CHECKS} {what}")
        );
        let text = unfolded(&mails[0]);
        assert!(text.contains("and 10 more; pakyas check list shows all"));
    }
}

#[test]
fn without_a_mail_server_no_email_channel_is_made() {
    let server = Server::start();
    let body = json!({
        "org_id": server.org_id, "kind": "email", "name": "ops", "target": TARGET,
    });
    let answer = server.api("POST", "/channels", Some(&body));
    assert!(answer.refusal(422).contains("--smtp-host"));
}

#[test]
fn a_target_that_is_more_than_one_address_is_refused() {
    let Some(smtp) = Smtp::open() else { return };
    let server = server(&smtp, "none");
    for target in [
        "ops",
        "a@b.example, c@d.example",
        "a@b.example\r\nBcc: c@d.example",
    ] {
        let body = json!({
            "org_id": server.org_id, "kind": "email", "name": "ops", "target": target,
        });
        let answer = server.api("POST", "/channels", Some(&body));
        assert_eq!(answer.json()["field"], "target", "{answer:?}");
    }
}

#[test]
fn settings_that_can_not_work_end_the_start_with_a_sentence() {
    for (options, word) in [
        (&["--smtp-host", "mail.example.com"][..], "--smtp-from"),
        (
            &["--smtp-host", "m", "--smtp-from", "nobody"],
            "'nobody' is no address",
        ),
        (
            &[
                "--smtp-host",
                "m",
                "--smtp-from",
                "a@b.c",
                "--smtp-ca-file",
                "/none",
            ],
            "/none",
        ),
    ] {
        let directory = support::TempDir::new();
        let output = support::server::command()
            .args(["--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory.path())
            .args(options)
            .output()
            .unwrap();
        assert!(!output.status.success());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn what_is_no_mail_server_is_told_by_what_it_says() {
    for (said, word) in [
        (
            b"HTTP/1.1 400 Bad Request\r\n".to_vec(),
            "HTTP/1.1 400 Bad Request",
        ),
        (b"2".repeat(1_000_000), "does not end"),
        (Vec::new(), "closed the connection"),
    ] {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = other.local_addr().unwrap().port().to_string();
        std::thread::spawn(move || {
            for mut client in other.incoming().flatten() {
                let _ = client.write_all(&said);
            }
        });
        let server = Server::start_with("127.0.0.1:0", |command: &mut Command| {
            command
                .args(["--smtp-host", "127.0.0.1", "--smtp-port", &port])
                .args(["--smtp-security", "none", "--smtp-from", "a@pakyas.test"]);
        });
        refused(&server, &email(&server), word);
    }
}
