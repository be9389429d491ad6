//! What the command line is read as.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::*;
use crate::server::store::Retention;

fn mode(line: &[&str]) -> Result<Mode, Exit> {
    parse(line.iter().map(OsString::from))
}

#[test]
fn flags_are_read_with_a_space_and_with_an_equals_sign() {
    let expected = Mode::Serve(Serve {
        listen: SocketAddr::from(([127, 0, 0, 1], 9)),
        data_dir: PathBuf::from("/d"),
        public_url: Some("https://p.example".to_owned()),
        tls: None,
        proxies: Vec::new(),
        access_log: None,
        api_limit: 1000,
        retention: Retention {
            days: 7,
            pings: 10_000,
        },
        smtp: None,
    });
    for line in [
        &[
            "--listen",
            "127.0.0.1:9",
            "--data-dir",
            "/d",
            "--public-url",
            "https://p.example/",
            "--keep-days",
            "7",
        ][..],
        &[
            "--listen=127.0.0.1:9",
            "--data-dir=/d",
            "--public-url=https://p.example",
            "--keep-days=7",
        ],
    ] {
        assert_eq!(mode(line).as_ref(), Ok(&expected));
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (line, word) in [
        (&["--listen", "nowhere", "--data-dir", "/d"][..], "nowhere"),
        (&["--data-dir", "/d", "--public-url", "ftp://x"], "ftp://x"),
        (
            &[
                "init",
                "--org",
                "",
                "--project",
                "p",
                "--email",
                "a@b",
                "--data-dir",
                "/d",
            ],
            "--org",
        ),
        (
            &[
                "init",
                "--org",
                "o",
                "--project",
                "p",
                "--email",
                "ab",
                "--data-dir",
                "/d",
            ],
            "'ab'",
        ),
        (
            &["--data-dir", "/d", "--keep-days", "0"],
            "--keep-days (or PAKYAS_SERVER_KEEP_DAYS) must be",
        ),
        (&["--data-dir", "/d", "--keep-pings=many"], "'many'"),
        (&["--lissen", "x"], "--lissen"),
    ] {
        let Err(Exit::Usage(text)) = mode(line) else {
            panic!("{line:?} is accepted");
        };
        assert!(text.contains(word), "{text}");
    }
}
