//! Encryption: a certificate that can be trusted delivers, one that can't is told in
//! a clear sentence, gets no secret, and neither harms the job nor loses its report.

use std::net::TcpListener;

use jiff::Timestamp;
use rustls::ProtocolVersion;
use serde_json::{Value, json};

use crate::support::home::{Home, Outcome};
use crate::support::server::Server;
use crate::support::tls::{Authority, Front, VALID};

/// The name that the fronts' certificates are for: their clients know no other.
pub(super) const HERE: &str = "127.0.0.1";

/// A name that no resolver knows, so only a proxy can lead to it.
pub(super) const REMOTE: &str = "pakyas.test";

/// An address of this machine that is not a loopback one, so that proxies count for it.
pub(super) const UNSPECIFIED: &str = "0.0.0.0";

/// The private CA's name.
const OWN: &str = "Our own CA";

/// A server with one check.
pub(super) struct World {
    pub(super) server: Server,
    check: Value,
    pub(super) authority: Authority,
}

impl World {
    pub(super) fn new() -> Self {
        let server = Server::start();
        let check = server.check("nightly", 3_600, 300, &json!({}));
        Self {
            server,
            check,
            authority: Authority::new(OWN),
        }
    }

    /// A front with a certificate that is as it should be.
    fn front(&self) -> Front {
        Front::new(self.authority.issue(&[HERE], VALID), &self.server.url)
    }

    /// A home whose server is at `url`, and that trusts whom the machine trusts.
    pub(super) fn home(&self, url: &str) -> Home {
        Home::at(url)
            .with("PAKYAS_PING_URL", url)
            .with("PAKYAS_API_KEY", &self.server.key)
            .with("PAKYAS_PROJECT", "production")
    }

    /// The same, trusting the private CA by this variable.
    pub(super) fn trusting(&self, url: &str, variable: &str) -> Home {
        with_file(self.home(url), variable, &self.authority.pem())
    }

    /// The types of the history, oldest first.
    pub(super) fn told(&self) -> Vec<String> {
        let history = self.server.history(&self.check);
        let kinds = history.iter().rev().map(|ping| &ping["type"]);
        kinds
            .map(|kind| kind.as_str().unwrap().to_owned())
            .collect()
    }
}

/// The home with a variable that names a file of this content.
fn with_file(home: Home, variable: &str, content: &str) -> Home {
    let path = home.path().join(variable);
    std::fs::write(&path, content).unwrap();
    home.with(variable, path.to_str().unwrap())
}

pub(super) fn ping(home: &Home) -> Outcome {
    home.pakyas("ping nightly --strict --ping-timeout 5s")
}

/// A job that ends with 7; the wrapper never changes that.
pub(super) fn monitor(home: &Home) -> Outcome {
    let run = [
        "monitor",
        "nightly",
        "--ping-timeout",
        "3s",
        "--",
        "sh",
        "-c",
        "echo the job ran; exit 7",
    ];
    let outcome = home.run(run).exits(7);
    assert_eq!(outcome.stdout, "the job ran\n", "{outcome:#?}");
    outcome
}

