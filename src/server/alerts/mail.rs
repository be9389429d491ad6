//! The email channel: one message over SMTP, in text and in HTML. How it looks is in
//! mail/body.rs, how it is handed over in mail/dialog.rs.
//!
//! The steps are taken one by one, so that what went wrong can be said: the way there, the
//! login, the sender, the recipient or the message itself.

mod body;
mod dialog;

use std::io::ErrorKind;
use std::sync::Arc;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use lettre::{Address, Message as Email};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use uuid::Uuid;

use super::{Answer, Message, Verdict};
use crate::handshake;
use crate::server::args::mail::{Security, Smtp};
use dialog::{Dialog, Failure, LIMITS, Protection};

/// The longest address, bytes (RFC 5321, section 4.5.3.1.3, less its brackets).
const ADDRESS_MAX: usize = 254;

/// Whether a mail can be sent to `text`: an address of ASCII without a name beside it.
pub fn is_address(text: &str) -> bool {
    text.len() <= ADDRESS_MAX && text.is_ascii() && text.parse::<Address>().is_ok()
}

/// Sends mails through one server.
pub struct Mailer {
    host: String,
    port: u16,
    security: Security,
    tls: Protection,
    login: Option<Credentials>,
    from: Mailbox,
    hello: ClientId,
}

/// An attempt that failed: whether the same may go well later, and what happened.
type Trouble = (Verdict, String);

impl Mailer {
    /// Reads the certificates and the sender; nothing is sent yet.
    ///
    /// # Errors
    /// A sentence that names the flag.
    pub fn new(smtp: &Smtp) -> Result<Self, String> {
        let from: Mailbox = smtp.from.parse().map_err(|_| {
            format!(
                "--smtp-from: '{}' is no address; write it like alerts@example.com",
                smtp.from.escape_debug()
            )
        })?;
        let name = ServerName::try_from(smtp.host.clone())
            .map_err(|_| format!("--smtp-host: '{}' is no host", smtp.host.escape_debug()))?;
        Ok(Self {
            tls: Protection {
                config: Arc::new(trusting(smtp.ca_file.as_deref())?),
                name,
            },
            host: smtp.host.clone(),
            port: smtp.port,
            security: smtp.security,
            login: smtp.login.as_ref().map(|(user, password)| {
                Credentials::new(user.clone(), password.expose().to_owned())
            }),
            hello: ClientId::Domain(from.email.domain().to_owned()),
            from,
        })
    }

    /// Sends `message` to `target`.
    pub fn send(&self, target: &str, message: &Message) -> Answer {
        let (verdict, text) = self
            .compose(target, message)
            .and_then(|(to, email)| self.deliver(&to, &email))
            .map_or_else(|trouble| trouble, |said| (Verdict::Delivered, said));
        Answer {
            verdict,
            status: None,
            retry_after: None,
            text: text.chars().take(1000).collect(),
        }
    }

