//! The cryptography of both programs: ring's, as rustls offers it, without keys of our own.

use std::sync::Arc;

use rustls::Error;
use rustls::crypto::{CryptoProvider, KeyProvider, ring};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;

/// What TLS connections and random numbers are made with.
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        key_provider: &NoKeys,
        ..ring::default_provider()
    }
}

/// Nobody here proves who they are with a private key: what would load and use one, RSA and all,
/// is left out of the programs.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General("private keys are not used".to_owned()))
    }
}
