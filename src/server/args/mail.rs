//! The flags of the mail server that alerts go through, and what they and the environment say
//! together. The password is in a file or in the environment, never on the command line.

use super::values::{noted, setting};
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

/// What flags and environment say; none where nothing is said.
///
/// # Errors
/// A sentence for each thing that is wrong, which names the flag.
pub fn settle(typed: Typed) -> Result<Option<Smtp>, Vec<String>> {
    let either = |flag: Option<String>, name: &str| {
        flag.filter(|text| !text.is_empty())
            .or_else(|| setting(&format!("PAKYAS_SERVER_SMTP_{name}")))
    };
    let mut wrong = Vec::new();
    let host = either(typed.host, "HOST");
    let port = either(typed.port, "PORT");
    let security = either(typed.security, "SECURITY");
    let user = either(typed.user, "USER");
    let password_file = either(typed.password_file, "PASSWORD_FILE");
    let password = setting("PAKYAS_SERVER_SMTP_PASSWORD");
    let from = either(typed.from, "FROM");
    let ca_file = either(typed.ca_file, "CA_FILE");
    let Some(host) = host else {
        let given = [
            ("--smtp-port", port.is_some()),
            ("--smtp-security", security.is_some()),
            ("--smtp-user", user.is_some()),
            ("--smtp-password-file", password_file.is_some()),
            ("PAKYAS_SERVER_SMTP_PASSWORD", password.is_some()),
            ("--smtp-from", from.is_some()),
            ("--smtp-ca-file", ca_file.is_some()),
        ];
        let given = given.into_iter().find(|(_, is_given)| *is_given);
        return match given {
            None => Ok(None),
            Some((flag, _)) => Err(vec![format!(
                "{flag} needs --smtp-host, the mail server that alerts go through"
            )]),
        };
    };
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
        wrong.push(format!(
            "--smtp-host: '{}' is no host; write it like mail.example.com",
            host.escape_debug()
        ));
    }
    let security = match security.as_deref() {
        None | Some("starttls") => Ok((Security::StartTls, 587)),
        Some("tls") => Ok((Security::Tls, 465)),
        Some("none") => Ok((Security::None, 25)),
        Some(other) => Err(format!(
            "--smtp-security is starttls, tls or none, not '{other}'"
        )),
    };
    let (security, usual) = noted(security, &mut wrong).unwrap_or((Security::StartTls, 0));
    let port = match port {
        None => usual,
        Some(text) => match text.parse() {
            Ok(port) if port > 0 => port,
            _ => {
                wrong.push(format!("--smtp-port: '{text}' is no port"));
                usual
            }
        },
    };
    let has_password = password_file.is_some() || password.is_some();
    let password = match (password_file, password) {
        (Some(path), _) => Some(Secret::from_file("--smtp-password-file", &path)),
        (None, Some(text)) => Some(Secret::from_setting("PAKYAS_SERVER_SMTP_PASSWORD", &text)),
        (None, None) => None,
    };
    let password = password.and_then(|password| noted(password, &mut wrong));
    let has_login = user.is_some() || has_password;
    match (&user, has_password) {
        (Some(_), false) => wrong.push(
            "--smtp-user needs a password; name a file that holds it with --smtp-password-file"
                .to_owned(),
        ),
        (None, true) => {
            wrong.push("there is a password for SMTP but no user; give --smtp-user".to_owned());
        }
        _ => {}
    }
    if security == Security::None && has_login {
        wrong.push(
            "--smtp-security none would send the password in the clear; use starttls or tls"
                .to_owned(),
        );
    }
    if from.is_none() {
        wrong.push("--smtp-host needs --smtp-from, the address that alerts come from".to_owned());
    }
    match from {
        Some(from) if wrong.is_empty() => Ok(Some(Smtp {
            host,
            port,
            security,
            login: user.zip(password),
            from,
            ca_file,
        })),
        _ => Err(wrong),
    }
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
    fn all_that_is_wrong_is_named_at_once() {
        let wrong = settle(Typed {
            host: Some("a b".to_owned()),
            port: Some("x".to_owned()),
            security: Some("ssl".to_owned()),
            password_file: Some("/no/file".to_owned()),
            ..Typed::default()
        });
        assert_eq!(wrong.unwrap_err().len(), 6);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let with = |change: fn(&mut Typed)| {
            let mut typed = typed(None);
            change(&mut typed);
            settle(typed).unwrap_err().join("; ")
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
            (with(|t| t.host = None), "--smtp-from needs --smtp-host"),
            (
                settle(Typed {
                    user: Some("me".to_owned()),
                    ..Typed::default()
                })
                .unwrap_err()
                .join("; "),
                "--smtp-user needs --smtp-host",
            ),
        ] {
            assert!(sentence.contains(word), "{sentence}");
        }
    }
}
