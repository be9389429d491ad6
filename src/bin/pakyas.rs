//! `pakyas`, the client: parse, run, exit code.

use pakyas::client;

fn main() {
    let code = match client::run(std::env::args_os().skip(1)) {
        Ok(code) => code,
        Err(error) => {
            client::talk::say(&error.to_string());
            i32::from(error.kind().exit_code())
        }
    };
    std::process::exit(code);
}
