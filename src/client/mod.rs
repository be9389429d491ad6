//! The client: what runs on every job host.
