//! The look and the scripts: kept by browsers for as long as they are what the pages ask for.

use crate::support::browser::Browser;
use crate::support::server::Server;

#[test]
fn files_are_kept_for_ever_under_the_address_that_pages_have_and_not_under_another() {
    let server = Server::start();
    let mut browser = Browser::new(&server);
    let page = browser.get("/sign-in");
    for name in ["/web/style.css?v=", "/web/script.js?v="] {
        let at = page.body.find(name).unwrap();
        let address = page.body[at..].split('"').next().unwrap();
        let file = browser.get(address);
        assert_eq!(file.status, 200);
        assert!(file.header("cache-control").ends_with("immutable"));
        for other in [&address[..name.len() - 3], name, &format!("{address}1")] {
            let file = browser.get(other);
            assert_eq!(file.header("cache-control"), "no-cache", "{other}");
        }
    }
    assert_eq!(browser.get("/web/none.css").status, 404);
}
