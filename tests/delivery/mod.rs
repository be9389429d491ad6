//! Every ping arrives: bad links, dead servers, full disks, and no double counting.

mod chaos;
mod links;
mod spool;
mod tls;
