//! `pakyas`, the client: parse, run, exit code.

fn main() {}
