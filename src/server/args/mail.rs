//! The flags of the mail server that alerts go through, and what they and the environment say
//! together. The password is in a file or in the environment, never on the command line.

use super::values::setting;
use crate::secret::Secret;

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Begins in the clear and must change to TLS before anything is said (RFC 3207).
    StartTls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// In the clear: for a relay on the same machine or network.
    None,
}

/// The mail server, settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// A name or an address.
    pub host: String,
    /// Where it listens.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// User and password, where it wants them.
    pub login: Option<(String, Secret)>,
    /// The sender, as `alerts@example.com` or `Pakyas <alerts@example.com>`.
    pub from: String,
    /// PEM certificates to trust instead of the built-in ones.
    pub ca_file: Option<String>,
}

/// The flags as typed.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "each is described where it is a flag")]
pub struct Typed {
    pub host: Option<String>,
    pub port: Option<String>,
    pub security: Option<String>,
    pub user: Option<String>,
    pub password_file: Option<String>,
    pub from: Option<String>,
    pub ca_file: Option<String>,
}

/// What flags and environment say; none where no host is named.
///
/// # Errors
/// A sentence that names the flag.
pub fn settle(typed: Typed) -> Result<Option<Smtp>, String> {
    let either = |flag: Option<String>, name: &str| {
        flag.filter(|text| !text.is_empty())
            .or_else(|| setting(&format!("PAKYAS_SERVER_SMTP_{name}")))
    };
    let Some(host) = either(typed.host, "HOST") else {
        return Ok(None);
    };
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
        return Err(format!(
            "--smtp-host: '{}' is no host; write it like mail.example.com",
            host.escape_debug()
        ));
    }
    let (security, usual) = match either(typed.security, "SECURITY").as_deref() {
        None | Some("starttls") => (Security::StartTls, 587),
        Some("tls") => (Security::Tls, 465),
        Some("none") => (Security::None, 25),
        Some(other) => {
            return Err(format!(
                "--smtp-security is starttls, tls or none, not '{other}'"
            ));
        }
    };
    let port = match either(typed.port, "PORT") {
        None => usual,
        Some(text) => match text.parse() {
            Ok(port) if port > 0 => port,
            _ => return Err(format!("--smtp-port: '{text}' is no port")),
        },
    };
    let password = match either(typed.password_file, "PASSWORD_FILE") {
        Some(path) => Some(Secret::from_file(&path)?),
        None => setting("PAKYAS_SERVER_SMTP_PASSWORD")
            .map(|text| Secret::from_setting(&text))
            .transpose()?,
    };
    let login = match (either(typed.user, "USER"), password) {
        (None, None) => None,
        (Some(user), Some(password)) => Some((user, password)),
        (Some(_), None) => {
            return Err(
                "--smtp-user needs a password; name a file that holds it with --smtp-password-file"
                    .to_owned(),
            );
        }
        (None, Some(_)) => {
            return Err("there is a password for SMTP but no user; give --smtp-user".to_owned());
        }
    };
    if security == Security::None && login.is_some() {
        return Err(
            "--smtp-security none would send the password in the clear; use starttls or tls"
                .to_owned(),
        );
    }
    Ok(Some(Smtp {
        port,
        security,
        login,
        from: either(typed.from, "FROM")
            .ok_or("--smtp-host needs --smtp-from, the address that alerts come from")?,
        ca_file: either(typed.ca_file, "CA_FILE"),
        host,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(security: Option<&str>) -> Typed {
        Typed {
            host: Some("mail.example.com".to_owned()),
            from: Some("a@example.com".to_owned()),
            security: security.map(str::to_owned),
            ..Typed::default()
        }
    }

    #[test]
    fn each_protection_has_its_usual_port() {
        for (security, port) in [
            (None, 587),
            (Some("starttls"), 587),
            (Some("tls"), 465),
            (Some("none"), 25),
        ] {
            let smtp = settle(typed(security)).unwrap().unwrap();
            assert_eq!(smtp.port, port, "{security:?}");
        }
        assert!(settle(Typed::default()).unwrap().is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let with = |change: fn(&mut Typed)| {
            let mut typed = typed(None);
            change(&mut typed);
            settle(typed).unwrap_err()
        };
        for (sentence, word) in [
            (with(|t| t.security = Some("ssl".to_owned())), "'ssl'"),
            (with(|t| t.port = Some("70000".to_owned())), "70000"),
            (with(|t| t.from = None), "--smtp-from"),
            (
                with(|t| t.user = Some("me".to_owned())),
                "--smtp-password-file",
            ),
            (with(|t| t.host = Some("a b".to_owned())), "'a b'"),
        ] {
            assert!(sentence.contains(word), "{sentence}");
        }
    }
}
