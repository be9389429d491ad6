//! The client from outside: the real program, over a real socket, in a home of its own.

mod addresses;
mod commands;
mod completion;
mod create;
mod every;
mod faults;
mod files;
mod history;
mod login;
mod official;
mod pings;
mod words;
