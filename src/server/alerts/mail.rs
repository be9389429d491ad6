//! The email channel: one message over SMTP, in text and in HTML. How it looks is in
//! mail/body.rs.
//!
//! The steps are taken one by one, so that what went wrong can be said: the way there, the
//! login, the sender, the recipient or the message itself.

mod body;

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    Certificate, CertificateStore, SmtpConnection, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, response::Response};
use lettre::{Address, Message as Email};
use uuid::Uuid;

use super::{Answer, Message, Verdict};
use crate::server::args::mail::{Security, Smtp};

/// How long the server may take for each step.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it may take to say goodbye, once it has the message.
const FAREWELL: Duration = Duration::from_secs(1);

/// The longest address, bytes (RFC 5321, section 4.5.3.1.3, less its brackets).
const ADDRESS_MAX: usize = 254;

const PEM_BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Whether a mail can be sent to `text`: an address of ASCII without a name beside it.
pub fn is_address(text: &str) -> bool {
    text.len() <= ADDRESS_MAX && text.is_ascii() && text.parse::<Address>().is_ok()
}

/// Sends mails through one server.
pub struct Mailer {
    host: String,
    port: u16,
    security: Security,
    tls: TlsParameters,
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
        let mut tls = TlsParametersBuilder::new(smtp.host.clone());
        if let Some(path) = &smtp.ca_file {
            let unusable = |why: &str| format!("--smtp-ca-file: can't use {path}: {why}");
            let pem = std::fs::read(path).map_err(|error| unusable(&error.to_string()))?;
            if !pem.windows(PEM_BEGIN.len()).any(|part| part == PEM_BEGIN) {
                return Err(unusable("there is no PEM certificate in it"));
            }
            let certificates =
                Certificate::from_pem(&pem).map_err(|error| unusable(&error.to_string()))?;
            tls = tls
                .certificate_store(CertificateStore::None)
                .add_root_certificate(certificates);
        }
        Ok(Self {
            tls: tls
                .build()
                .map_err(|error| format!("--smtp-host: {}: {error}", smtp.host))?,
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
        let later = |what: &str, error: &Error| (Verdict::TryAgain, self.why(what, error));
        let mut server = self
            .connect()
            .map_err(|(what, error)| later(what, &error))?;
        if let Some(login) = &self.login {
            server
                .auth(&[Mechanism::Plain, Mechanism::Login], login)
                .map_err(|error| later("did not accept the login", &error))?;
        }
        server
            .command(Mail::new(Some(self.from.email.clone()), Vec::new()))
            .map_err(|error| {
                let what = format!("refused the sender {}", self.from.email);
                later(&what, &error)
            })?;
        let of_this = |what: &str, error: &Error| {
            let verdict = match error.is_permanent() {
                true => Verdict::GiveUp,
                false => Verdict::TryAgain,
            };
            (verdict, self.why(what, error))
        };
        server
            .command(Rcpt::new(to.clone(), Vec::new()))
            .map_err(|error| of_this(&format!("refused the recipient {to}"), &error))?;
        let said = server
            .command(Data)
            .and_then(|_| server.message(email))
            .map_err(|error| of_this("refused the message", &error))?;
        // It has the message: whether it says goodbye does not matter.
        if server.set_timeout(Some(FAREWELL)).is_ok() {
            let _ = server.quit();
        }
        Ok(words(&said))
    }

    fn connect(&self) -> Result<SmtpConnection, (&'static str, Error)> {
        let tls = (self.security == Security::Tls).then_some(&self.tls);
        let mut server = SmtpConnection::connect(
            (self.host.as_str(), self.port),
            Some(PATIENCE),
            &self.hello,
            tls,
            None,
        )
        .map_err(|error| ("did not greet us", error))?;
        if self.security == Security::StartTls {
            // Refuses where the server does not offer it: the login goes through TLS only.
            server
                .starttls(&self.tls, &self.hello)
                .map_err(|error| ("did not change to a secure connection", error))?;
        }
        Ok(server)
    }

    /// What went wrong, for the owner of the channel.
    fn why(&self, what: &str, error: &Error) -> String {
        let place = format!("{}:{}", self.host, self.port);
        let said = error.source().map(ToString::to_string).unwrap_or_default();
        if let Some(code) = error.status() {
            return format!("the mail server {place} {what}: {code} {said}");
        }
        let mut source = error.source();
        while let Some(cause) = source {
            let io = cause.downcast_ref::<std::io::Error>();
            let inner = io.and_then(std::io::Error::get_ref);
            let tls = inner
                .and_then(|inner| inner.downcast_ref::<rustls::Error>())
                .or_else(|| cause.downcast_ref());
            match (tls, io.map(std::io::Error::kind)) {
                (Some(rustls::Error::InvalidCertificate(why)), _) => {
                    return format!(
                        "the certificate of the mail server {place} is not to be trusted: {why}"
                    );
                }
                (Some(other), _) => {
                    return format!("no secure connection to the mail server {place}: {other}");
                }
                (None, Some(ErrorKind::WouldBlock | ErrorKind::TimedOut)) => {
                    return format!(
                        "the mail server {place} did not answer within {} seconds",
                        PATIENCE.as_secs()
                    );
                }
                (None, Some(_)) if what == "did not greet us" => {
                    return format!("the mail server {place} can't be reached: {cause}");
                }
                _ => source = cause.source(),
            }
        }
        format!("the mail server {place} {what}: {said}")
    }
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
