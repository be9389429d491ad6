//! The pages in a real browser: headless Chromium, driven by Playwright, audited by axe.
//!
//! `tab.rs` is the browser, `pages.rs` the table of all pages and what holds for each,
//! `journeys.rs` what people do, `refresh.rs` what a page does while nobody does, `lively.rs` a
//! server with a past, `screenshots.rs` pictures of it.

mod journeys;
mod lively;
mod pages;
mod refresh;
mod screenshots;
mod tab;

use crate::support::accounts::add_user;
use crate::support::home::Home;
use crate::support::server::Server;

/// Who looks at the pages.
pub const ME: &str = "me@acme.example";

/// A server with one owner who can sign in.
pub fn server() -> Server {
    let server = Server::start();
    add_user(&server, ME, "Acme", "owner");
    server
}

/// A job host whose client has a key of the server's.
pub fn job_host(server: &Server) -> Home {
    Home::at(&server.url)
        .with("PAKYAS_API_KEY", &server.key)
        .with("PAKYAS_PROJECT", "production")
}

/// Switches a project's status page on, at that path, and its badges; the tab is signed in.
pub fn publish(tab: &mut tab::Tab, project_id: &str, path: &str) {
    tab.open(&format!("/projects/{project_id}/public"));
    tab.fill("Address of your choice", path);
    tab.press("Switch the page on");
    tab.sees(&format!("/status/{path}"));
    tab.press("Switch the badges on");
    tab.sees("![");
}
