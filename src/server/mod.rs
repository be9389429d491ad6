//! The self-hosted Pakyas Cloud: answers API.md, decides what is late or down, sends alerts.

mod accounts;
mod admin;
pub mod alerts;
pub mod api;
mod args;
mod bell;
mod clock;
pub mod engine;
pub mod http;
pub mod program;
mod scheduler;
pub mod store;
mod web;
