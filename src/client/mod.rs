//! The client: what runs on every job host.

pub mod args;
pub mod delivery;
pub mod error;
mod suggest;

pub use error::Error;