    fn compose(&self, target: &str, message: &Message) -> Result<(Address, Vec<u8>), Trouble> {
        let never = |text: String| (Verdict::GiveUp, text);
        let to: Address = target
            .parse()
            .map_err(|_| never(format!("{target} is no email address")))?;
        let domain = self.from.email.domain();
        let message_id = |kind: &str, id: Uuid| format!("<{kind}-{id}@{domain}>");
        let mut email = Email::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .date_now();
        let (body, list) = match message {
            Message::One(payload, began_with) => {
                let delivery: crate::wire::webhook::Delivery = serde_json::from_str(payload)
                    .map_err(|error| never(format!("the stored alert can't be read: {error}")))?;
                email = email.message_id(Some(message_id("alert", delivery.alert.id)));
                if let Some(first) = began_with {
                    let first = message_id("alert", *first);
                    email = email.in_reply_to(first.clone()).references(first);
                }
                (body::one(&delivery), delivery.project.id)
            }
            Message::Digest(digest) => {
                let list = digest.named.first().map(|delivery| delivery.project.id);
                email = email.message_id(Some(message_id("digest", digest.id)));
                (body::many(digest), list.unwrap_or_default())
            }
        };
        // RFC 3834: no holiday notice shall answer this. RFC 2919: filters go by this.
        for (name, value) in [
            ("Auto-Submitted", "auto-generated".to_owned()),
            ("List-Id", format!("<{list}.pakyas.{domain}>")),
        ] {
            email = email.raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str(name),
                value,
            ));
        }
        let email = email
            .subject(body.subject)
            .multipart(MultiPart::alternative_plain_html(body.text, body.html))
            .map_err(|error| never(format!("the mail can't be written: {error}")))?;
        Ok((to, email.formatted()))
    }

    /// Takes the message to the server; gives what it said.
    fn deliver(&self, to: &Address, email: &[u8]) -> Result<String, Trouble> {
        // Whatever is wrong with the server or our account there may be set right; only the
        // recipient and the message are of this delivery.
        let later = |what: &str, failure: &Failure| (Verdict::TryAgain, self.why(what, failure));
        let mut server = self
            .connect()
            .map_err(|(what, failure)| later(what, &failure))?;
        if let Some(login) = &self.login {
            server
                .log_in(login)
                .map_err(|failure| later("did not accept the login", &failure))?;
        }
        server
            .command(Mail::new(Some(self.from.email.clone()), Vec::new()))
            .map_err(|failure| {
                let what = format!("refused the sender {}", self.from.email);
                later(&what, &failure)
            })?;
        let of_this = |what: &str, failure: &Failure| {
            let verdict = match failure {
                Failure::Refused(said) if u16::from(said.code()) >= 500 => Verdict::GiveUp,
                _ => Verdict::TryAgain,
            };
            (verdict, self.why(what, failure))
        };
        server
            .command(Rcpt::new(to.clone(), Vec::new()))
            .map_err(|failure| of_this(&format!("refused the recipient {to}"), &failure))?;
        let said = server
            .command(Data)
            .and_then(|_| server.message(email))
            .map_err(|failure| of_this("refused the message", &failure))?;
        server.quit();
        Ok(words(&said))
    }

    fn connect(&self) -> Result<Dialog, (&'static str, Failure)> {
        let tls = (self.security == Security::Tls).then_some(&self.tls);
        let mut server = Dialog::connect(&self.host, self.port, tls, LIMITS)
            .map_err(|failure| ("can't be reached", failure))?;
        server
            .greet(&self.hello)
            .map_err(|failure| ("did not greet us", failure))?;
        if self.security == Security::StartTls {
            // Refuses where the server does not offer it: the login goes through TLS only.
            server
                .starttls(&self.tls, &self.hello)
                .map_err(|failure| ("did not change to a secure connection", failure))?;
        }
        Ok(server)
    }

    /// What went wrong, for the owner of the channel.
    fn why(&self, what: &str, failure: &Failure) -> String {
        let place = format!("{}:{}", self.host, self.port);
        let error = match failure {
            Failure::Refused(said) => {
                let lines: Vec<_> = said.message().collect();
                let lines = lines.join(" ");
                return format!("the mail server {place} {what}: {} {lines}", said.code());
            }
            Failure::Odd(said) => return format!("the mail server {place} {what}: {said}"),
            Failure::Lost(error) => error,
        };
        match (handshake::in_io(error), error.kind()) {
            (Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)), _) => {
                format!(
                    "the certificate of the mail server {place} is not to be trusted: nobody \
                     knows its issuer; name the issuer's certificate with --smtp-ca-file"
                )
            }
            (Some(other), _) => format!(
                "no secure connection to the mail server {place}: {}",
                handshake::trouble(other)
            ),
            (None, ErrorKind::WouldBlock | ErrorKind::TimedOut) => format!(
                "the mail server {place} did not answer within {} seconds ({} for a whole mail)",
                LIMITS.step.as_secs(),
                LIMITS.whole.as_secs()
            ),
            (None, _) => format!("the mail server {place} {what}: {error}"),
        }
    }
}

/// TLS that trusts the authorities in the file, or else those that everyone trusts.
fn trusting(ca_file: Option<&str>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let unusable = |why: &str| format!("--smtp-ca-file: can't use {path}: {why}");
            let pem = std::fs::read(path).map_err(|error| unusable(&error.to_string()))?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|_| unusable("it is not PEM"))?;
                roots
                    .add(certificate)
                    .map_err(|_| unusable("there is a damaged certificate in it"))?;
            }
            if roots.is_empty() {
                return Err(unusable("there is no PEM certificate in it"));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("can't speak TLS: {}", handshake::trouble(&error)))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// The code and the first line of a reply.
fn words(said: &Response) -> String {
    let line = said.first_line().unwrap_or_default();
    format!("{} {line}", said.code()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_hangs_is_told_with_how_long_it_was_waited_for() {
        let mailer = Mailer::new(&Smtp {
            host: "mail.test".to_owned(),
            port: 25,
            security: Security::None,
            login: None,
            from: "a@pakyas.test".to_owned(),
            ca_file: None,
        });
        for kind in [ErrorKind::WouldBlock, ErrorKind::TimedOut] {
            let why = mailer.as_ref().unwrap();
            assert_eq!(
                why.why("did not greet us", &Failure::Lost(kind.into())),
                "the mail server mail.test:25 did not answer within 10 seconds (30 for a whole mail)"
            );
        }
    }

    #[test]
    fn an_address_is_one_address_and_nothing_else() {
        for good in [
            "ops@example.com",
            "a.b+c@mail.example.co.uk",
            "me@localhost",
        ] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "ops",
            "ops@",
            "Ops <ops@example.com>",
            "a@b.example, c@d.example",
            "a@b.example\r\nBcc: c@d.example",
            "ops@exämple.com",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
