//! `make screenshots`: the main pages on a desk and on a phone, light and dark, as pictures below
//! target/screenshots. No test, so it runs only when it is asked for.

use std::path::Path;

use crate::browser::lively::lively;
use crate::browser::pages::{device, id};
use crate::browser::tab::{DESKTOP, PHONE, Tab};
use crate::browser::{ME, publish};
use crate::support::server::Server;

/// The pages, each with the name of its picture. A new one is a line.
fn pictures(server: &Server, projects: &[String]) -> Vec<(&'static str, String)> {
    let id = id(server, "/checks", "slug", "db-backup");
    let check = format!("/checks/{id}");
    vec![
        ("sign-in", "/sign-in".to_owned()),
        ("overview", "/".to_owned()),
        ("project", format!("/projects/{}", projects[1])),
        ("account", "/account".to_owned()),
        ("device", device(server, "ci-runner-3")),
        ("public", format!("/projects/{}/public", projects[0])),
        ("status", "/status/acme".to_owned()),
        ("check", check.clone()),
        ("edit", format!("{check}/edit")),
        ("api-keys", "/settings/api-keys".to_owned()),
        ("channels", "/settings/channels".to_owned()),
        ("members", "/settings/members".to_owned()),
        ("maintenance", "/settings/maintenance".to_owned()),
    ]
}

#[test]
#[ignore = "makes pictures; run make screenshots"]
fn pictures_of_the_main_pages() {
    let (server, projects) = lively();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    let mut tab = Tab::new(&server).expect("a browser");
    tab.open("/");
    tab.sign_in(ME);
    publish(&mut tab, &projects[0], "acme");
    let (first, rest) = {
        let mut all = pictures(&server, &projects);
        (all.remove(0), all)
    };
    let take = |tab: &mut Tab, (name, path): &(&str, String)| {
        for (size, where_) in [(DESKTOP, "desktop"), (PHONE, "phone")] {
            for (dark, scheme) in [(false, "light"), (true, "dark")] {
                tab.resize(size);
                tab.scheme(dark);
                tab.open(path);
                let file = folder.join(format!("{name}-{where_}-{scheme}.png"));
                tab.screenshot(&file, size == PHONE);
                println!("{}", file.display());
            }
        }
    };
    for picture in &rest {
        take(&mut tab, picture);
    }
    tab.open("/");
    tab.press("Sign out");
    tab.sees("Password");
    take(&mut tab, &first);
}
