//! The certificate and the key that the server shows, read from PEM files and read again when
//! they were renewed.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::handshake;

/// Chains and keys are a few KB; what is longer was a mistake.
const FILE_MAX: u64 = 1024 * 1024;

/// Where the certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// PEM: the server's certificate, then those that lead to a known authority.
    pub certificate: PathBuf,
    /// PEM: the certificate's private key.
    pub key: PathBuf,
}

/// What the server shows, and what it will show to connections from the next reload on.
pub struct Tls {
    files: Files,
    current: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads both files. Gives also a warning where others may read the key.
    ///
    /// # Errors
    /// A sentence that names the file, or both files where neither can be used.
    pub fn load(files: Files) -> Result<(Self, Option<String>), String> {
        let (config, warning) = read(&files)?;
        let current = RwLock::new(Arc::new(config));
        Ok((Self { files, current }, warning))
    }

    /// Reads both files again; connections that are there keep what they have.
    ///
    /// # Errors
    /// As [`Tls::load`]; what was read before stays in use.
    pub fn reload(&self) -> Result<Option<String>, String> {
        let (config, warning) = read(&self.files)?;
        let config = Arc::new(config);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(warning)
    }

    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn read(files: &Files) -> Result<(ServerConfig, Option<String>), String> {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let (chain, private) = match (chain(&files.certificate), private(&files.key)) {
        (Ok(chain), Ok(private)) => (chain, private),
        (Err(one), Err(other)) => return Err(format!("{one}; {other}")),
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("can't speak TLS: {}", handshake::trouble(&error)))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                format!("the key in {key} does not go with the certificate in {certificate}")
            }
            rustls::Error::InvalidCertificate(_) => {
                format!("the certificate in {certificate} is damaged")
            }
            rustls::Error::General(why) => {
                format!(
                    "the certificate in {certificate} can't be used with the key in {key}: {why}"
                )
            }
            error => format!(
                "the certificate in {certificate} can't be used with the key in {key}: {}",
                handshake::trouble(&error)
            ),
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let open_to_others = std::fs::metadata(&files.key)
        .is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0);
    let warning = open_to_others.then(|| {
        format!("other users can read the key in {key}; take that from them: chmod 600 {key}")
    });
    Ok((config, warning))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificate = path.display();
    let chain = CertificateDer::pem_slice_iter(&bytes(path, "certificate")?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| format!("the certificate in {certificate} is damaged; it must be PEM"))?;
    if chain.is_empty() {
        return Err(format!(
            "there is no certificate in {certificate}; it must hold PEM, the server's first"
        ));
    }
    Ok(chain)
}

fn private(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let key = path.display();
    PrivateKeyDer::from_pem_slice(&bytes(path, "key")?).map_err(|_| {
        format!("there is no private key in {key}; it must hold PEM, without a passphrase")
    })
}

fn bytes(path: &Path, what: &str) -> Result<Vec<u8>, String> {
    let refused = |error| format!("can't read the {what} in {}: {error}", path.display());
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(refused)?
        .take(FILE_MAX)
        .read_to_end(&mut bytes)
        .map_err(refused)?;
    Ok(bytes)
}