pub(super) fn kept(home: &Home) -> usize {
    let list = home.pakyas("spool list --format json").exits(0).json();
    list.as_array().unwrap().len()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

fn delivers_over(version: ProtocolVersion) {
    let world = World::new();
    let identity = world.authority.issue(&[HERE], VALID);
    let front = Front::speaking(&[version], identity, &world.server.url);
    let home = world.trusting(&front.url(), "PAKYAS_CA_FILE");
    ping(&home).exits(0);
    assert_eq!(monitor(&home).stderr, "");
    assert_eq!(world.told(), ["success", "start", "fail"]);
    let versions = front.versions();
    assert!(!versions.is_empty());
    assert!(versions.iter().all(|&agreed| agreed == version));
}

#[test]
fn a_private_ca_delivers_pings_and_runs_over_tls_1_3() {
    delivers_over(ProtocolVersion::TLSv1_3);
}

#[test]
fn a_private_ca_delivers_pings_and_runs_over_tls_1_2() {
    delivers_over(ProtocolVersion::TLSv1_2);
}

#[test]
fn the_start_and_the_end_of_a_short_job_share_one_encrypted_connection() {
    let world = World::new();
    let front = world.front();
    let home = world.trusting(&front.url(), "PAKYAS_CA_FILE");
    let id = world.check["public_id"].as_str().unwrap();
    home.run(["monitor", "--public-id", id, "--", "true"])
        .exits(0);
    assert_eq!(world.told(), ["start", "success"]);
    assert_eq!(front.connections(), 1);
}

#[test]
fn ssl_cert_file_is_trusted_too() {
    let world = World::new();
    let front = world.front();
    let home = world.trusting(&front.url(), "SSL_CERT_FILE");
    ping(&home).exits(0);
    assert_eq!(world.told(), ["success"]);
}

#[test]
fn pakyas_ca_file_beats_ssl_cert_file() {
    let world = World::new();
    let front = world.front();
    let other = Authority::new("Another CA").pem();
    let home = world.trusting(&front.url(), "PAKYAS_CA_FILE");
    ping(&with_file(home, "SSL_CERT_FILE", &other)).exits(0);
    let home = world.trusting(&front.url(), "SSL_CERT_FILE");
    ping(&with_file(home, "PAKYAS_CA_FILE", &other))
        .exits(4)
        .says("unknown issuer");
    assert_eq!(world.told(), ["success"]);
}

/// What anyone meets whose certificate can't be trusted: the origin and the reason in a
/// sentence, a job that runs with its own exit code, both pings kept, and no secret sent.
fn is_refused_clearly(world: &World, front: &Front, home: &Home, why: &str) {
    let sentence = format!("Can't reach {}: {why}", front.url());
    home.pakyas("whoami").exits(4).says(&sentence);
    let outcome = monitor(home).says(&sentence).says("is kept");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:#?}");
    assert_eq!(kept(home), 2);
    assert!(world.told().is_empty());
    assert!(front.connections() > 0);
    assert_eq!(String::from_utf8_lossy(&front.decrypted()), "");
    assert!(!holds(&front.on_the_wire(), &world.server.key));
}

#[test]
fn an_unknown_issuer_is_told_with_the_variable_that_mends_it() {
    let world = World::new();
    let front = world.front();
    let home = world.home(&front.url());
    let why = "its certificate is of an unknown issuer (PAKYAS_CA_FILE names one to trust)";
    is_refused_clearly(&world, &front, &home, why);
}

#[test]
fn an_issuer_that_was_made_anew_under_its_old_name_is_told() {
    let world = World::new();
    let anew = Authority::new(OWN);
    let front = Front::new(anew.issue(&[HERE], VALID), &world.server.url);
    let home = world.trusting(&front.url(), "PAKYAS_CA_FILE");
    let why = "its issuer has the name but not the key of one that is trusted (PAKYAS_CA_FILE names one to trust)";
    is_refused_clearly(&world, &front, &home, why);
}

#[test]
fn an_expired_certificate_is_told() {
    let world = World::new();
    let identity = world.authority.issue(&[HERE], (2001, 2002));
    let front = Front::new(identity, &world.server.url);
    let home = world.trusting(&front.url(), "PAKYAS_CA_FILE");
    let why = "its certificate has expired, or this machine's clock is wrong";
    is_refused_clearly(&world, &front, &home, why);
}

#[test]
fn a_certificate_of_the_future_is_told() {
    let world = World::new();
    let identity = world.authority.issue(&[HERE], (2400, 2401));
    let front = Front::new(identity, &world.server.url);
    let home = world.trusting(&front.url(), "PAKYAS_CA_FILE");
    let why = "its certificate is not valid yet, or this machine's clock is wrong";
    is_refused_clearly(&world, &front, &home, why);
}

#[test]
fn a_certificate_for_another_name_is_told() {
    let world = World::new();
    let identity = world.authority.issue(&[REMOTE, "127.0.0.2"], VALID);
    let front = Front::new(identity, &world.server.url);
    let home = world.trusting(&front.url(), "PAKYAS_CA_FILE");
    is_refused_clearly(&world, &front, &home, "its certificate is for another name");
}

/// The other side of the above: what is looked for there is there where all is well.
#[test]
fn the_api_key_goes_through_the_encryption_only() {
    let world = World::new();
    let front = world.front();
    let home = world.trusting(&front.url(), "PAKYAS_CA_FILE");
    home.pakyas("whoami").exits(0);
    assert!(holds(&front.decrypted(), &world.server.key));
    assert!(!holds(&front.on_the_wire(), &world.server.key));
}

#[test]
fn a_run_kept_for_want_of_a_certificate_goes_out_once_with_its_age() {
    let world = World::new();
    let front = world.front();
    let home = world.home(&front.url());
    let begun = Timestamp::now();
    let job = ["sh", "-c", "date +%s.%N; exit 7"];
    let outcome = home
        .run(
            ["monitor", "nightly", "--ping-timeout", "2s", "--"]
                .iter()
                .chain(&job),
        )
        .exits(7)
        .says("is kept");
    let given_up = Timestamp::now();
    let ran: f64 = outcome.stdout.trim().parse().unwrap();
    assert_eq!(kept(&home), 2);

    let home = with_file(home, "PAKYAS_CA_FILE", &world.authority.pem());
    ping(&home).exits(0);
    ping(&home).exits(0);
    assert_eq!(kept(&home), 0);

    let history = world.server.history(&world.check);
    let of_run: Vec<&Value> = history.iter().filter(|p| !p["run_id"].is_null()).collect();
    assert_eq!((history.len(), of_run.len()), (4, 2), "{history:#?}");
    assert_eq!(of_run[0]["run_id"], of_run[1]["run_id"]);
    assert_eq!(of_run[0]["exit_code"], 7);
    assert_eq!(of_run[1]["type"], "start");
    for ping in of_run {
        let at = |name: &str| ping[name].as_str().unwrap().parse::<Timestamp>().unwrap();
        let (happened, arrived) = (at("created_at"), at("received_at"));
        let off = happened.as_millisecond() as f64 / 1_000.0 - ran;
        assert!(off.abs() < 1.0, "{off} s off: {ping:#?}");
        assert!(arrived >= given_up, "{ping:#?}");
        assert!(happened.duration_since(begun).as_secs().abs() <= 1);
    }
}

#[test]
fn a_file_of_certificates_that_is_none_is_told_and_the_job_still_runs() {
    let world = World::new();
    let front = world.front();
    let gone = world
        .home(&front.url())
        .with("PAKYAS_CA_FILE", "/nonexistent/ca.pem");
    let empty = with_file(world.home(&front.url()), "PAKYAS_CA_FILE", "no certificate");
    for (home, why) in [
        (gone, "there is no such file"),
        (empty, "it holds no certificate"),
    ] {
        let outcome = monitor(&home).says("PAKYAS_CA_FILE").says(why);
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:#?}");
        assert_eq!(kept(&home), 2);
        // With one that is right what was kept goes out.
        let mended = with_file(home, "PAKYAS_CA_FILE", &world.authority.pem());
        ping(&mended).exits(0);
        assert_eq!(kept(&mended), 0);
    }
    let each = ["success", "start", "fail"];
    let mut told = world.told();
    told.sort();
    let mut twice = [each, each].concat();
    twice.sort_unstable();
    assert_eq!(told, twice);
}

#[test]
fn an_https_address_whose_server_speaks_plain_http_is_told() {
    let world = World::new();
    let url = world.server.url.replace("http://", "https://");
    let outcome = monitor(&world.home(&url));
    outcome.says(&format!("Can't reach {url}: it does not speak TLS"));
}

#[test]
fn a_server_that_never_ends_the_handshake_is_waited_for_within_the_budget_only() {
    // Nobody accepts: the kernel does, and then nothing is ever read.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let world = World::new();
    let url = format!("https://{}", deaf.local_addr().unwrap());
    // Without a budget it would wait forever.
    monitor(&world.home(&url)).says("is kept");
}
