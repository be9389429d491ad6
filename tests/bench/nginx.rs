//! nginx that answers everybody with a constant: what a server's rates are measured beside, and
//! what a client's pings go to.

#![allow(dead_code, reason = "each bench uses a part")]
#![allow(missing_docs, reason = "read beside the benches that use it")]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::{self, TempDir};

/// Ended when dropped.
pub struct Nginx {
    child: Child,
    pub address: SocketAddr,
    /// Where it speaks TLS, if it does.
    pub tls: Option<SocketAddr>,
    _directory: TempDir,
}

impl Nginx {
    /// One worker for each core, plain HTTP; none where there is no nginx.
    pub fn start() -> Option<Self> {
        Self::launch("auto", None, &[])
    }

    /// One worker, started by `before`, which pins it to a core.
    pub fn start_alone(before: &[&str]) -> Option<Self> {
        Self::launch("1", None, before)
    }

    /// Speaks TLS too, by the PEM files of its certificate and key.
    pub fn start_with_tls(certificate: &Path, key: &Path) -> Option<Self> {
        Self::launch("auto", Some((certificate, key)), &[])
    }

    fn launch(workers: &str, tls: Option<(&Path, &Path)>, before: &[&str]) -> Option<Self> {
        let program = ["nginx", "/usr/sbin/nginx"].into_iter().find(|program| {
            Command::new(program)
                .arg("-v")
                .stderr(Stdio::null())
                .status()
                .is_ok()
        })?;
        let directory = TempDir::new();
        let path = directory.path().display();
        let (port, tls_port) = (free_port(), free_port());
        let tls_lines = tls.map_or(String::new(), |(certificate, key)| {
            format!(
                "listen 127.0.0.1:{tls_port} ssl; ssl_certificate {}; ssl_certificate_key {};",
                certificate.display(),
                key.display()
            )
        });
        let config = format!(
            "daemon off; worker_processes {workers}; pid {path}/pid; error_log {path}/error;
             events {{ worker_connections 4096; }}
             http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {path}/b;
               proxy_temp_path {path}/p; fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u;
               scgi_temp_path {path}/s; default_type text/plain;
               server {{ listen 0.0.0.0:{port} backlog=4096; {tls_lines}
                 location / {{ return 200 \"OK\"; }} }} }}"
        );
        std::fs::write(directory.path().join("conf"), config).unwrap();
        let words = [before, &[program, "-c"]].concat();
        let child = Command::new(words[0])
            .args(&words[1..])
            .arg(directory.path().join("conf"))
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        support::wait_for("nginx", || TcpStream::connect(address).ok());
        Some(Self {
            child,
            address,
            tls: tls.map(|_| SocketAddr::from(([127, 0, 0, 1], tls_port))),
            _directory: directory,
        })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        support::signal(self.child.id(), "TERM");
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    listener.local_addr().unwrap().port()
}
