//! The demo's webhook target: prints each delivery as it comes, one line and its output.
//!
//! `print-webhooks FILE` listens on a free port of the loopback and writes its URL into FILE.

use std::net::TcpListener;
use std::sync::Arc;

use pakyas::server::http::{BodyRule, Handler, Listener, Request, Response, Setup};
use pakyas::wire::webhook::{DELIVERY_MAX, Delivery};
use ureq::http::{Method, StatusCode};

struct Printer;

impl Handler for Printer {
    fn body_rule(&self, _: &Method, _: &str) -> BodyRule {
        BodyRule {
            max: DELIVERY_MAX,
            keep: DELIVERY_MAX,
        }
    }

    fn handle(&self, request: Request) -> Response {
        let Ok(delivery) = serde_json::from_slice::<Delivery>(&request.body) else {
            return Response::text(StatusCode::BAD_REQUEST, "this is not a delivery");
        };
        println!("{}: {}", delivery.event.as_str(), delivery.alert.message);
        for line in delivery.alert.output.iter().flat_map(|text| text.lines()) {
            println!("    | {line}");
        }
        Response::text(StatusCode::OK, "thank you")
    }
}

fn main() -> std::io::Result<()> {
    let file = std::env::args_os().nth(1).unwrap_or_default();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/alerts", listener.local_addr()?);
    let _listener = Listener::start(listener, Setup::default(), Arc::new(Printer))?;
    std::fs::write(file, url)?;
    loop {
        std::thread::park();
    }
}
