//! The self-hosted Pakyas Cloud.
