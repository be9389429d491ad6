//! One HTTP exchange, bounded in size and time. Knows nothing of checks or keys.

mod age;
mod names;
mod proxy;
mod socket;
mod tls;

use std::ffi::OsString;
use std::io::Read;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use ureq::tls::PemItem;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector};
use ureq::{Agent, http};

pub use age::Age;
use proxy::Given;

use super::address::origin;
use super::error::{Error, Kind};
use super::files;
use super::render::milliseconds;
use crate::wire::header;

/// How long finding a host's address may take.
const RESOLVE: Duration = Duration::from_secs(5);
/// How long connecting may take, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// The largest head of an answer, bytes.
const HEAD_MAX: usize = 16 * 1024;
/// The largest file of certificates, bytes: a distribution's whole bundle has some 200 KB.
const CA_MAX: u64 = 4 * 1024 * 1024;

/// One request.
pub struct Request<'a> {
    /// `GET`, `POST` and the like.
    pub method: &'static str,
    /// The whole address.
    pub url: &'a str,
    /// Names and values; a value that no header may hold is a usage error.
    pub headers: &'a [(&'static str, String)],
    /// One more header, which is still right when connecting took its time; with it goes the
    /// `Date`, by which the server tells that a clock is wrong.
    pub age: Option<Age>,
    /// The body, where there is one.
    pub body: Option<&'a [u8]>,
    /// For everything: finding the host, connecting, sending, and the whole answer.
    pub budget: Duration,
    /// The largest body of an answer that is read, bytes.
    pub answer_max: usize,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`, where it is a number of seconds.
    pub retry_after: Option<Duration>,
    /// `Location`, where a redirect points. Redirects are never followed here: a key or a
    /// ping must not end up where nobody configured it.
    pub location: Option<String>,
    /// Whether it has the header by which a Pakyas server is known.
    pub pakyas_server: bool,
    /// `Server`: the product that answers, as it calls itself.
    pub server: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// The body, at most `answer_max` bytes of it.
    pub body: Vec<u8>,
    /// Whether there was more.
    pub truncated: bool,
}

/// Sends requests; keeps connections for the next one. Shareable between threads.
pub struct Http {
    agent: Agent,
    proxies: proxy::Proxies,
    ca_problem: Option<Error>,
}

impl Http {
    /// `ca_file`: PEM certificates to trust instead of the built-in ones of Mozilla. A file
    /// that can't be used is told with the first HTTPS request. Touches no network.
    pub fn new(ca_file: Option<OsString>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("pakyas/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(RESOLVE))
            .timeout_connect(Some(CONNECT))
            .max_response_header_size(HEAD_MAX)
            .input_buffer_size(2 * HEAD_MAX)
            .output_buffer_size(2 * HEAD_MAX)
            // Chosen for each request by its scheme, see `proxy`.
            .proxy(None);
        let roots = ca_file.map_or_else(
            || Ok(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()),
            |path| read_certificates(&path),
        );
        let (roots, ca_problem) = match roots {
            Ok(roots) => (roots, None),
            Err(error) => (RootCertStore::empty(), Some(error)),
        };
        let connector = ConnectProxyConnector::default()
            .chain(socket::Sockets)
            .chain(tls::Encryption::new(roots))
            .chain(age::Ages);
        Self {
            agent: Agent::with_parts(config.build(), connector, names::Resolver),
            proxies: proxy::Proxies::from_environment(),
            ca_problem,
        }
    }

    /// Sends one request and reads the answer, whatever its status.
    ///
    /// # Errors
    /// [`Kind::Network`] where no whole answer came in time; [`Kind::Usage`] where the
    /// request can't be put in HTTP or `ca_file` can't be used. The message names the
    /// origin only: neither path nor headers.
    pub fn send(&self, request: &Request<'_>) -> Result<Answer, Error> {
        let origin = origin(request.url);
        let https = request.url.starts_with("https:");
        if let (true, Some(problem)) = (https, &self.ca_problem) {
            return Err(problem.clone());
        }
        let mut builder = http::Request::builder()
            .method(request.method)
            .uri(request.url);
        for (name, value) in request.headers {
            builder = builder.header(*name, value);
        }
        let _growing = request.age.map(age::Growing::new);
        if let Some(age) = request.age {
            builder = builder.header(age.name, age::value(age));
            if let Some(date) = age::date(jiff::Timestamp::now()) {
                builder = builder.header(header::DATE, date);
            }
        }
        let given = self.proxies.choose(request.url, https);
        let proxy = given.and_then(|given| given.proxy.clone());
        if let (Some(given), None) = (given, &proxy) {
            return Err(Error::new(
                Kind::Usage,
                format!(
                    "The proxy {} is not an address: the port is wrong, or it is no host; \
                     write it as http://proxy.example.com:3128",
                    given.shown
                ),
            ));
        }
        if proxy.as_ref().is_some_and(proxy::is_socks) {
            return Err(Error::new(
                Kind::Network,
                format!(
                    "Can't reach {origin}: the proxy that is set speaks SOCKS, which pakyas does not \
                     (HTTPS_PROXY and HTTP_PROXY name HTTP proxies, NO_PROXY exempts hosts)"
                ),
            ));
        }
        let told = |error| told(error, origin, request.budget, given);
        let unfit = |_| {
            Error::new(
                Kind::Usage,
                format!(
                    "The request to {origin} can't be made: an address or a key holds characters that it can't"
                ),
            )
        };
        // Two branches, because ureq sends a GET with any body type but `()` with a length.
        let mut response = match request.body {
            Some(body) => {
                let request_ = builder.body(body).map_err(unfit)?;
                let request_ = self
                    .agent
                    .configure_request(request_)
                    .timeout_global(Some(request.budget))
                    .proxy(proxy.clone())
                    .build();
                self.agent.run(request_).map_err(told)?
            }
            None => {
                let request_ = builder.body(()).map_err(unfit)?;
                let request_ = self
                    .agent
                    .configure_request(request_)
                    .timeout_global(Some(request.budget))
                    .proxy(proxy.clone())
                    .build();
                self.agent.run(request_).map_err(told)?
            }
        };
        let text = |name| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.trim().to_owned())
        };
        let retry_after = text("retry-after").and_then(|v| v.parse().ok());
        let location = text("location");
        let (server, content_type) = (text("server"), text("content-type"));
        let pakyas_server = text(header::SERVER).is_some_and(|version| !version.is_empty());
        let mut body = Vec::new();
        response
            .body_mut()
            .as_reader()
            .take(request.answer_max as u64 + 1)
            .read_to_end(&mut body)
            .map_err(|error| told(error.into()))?;
        let truncated = body.len() > request.answer_max;
        body.truncate(request.answer_max);
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after: retry_after.map(Duration::from_secs),
            location,
            pakyas_server,
            server,
            content_type,
            body,
            truncated,
        })
    }
}

fn read_certificates(path: &OsString) -> Result<RootCertStore, Error> {
    let refuse = |why: String| {
        Error::new(
            Kind::Usage,
            format!(
                "The certificates in '{}' (PAKYAS_CA_FILE or SSL_CERT_FILE) can't be used: {why}",
                path.to_string_lossy().escape_debug()
            ),
        )
        .of_this_machine()
    };
    let pem = files::read(path.as_ref(), CA_MAX)
        .map_err(|e| refuse(e.to_string()))?
        .ok_or_else(|| refuse("there is no such file".to_owned()))?;
    let mut certificates = Vec::new();
    for item in ureq::tls::parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => {
                certificates.push(CertificateDer::from(certificate.der().to_vec()));
            }
            Ok(_) => {}
            Err(_) => return Err(refuse("it is not PEM".to_owned())),
        }
    }
    if certificates.is_empty() {
        return Err(refuse("it holds no certificate in PEM form".to_owned()));
    }
    let mut roots = RootCertStore::empty();
    // A bundle may hold old ones that nothing of today understands.
    roots.add_parsable_certificates(certificates);
    Ok(roots)
}

/// An exchange that failed, as a sentence.
fn told(error: ureq::Error, origin: &str, budget: Duration, proxy: Option<&Given>) -> Error {
    use ureq::Error as E;
    let why = match error {
        E::Timeout(ureq::Timeout::Resolve) => names::trouble(true),
        E::Timeout(ureq::Timeout::Connect) => "connecting takes too long".to_owned(),
        E::Timeout(_) => format!(
            "no answer within {}",
            milliseconds(budget.as_millis() as u64)
        ),
        E::HostNotFound => names::trouble(false),
        E::Io(error) => match error
            .get_ref()
            .and_then(|e| e.downcast_ref::<rustls::Error>())
        {
            Some(tls) => tls_trouble(tls),
            None => error.kind().to_string(),
        },
        E::Rustls(error) => tls_trouble(&error),
        E::Tls(what) => what.to_owned(),
        E::ConnectProxyFailed(_) | E::InvalidProxyUrl => "the proxy refused".to_owned(),
        E::LargeResponseHeader(..) => "the answer's head is too large".to_owned(),
        E::Protocol(_) => "what came back is not HTTP".to_owned(),
        E::Http(_) | E::BadUri(_) => {
            return Error::new(Kind::Usage, format!("'{origin}' is not an address"));
        }
        _ => "the exchange failed".to_owned(),
    };
    let through = proxy.map_or_else(String::new, |proxy| {
        format!(" through the proxy {}", proxy.shown)
    });
    Error::new(
        Kind::Network,
        format!("Can't reach {origin}{through}: {why}"),
    )
}

/// rustls' own messages are for programmers.
fn tls_trouble(error: &rustls::Error) -> String {
    use rustls::{CertificateError as C, Error as E};
    match error {
        E::InvalidCertificate(C::UnknownIssuer) => {
            "its certificate is of an unknown issuer (PAKYAS_CA_FILE names one to trust)"
        }
        E::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
            "its certificate has expired, or this machine's clock is wrong"
        }
        E::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            "its certificate is not valid yet, or this machine's clock is wrong"
        }
        E::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "its certificate is for another name"
        }
        // As where a CA was made anew under its old name.
        E::InvalidCertificate(C::BadSignature) => {
            "its issuer has the name but not the key of one that is trusted (PAKYAS_CA_FILE names one to trust)"
        }
        E::InvalidCertificate(_) => {
            "its certificate can't be trusted (PAKYAS_CA_FILE names an issuer to trust; a self-signed certificate must say CA:FALSE)"
        }
        E::AlertReceived(_) => "it refused the encrypted connection",
        E::InvalidMessage(_) => "it does not speak TLS; is it an http:// address?",
        E::PeerIncompatible(_) => "it speaks no TLS version or cipher of today",
        _ => "the encrypted connection failed",
    }
    .to_owned()
}
