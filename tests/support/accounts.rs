//! People of an organization, and what no ping and no command can make of it.

use super::TempDir;
use super::server::Server;

/// Everybody's password in these tests.
pub const PASSWORD: &str = "correct horse battery";

/// Adds a person with [`PASSWORD`] to the organization.
pub fn add_user(server: &Server, email: &str, org: &str, role: &str) {
    let directory = TempDir::new();
    let file = directory.path().join("password");
    std::fs::write(&file, PASSWORD).unwrap();
    let file = file.to_str().unwrap();
    let words = ["user", "add", email, "--org", org, "--role", role];
    server.administer(&[&words[..], &["--password-file", file]].concat());
}

/// Statements run beside the running server: what no command does, such as making time pass, or
/// a history that no ping can make.
pub fn sql(server: &Server, statements: &str) {
    let db = rusqlite::Connection::open(server.database()).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    db.execute_batch(statements).unwrap();
}
