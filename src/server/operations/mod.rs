//! What is done beside a running server, or before one: each a subcommand.

pub mod backup;
pub mod check_config;
pub mod healthcheck;
