//! `pakyas-server`, the self-hosted Pakyas Cloud: parse, run, exit code.

fn main() {}
