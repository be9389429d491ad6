//! The client: what runs on every job host.

pub mod args;
pub mod delivery;
pub mod error;
pub mod monitor;

pub use error::Error;
