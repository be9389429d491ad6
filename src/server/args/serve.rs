//! What it takes to serve, grouped by subject: flag, environment, default.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Args;
use super::values::{self, setting};

/// Where the server listens unless told otherwise.
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

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
}

/// Settles the flags that serving takes.
pub(super) fn settle(args: Args) -> Result<Serve, String> {
    let listen = args
        .listen
        .or_else(|| setting("PAKYAS_SERVER_LISTEN"))
        .unwrap_or_else(|| DEFAULT_LISTEN.to_owned());
    let public_url = args
        .public_url
        .or_else(|| setting("PAKYAS_SERVER_PUBLIC_URL"));
    Ok(Serve {
        listen: values::address(&listen)?,
        data_dir: values::data_dir(args.data_dir)?,
        public_url: public_url.map(|url| values::public_url(&url)).transpose()?,
    })
}
