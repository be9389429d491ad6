//! The self-hosted Pakyas Cloud: answers API.md, decides what is late or down, sends alerts.

pub mod alerts;
pub mod api;
mod args;
mod bell;
mod clock;
pub mod doctor;
pub mod engine;
pub mod http;
pub mod program;
mod scheduler;
pub mod store;
