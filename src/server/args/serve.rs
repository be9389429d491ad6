//! What it takes to serve, grouped by subject: flag, environment, default.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::super::http::{Network, TlsFiles};
use super::super::store::Retention;
use super::values::{self, noted, setting};
use super::{Args, mail};

/// Where the server listens unless told otherwise.
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

/// Management requests a minute for each organization (API.md).
const DEFAULT_API_LIMIT: u32 = 1000;

/// Settled values for serving.
#[derive(Debug, PartialEq, Eq)]
pub struct Serve {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Where clients reach the server, without a slash at its end; where not said, it comes
    /// from the address listened on.
    pub public_url: Option<String>,
    /// What it shows; none where it speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub proxies: Vec<Network>,
    /// Where each request is logged, `-` being stdout.
    pub access_log: Option<PathBuf>,
    /// Management requests a minute for each organization.
    pub api_limit: u32,
    /// How much of the history is kept.
    pub retention: Retention,
    /// The mail server for alerts; none where there is none.
    pub smtp: Option<mail::Smtp>,
}

/// What it takes to serve, as far as it makes sense: where a value does not, it is missing here.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// As in [`Serve`].
    pub listen: Option<SocketAddr>,
    /// As in [`Serve`].
    pub data_dir: Option<PathBuf>,
    /// As in [`Serve`].
    pub public_url: Option<Option<String>>,
    /// As in [`Serve`].
    pub tls: Option<Option<TlsFiles>>,
    /// As in [`Serve`].
    pub access_log: Option<PathBuf>,
    /// As in [`Serve`].
    pub smtp: Option<Option<mail::Smtp>>,
    proxies: Vec<Network>,
    api_limit: Option<u32>,
    retention: Retention,
    /// A sentence for each value that makes no sense.
    pub wrong: Vec<String>,
}

/// Settles the flags that serving takes; says all that is wrong with them at once.
pub(super) fn settle(args: &Args) -> Result<Serve, String> {
    let draft = draft(args);
    let whole = (
        draft.listen,
        draft.data_dir,
        draft.public_url,
        draft.tls,
        draft.api_limit,
        draft.smtp,
    );
    match whole {
        (
            Some(listen),
            Some(data_dir),
            Some(public_url),
            Some(tls),
            Some(api_limit),
            Some(smtp),
        ) if draft.wrong.is_empty() => Ok(Serve {
            listen,
            data_dir,
            public_url,
            tls,
            proxies: draft.proxies,
            access_log: draft.access_log,
            api_limit,
            retention: draft.retention,
            smtp,
        }),
        _ => Err(draft.wrong.join("\npakyas-server: ")),
    }
}

/// Reads the flags that serving takes, and notes what is wrong with them.
pub(super) fn draft(args: &Args) -> Draft {
    let mut wrong = Vec::new();
    let listen = or_setting(args.listen.clone(), "PAKYAS_SERVER_LISTEN")
        .unwrap_or_else(|| DEFAULT_LISTEN.to_owned());
    let listen = noted(values::address(&listen), &mut wrong);
    let data_dir = noted(values::data_dir(args.data_dir.clone()), &mut wrong);
    let public_url = or_setting(args.public_url.clone(), "PAKYAS_SERVER_PUBLIC_URL")
        .map(|url| values::public_url(&url))
        .transpose();
    let public_url = noted(public_url, &mut wrong);
    let tls = noted(tls(args), &mut wrong);
    let proxies = proxies(args)
        .filter_map(|proxy| noted(proxy, &mut wrong))
        .collect();
    let access_log = args
        .access_log
        .clone()
        .or_else(|| setting("PAKYAS_SERVER_ACCESS_LOG").map(PathBuf::from));
    let api_limit = or_setting(args.api_limit.clone(), "PAKYAS_SERVER_API_LIMIT").map_or(
        Ok(DEFAULT_API_LIMIT),
        |text| {
            text.parse().ok().filter(|&limit| limit > 0).ok_or_else(|| {
                format!("--api-limit must be a number of requests a minute, not '{text}'")
            })
        },
    );
    let api_limit = noted(api_limit, &mut wrong);
    let retention = retention(args, &mut wrong);
    let smtp = smtp(args).map_err(|sentences| wrong.extend(sentences)).ok();
    Draft {
        listen,
        data_dir,
        public_url,
        tls,
        access_log,
        smtp,
        proxies,
        api_limit,
        retention,
        wrong,
    }
}

fn or_setting(flag: Option<String>, name: &str) -> Option<String> {
    flag.or_else(|| setting(name))
}

fn tls(args: &Args) -> Result<Option<TlsFiles>, String> {
    let path =
        |flag: &Option<PathBuf>, name| flag.clone().or_else(|| setting(name).map(PathBuf::from));
    match (
        path(&args.tls_cert, "PAKYAS_SERVER_TLS_CERT"),
        path(&args.tls_key, "PAKYAS_SERVER_TLS_KEY"),
    ) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (Some(_), None) => Err("--tls-cert needs --tls-key, the file with its key".to_owned()),
        (None, Some(_)) => {
            Err("--tls-key needs --tls-cert, the file with its certificate".to_owned())
        }
    }
}

fn proxies(args: &Args) -> impl Iterator<Item = Result<Network, String>> {
    let texts = if args.trusted_proxy.is_empty() {
        let texts = setting("PAKYAS_SERVER_TRUSTED_PROXY").unwrap_or_default();
        let texts = texts.split(',').map(str::trim);
        texts
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect()
    } else {
        args.trusted_proxy.clone()
    };
    texts.into_iter().map(|text: String| text.parse())
}

/// How much of the history is kept.
fn retention(args: &Args, wrong: &mut Vec<String>) -> Retention {
    let usual = Retention::default();
    let mut number = |flag: &str, typed: Option<String>, variable: &str, most, otherwise| {
        let Some(text) = typed.or_else(|| setting(variable)) else {
            return otherwise;
        };
        let number = match text.parse() {
            Ok(number) if (1..=most).contains(&number) => Ok(number),
            _ => Err(format!(
                "{flag} (or {variable}) must be a whole number from 1 to {most}, not '{text}'"
            )),
        };
        noted(number, wrong).unwrap_or(otherwise)
    };
    Retention {
        days: number(
            "--keep-days",
            args.keep_days.clone(),
            "PAKYAS_SERVER_KEEP_DAYS",
            36_500,
            usual.days,
        ),
        pings: number(
            "--keep-pings",
            args.keep_pings.clone(),
            "PAKYAS_SERVER_KEEP_PINGS",
            10_000_000,
            usual.pings,
        ),
    }
}

/// The mail server for alerts.
fn smtp(args: &Args) -> Result<Option<mail::Smtp>, Vec<String>> {
    mail::settle(mail::Typed {
        host: args.smtp_host.clone(),
        port: args.smtp_port.clone(),
        security: args.smtp_security.clone(),
        user: args.smtp_user.clone(),
        password_file: args.smtp_password_file.clone(),
        from: args.smtp_from.clone(),
        ca_file: args.smtp_ca_file.clone(),
    })
}
