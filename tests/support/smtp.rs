//! A real mail server as a process (Python's aiosmtpd), and the mails that it took.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::tls::{Authority, VALID};
use super::{TempDir, wait_for};

/// What the server wants of who logs in.
pub const USER: &str = "alerts@pakyas.test";
pub const PASSWORD: &str = "correct horse";

/// A running mail server. It is ended when dropped.
pub struct Smtp {
    pub directory: TempDir,
    pub port: u16,
    child: Child,
}

/// A Python that has aiosmtpd (Debian: python3-aiosmtpd), where there is one.
fn python() -> Option<&'static str> {
    ["/usr/bin/python3", "python3"].into_iter().find(|python| {
        Command::new(python)
            .args(["-c", "import aiosmtpd"])
            .output()
            .is_ok_and(|output| output.status.success())
    })
}

impl Smtp {
    /// A server that is protected by `starttls`, `tls` or `none` and wants a login; its
    /// certificate is for these names. None where the machine has no aiosmtpd.
    pub fn start(protection: &str, names: &[&str]) -> Option<Self> {
        Self::launch(protection, names, USER)
    }

    /// One that is open to everyone, in the clear.
    pub fn open() -> Option<Self> {
        Self::launch("none", &["127.0.0.1"], "-")
    }

    fn launch(protection: &str, names: &[&str], user: &str) -> Option<Self> {
        let Some(python) = python() else {
            // Where everything is installed first, nothing may be left out.
            assert!(
                std::env::var_os("PAKYAS_CI").is_none(),
                "aiosmtpd is missing"
            );
            eprintln!("skipped: there is no aiosmtpd here (Debian: python3-aiosmtpd)");
            return None;
        };
        let directory = TempDir::new();
        let authority = Authority::new("A CA of the test");
        let pem = authority.issue(names, VALID).pem();
        std::fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        std::fs::write(directory.path().join("server.pem"), pem).unwrap();
        std::fs::write(directory.path().join("password"), PASSWORD).unwrap();
        let mut child = Command::new(python)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/support/smtp.py"
            ))
            .arg(directory.path())
            .args([protection, user, PASSWORD])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line.trim().parse().unwrap();
        Some(Self {
            directory,
            port,
            child,
        })
    }

    /// The flags with which a pakyas-server sends through it.
    pub fn options(&self, security: &str, command: &mut Command) {
        let path = |name: &str| self.directory.path().join(name);
        command
            .args(["--smtp-host", "127.0.0.1", "--smtp-security", security])
            .args(["--smtp-from", "Pakyas <alerts@pakyas.test>"])
            .args(["--smtp-port", &self.port.to_string()]);
        if security != "none" {
            command
                .args(["--smtp-user", USER, "--smtp-password-file"])
                .arg(path("password"))
                .arg("--smtp-ca-file")
                .arg(path("ca.pem"));
        }
    }

    /// From now on `what` (`rcpt` or `data`) is answered with this; with nothing: taken.
    pub fn answer(&self, what: &str, reply: &str) {
        std::fs::write(self.directory.path().join(what), reply).unwrap();
    }

    /// What the file of that name in the server's directory holds.
    pub fn noted(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(name)).unwrap_or_default()
    }

    /// The mails so far, oldest first, as they came.
    pub fn mails(&self) -> Vec<String> {
        let mut paths: Vec<_> = std::fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "eml"))
            .filter(|path| {
                !path
                    .file_name()
                    .unwrap()
                    .as_encoded_bytes()
                    .starts_with(b".")
            })
            .collect();
        paths.sort();
        let read = |path| String::from_utf8(std::fs::read(path).unwrap()).unwrap();
        paths.into_iter().map(read).collect()
    }

    /// Waits until there are at least `count` mails.
    pub fn wait(&self, count: usize) -> Vec<String> {
        wait_for(&format!("{count} mails"), || {
            Some(self.mails()).filter(|mails| mails.len() >= count)
        })
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The value of a header, its folded lines joined.
pub fn header(mail: &str, name: &str) -> Option<String> {
    let head = mail.split("\r\n\r\n").next()?.replace("\r\n ", " ");
    for line in head.lines() {
        let (known, value) = line.split_once(": ")?;
        if known.eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
    }
    None
}

/// A mail's text with the soft line breaks of quoted-printable taken out.
pub fn unfolded(mail: &str) -> String {
    mail.replace("=\r\n", "").replace("=3D", "=")
}
