//! The self-hosted Pakyas Cloud: answers API.md, decides what is late or down, sends alerts.

mod access_log;
mod accounts;
mod admin;
pub mod alerts;
pub mod api;
mod args;
mod bell;
mod clock;
mod complaint;
pub mod doctor;
pub mod engine;
mod hash;
mod histogram;
pub mod http;
mod metrics;
mod operations;
mod plain;
pub mod program;
mod rate;
mod scheduler;
pub mod store;
mod systemd;
mod web;
