//! The self-hosted Pakyas Cloud: answers API.md, decides what is late or down, sends alerts.

pub mod engine;
