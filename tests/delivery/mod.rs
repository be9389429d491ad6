//! Every ping arrives: bad links, dead servers, full disks, and no double counting.

mod between;
mod chaos;
mod links;
mod spool;
mod tls;
