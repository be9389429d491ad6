//! pakyas-server from outside: what it is asked and answers, whom it alerts, how it runs, stops and
//! starts again.

mod alerts;
mod api;
mod chaos;
mod clients;
mod config;
mod history;
mod http;
mod mail;
mod operations;
mod pings;
mod process;
mod schedules;
mod slow;
