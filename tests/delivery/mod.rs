//! Every ping arrives: bad links, dead servers, full disks, and no double counting.

mod addresses;
mod between;
mod chaos;
mod links;
mod proxies;
mod spool;
mod tls;
