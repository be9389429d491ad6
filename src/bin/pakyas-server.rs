//! `pakyas-server`, the self-hosted Pakyas Cloud: parse, run, exit code.

fn main() {
    std::process::exit(pakyas::server::program::run(std::env::args_os().skip(1)));
}
