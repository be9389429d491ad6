//! The vocabulary that both programs share, and the two programs as modules.
//!
//! Dependencies point one way: `bin` → [`client`] or `server` → [`wire`],
//! [`schedule`]. The client and the server never see each other; what they say
//! to each other is in [`wire`].

// A release is built without what {:?} prints: see dist/build.sh.
#![cfg_attr(not(test), warn(clippy::use_debug))]

pub mod client;
mod crypto;
mod handshake;
pub mod random;
pub mod schedule;
pub mod secret;
#[cfg(feature = "server")]
pub mod server;
pub mod suggest;
pub mod sys;
pub mod wire;

/// The version of both programs, as `--version` prints it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
mod tests {
    use proptest::test_runner::{Config, RngSeed};

    /// By `.cargo/config.toml`, of which a test program that is run by itself knows nothing.
    #[test]
    fn a_test_run_tries_the_same_input_each_time() {
        if std::env::var_os("CARGO").is_some() {
            let seed = Config::default().rng_seed;
            assert!(matches!(seed, RngSeed::Fixed(_)), "{seed}");
        }
    }
}
