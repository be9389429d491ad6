//! TLS on a connection. Knows which certificates are trusted, not who asks for what.
//!
//! ureq's own connector does the same, and brings what loads and uses the private key of a client
//! that has one, RSA and all, which nobody here has.

use std::fmt;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::{ClientConfig, ClientConnection};
use rustls::pki_types::ServerName;
use rustls::{RootCertStore, StreamOwned};
use ureq::Error;
use ureq::unversioned::transport::time::Instant;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

use crate::crypto;

/// Turns a connection into an encrypted one where the address asks for that.
#[derive(Clone)]
pub(super) struct Encryption(Result<Arc<ClientConfig>, rustls::Error>);

impl Encryption {
    /// Trusts whom one of `roots` vouches for. Does nothing yet that takes time.
    pub(super) fn new(roots: RootCertStore) -> Self {
        let config = ClientConfig::builder_with_provider(Arc::new(crypto::provider()))
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .map(|builder| builder.with_root_certificates(roots).with_no_client_auth());
        Self(config.map(Arc::new))
    }
}

impl<In: Transport> Connector<In> for Encryption {
    type Out = Either<In, Encrypted>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        // One that is encrypted already leads to a proxy.
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let encrypted = self.begin(details, Box::new(transport))?;
        Ok(Some(Either::B(encrypted)))
    }
}

impl Encryption {
    /// Both introduce themselves, within the time that connecting may take.
    fn begin(
        &self,
        details: &ConnectionDetails,
        transport: Box<dyn Transport>,
    ) -> Result<Encrypted, Error> {
        let config = self.0.clone().map_err(Error::Rustls)?;
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Error::Tls("no certificate can be for a name like that"))?;
        let mut tls = ClientConnection::new(config, name)?;
        let mut below = TransportAdapter::new(transport, details.current_time.clone());
        below.set_timeout(left(details));
        tls.complete_io(&mut below)?;
        Ok(Encrypted {
            buffers: LazyBuffers::new(
                details.config.input_buffer_size(),
                details.config.output_buffer_size(),
            ),
            stream: StreamOwned::new(tls, below),
        })
    }
}

/// What is left of the time for connecting, of which TCP has taken its share.
fn left(details: &ConnectionDetails) -> NextTimeout {
    let spent = match details.now {
        Instant::Exact(begun) => begun.elapsed(),
        _ => Duration::ZERO,
    };
    NextTimeout {
        after: details.timeout.after.saturating_sub(spent).into(),
        ..details.timeout
    }
}

/// An encrypted connection.
pub(super) struct Encrypted {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for Encrypted {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encryption")
    }
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encrypted")
    }
}
