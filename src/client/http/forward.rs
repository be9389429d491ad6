//! `http://` through a proxy: the proxy is asked for the whole address (RFC 9112, section 3.2.2),
//! because most lead a `CONNECT` to port 443 only.
//!
//! ureq knows `CONNECT` alone, and writes the path where the address must be; so what it has written
//! is changed on its way out, as [`super::age`] does.

use std::{fmt, io};

use ureq::http::Uri;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, Transport,
};
use ureq::{Error, Proxy};

use super::socket::{Socket, Sockets};
use super::tls::{Encrypted, Encryption};

/// Connects to the proxy itself where there is one and the request is not to be encrypted.
#[derive(Debug)]
pub(super) struct Forwarding(pub(super) Encryption);

/// A connection to a proxy, which may be encrypted by itself.
type ToProxy = Either<Socket, Encrypted>;

impl Connector<()> for Forwarding {
    type Out = Forwarded;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _chained: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(proxy) = details.config.proxy().filter(|_| !details.needs_tls()) else {
            return Ok(None);
        };
        let towards = ConnectionDetails {
            uri: proxy.uri(),
            addrs: details
                .resolver
                .resolve(proxy.uri(), details.config, details.timeout)?,
            config: details.config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        let socket = Sockets::open(&towards)?;
        let transport = self.0.connect(&towards, Some(socket))?;
        Ok(transport.map(|transport| Forwarded {
            transport,
            origin: origin(details.uri),
            authorization: authorization(proxy),
            is_head: true,
        }))
    }
}

/// Where the request goes in the end, without a name and a password.
fn origin(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    match uri.port_u16() {
        Some(port) => format!("http://{host}:{port}"),
        None => format!("http://{host}"),
    }
}

/// The header that tells the proxy who asks, with its line end; empty where it asks nobody.
fn authorization(proxy: &Proxy) -> String {
    if proxy.username().is_none() && proxy.password().is_none() {
        return String::new();
    }
    let [name, password] = [proxy.username(), proxy.password()].map(Option::unwrap_or_default);
    let both = base64(format!("{name}:{password}").as_bytes());
    format!("Proxy-Authorization: Basic {both}\r\n")
}

/// Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |place| group.get(place).map_or(0, |byte| u32::from(*byte));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            text.push(match place <= group.len() {
                true => char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]),
                false => '=',
            });
        }
    }
    text
}

/// A connection to a proxy on which requests name the whole address.
pub(super) struct Forwarded {
    transport: ToProxy,
    origin: String,
    authorization: String,
    /// Whether what goes out next is the head of a request: nothing has since something came in.
    is_head: bool,
}

impl Transport for Forwarded {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if !std::mem::take(&mut self.is_head) {
            return self.transport.transmit_output(amount, timeout);
        }
        let written = &self.transport.buffers().output()[..amount];
        let head = in_full(written, &self.origin, &self.authorization)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        let mut rest = head.as_slice();
        while !rest.is_empty() {
            let output = self.transport.buffers().output();
            let (now, later) = rest.split_at(rest.len().min(output.len()));
            output[..now.len()].copy_from_slice(now);
            self.transport.transmit_output(now.len(), timeout)?;
            rest = later;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.is_head = true;
        self.transport.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.transport.is_open()
    }
}

/// The head with the whole address in its first line, and the header after that; none where it has
/// no first line.
fn in_full(head: &[u8], origin: &str, authorization: &str) -> Option<Vec<u8>> {
    let path = head.iter().position(|byte| *byte == b' ')? + 1;
    let fields = head.windows(2).position(|two| two == b"\r\n")? + 2;
    let (method, rest) = head.split_at(path);
    let (line, rest) = rest.split_at(fields.checked_sub(path)?);
    Some(
        [
            method,
            origin.as_bytes(),
            line,
            authorization.as_bytes(),
            rest,
        ]
        .concat(),
    )
}

impl fmt::Debug for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Forwarded")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn a_head_names_the_whole_address_and_who_asks_and_stays_as_it_is_otherwise() {
        let uri: Uri = "http://me:secret@[2001:db8::1]:8080/x?y".parse().unwrap();
        let proxy = Proxy::new("http://us%40er:p%3Aw@proxy:3128").unwrap();
        let head = b"POST /x?y HTTP/1.1\r\nHost: a b\r\n\r\nbody";
        let full = in_full(head, &origin(&uri), &authorization(&proxy)).unwrap();
        assert_eq!(
            String::from_utf8(full).unwrap(),
            "POST http://[2001:db8::1]:8080/x?y HTTP/1.1\r\n\
             Proxy-Authorization: Basic dXNAZXI6cDp3\r\nHost: a b\r\n\r\nbody"
        );
        let nobody = Proxy::new("http://proxy:3128").unwrap();
        assert_eq!(authorization(&nobody), "");
        for cut in [0, 4, 10] {
            assert_eq!(in_full(&head[..cut], "http://a", ""), None);
        }
    }
}
