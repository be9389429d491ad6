//! A private CA, and a TLS front before a plain server: what a reverse proxy does, and what the
//! client's encryption is tried against.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, ServerConfig, ServerConnection};

/// The years in which a certificate is valid: from the first day of one to that of the other.
pub type Years = (i32, i32);

/// As long as these tests can be run at all.
pub const VALID: Years = (2000, 2500);

/// A certificate authority that nobody knows of but who is told.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A server's certificate and its key.
#[allow(dead_code, reason = "each test binary uses one form of them")]
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    /// Both as a server reads them from files.
    pub certificate_pem: String,
    pub key_pem: String,
}

impl Identity {
    /// Both as PEM, for a server that is not of this process.
    pub fn pem(&self) -> String {
        format!("{}{}", self.certificate_pem, self.key_pem)
    }
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// Its certificate, for a PAKYAS_CA_FILE.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names and addresses.
    pub fn issue(&self, names: &[&str], years: Years) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            certificate: certificate.der().clone(),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        }
    }
}

/// What a front saw.
#[derive(Default)]
struct Seen {
    /// How many connections came.
    connections: usize,
    /// What was agreed on by those that got through the handshake.
    versions: Vec<ProtocolVersion>,
    /// What the clients sent, as it was on the wire and as it was decrypted.
    raw: Vec<u8>,
    plain: Vec<u8>,
}

struct Shared {
    config: Arc<ServerConfig>,
    backend: String,
    seen: Mutex<Seen>,
    ended: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// A TLS front on a free port of this machine, gone when it is dropped.
pub struct Front {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Front {
    /// Speaks TLS 1.2 and 1.3 and passes on to the server at `backend`, `http://` and all.
    pub fn new(identity: Identity, backend: &str) -> Self {
        Self::speaking(
            &[ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3],
            identity,
            backend,
        )
    }

    /// Speaks these versions of TLS only.
    pub fn speaking(versions: &[ProtocolVersion], identity: Identity, backend: &str) -> Self {
        let versions: Vec<_> = [&TLS12, &TLS13]
            .into_iter()
            .filter(|known| versions.contains(&known.version))
            .collect();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.certificate], identity.key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            config: Arc::new(config),
            backend: backend.trim_start_matches("http://").to_owned(),
            seen: Mutex::default(),
            ended: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let acceptor = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self {
            port,
            shared,
            acceptor: Some(acceptor),
        }
    }

    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections came so far.
    pub fn connections(&self) -> usize {
        self.shared.seen.lock().unwrap().connections
    }

    /// The version of each connection that got through the handshake.
    pub fn versions(&self) -> Vec<ProtocolVersion> {
        self.shared.seen.lock().unwrap().versions.clone()
    }

    /// All that clients sent through the encryption.
    pub fn decrypted(&self) -> Vec<u8> {
        self.shared.seen.lock().unwrap().plain.clone()
    }

    /// All that clients sent, as it was on the wire.
    pub fn on_the_wire(&self) -> Vec<u8> {
        self.shared.seen.lock().unwrap().raw.clone()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.ended.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        shared.seen.lock().unwrap().connections += 1;
        let mut open = shared.open.lock().unwrap();
        open.push(client.try_clone().unwrap());
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            serve(&client, &shared);
            let _ = client.shutdown(Shutdown::Both);
        });
    }
}

/// One connection: what comes is decrypted here, what the server says is encrypted on a thread
/// of its own. Neither waits for the network while it holds the lock on the encryption.
fn serve(mut client: &TcpStream, shared: &Shared) -> Option<()> {
    let tls = ServerConnection::new(Arc::clone(&shared.config)).ok()?;
    let tls = Arc::new(Mutex::new(tls));
    let mut backend: Option<TcpStream> = None;
    let mut bytes = [0; 16 * 1024];
    loop {
        let read = client.read(&mut bytes).ok().filter(|&read| read > 0);
        let Some(read) = read else { break };
        let mut came = &bytes[..read];
        shared.seen.lock().unwrap().raw.extend_from_slice(came);
        let mut plain = Vec::new();
        let mut version = None;
        {
            let mut tls = tls.lock().unwrap();
            while !came.is_empty() {
                tls.read_tls(&mut came).ok()?;
                let state = tls.process_new_packets();
                // The handshake's answer, or the alert that says why there is none.
                while tls.wants_write() {
                    tls.write_tls(&mut client).ok()?;
                }
                let left = state.ok()?.plaintext_bytes_to_read();
                let before = plain.len();
                plain.resize(before + left, 0);
                tls.reader().read_exact(&mut plain[before..]).ok()?;
            }
            if !tls.is_handshaking() {
                version = tls.protocol_version();
            }
        }
        let (None, Some(version)) = (&backend, version) else {
            pass_on(backend.as_ref(), &plain, shared)?;
            continue;
        };
        shared.seen.lock().unwrap().versions.push(version);
        let server = TcpStream::connect(&shared.backend).ok()?;
        let (from, to) = (server.try_clone().ok()?, client.try_clone().ok()?);
        shared.open.lock().unwrap().push(from.try_clone().ok()?);
        let tls = Arc::clone(&tls);
        std::thread::spawn(move || {
            answer(&from, &to, &tls);
            let _ = to.shutdown(Shutdown::Both);
        });
        pass_on(Some(&server), &plain, shared)?;
        backend = Some(server);
    }
    backend?.shutdown(Shutdown::Write).ok()
}

fn pass_on(backend: Option<&TcpStream>, plain: &[u8], shared: &Shared) -> Option<()> {
    shared.seen.lock().unwrap().plain.extend_from_slice(plain);
    match backend {
        Some(mut backend) => backend.write_all(plain).ok(),
        None => Some(()),
    }
}

fn answer(mut from: &TcpStream, mut to: &TcpStream, tls: &Mutex<ServerConnection>) -> Option<()> {
    let mut bytes = [0; 16 * 1024];
    loop {
        let read = from.read(&mut bytes).ok()?;
        let mut tls = tls.lock().unwrap();
        if read == 0 {
            tls.send_close_notify();
        }
        tls.writer().write_all(&bytes[..read]).ok()?;
        while tls.wants_write() {
            tls.write_tls(&mut to).ok()?;
        }
        if read == 0 {
            return None;
        }
    }
}
