//! A browser as far as the server's pages need one: it keeps a cookie, reads forms, sends them.

use crate::support::server::{Answer, Server};

/// Somebody's browser.
pub struct Browser<'a> {
    server: &'a Server,
    /// `name=value`, as the server set it.
    pub cookie: Option<String>,
}

/// A form as it stands in a page: where it goes, and its hidden fields.
#[derive(Debug, Clone)]
pub struct Form {
    pub action: String,
    pub fields: Vec<(String, String)>,
}

impl Form {
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self
    }

    fn encoded(&self) -> String {
        let escape = |text: &str| -> String {
            text.bytes()
                .map(|byte| match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
                        char::from(byte).to_string()
                    }
                    byte => format!("%{byte:02X}"),
                })
                .collect()
        };
        let pairs: Vec<_> = self
            .fields
            .iter()
            .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
            .collect();
        pairs.join("&")
    }
}

/// The value of an attribute in a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let from = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = tag[from..].split('"').next()?;
    Some(value.replace("&#38;", "&").replace("&amp;", "&"))
}

/// The page's form in `main`, which is about the page and not about signing out.
pub fn form(page: &Answer, path: &str) -> Form {
    let main = page.body.split("<main>").nth(1).unwrap_or_default();
    let form = main
        .split("<form")
        .nth(1)
        .unwrap_or_else(|| panic!("no form: {page:?}"));
    let (tag, rest) = form.split_once('>').unwrap();
    let inside = rest.split("</form>").next().unwrap();
    let fields = inside
        .split("<input")
        .skip(1)
        .map(|input| input.split('>').next().unwrap())
        .filter(|input| input.contains("type=\"hidden\""))
        .map(|input| {
            (
                attribute(input, "name").unwrap(),
                attribute(input, "value").unwrap(),
            )
        })
        .collect();
    Form {
        action: attribute(tag, "action").unwrap_or_else(|| path.to_owned()),
        fields,
    }
}

impl<'a> Browser<'a> {
    pub fn new(server: &'a Server) -> Self {
        Self {
            server,
            cookie: None,
        }
    }

    /// One that is signed in.
    pub fn signed_in(server: &'a Server, email: &str) -> Self {
        let mut browser = Self::new(server);
        let page = browser.get("/sign-in");
        let form = form(&page, "/sign-in")
            .with("email", email)
            .with("password", super::accounts::PASSWORD);
        let answer = browser.send(&form);
        assert_eq!(answer.status, 303, "{answer:?}");
        browser
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    /// Follows what a redirect says.
    pub fn follow(&mut self, answer: &Answer) -> Answer {
        assert_eq!(answer.status, 303, "{answer:?}");
        self.get(answer.header("location"))
    }

    pub fn send(&mut self, form: &Form) -> Answer {
        self.send_from(form, None)
    }

    /// As from a page of that origin.
    pub fn send_from(&mut self, form: &Form, origin: Option<&str>) -> Answer {
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
        headers.extend(origin.map(|origin| ("origin", origin)));
        self.ask("POST", &form.action, &headers, &form.encoded())
    }

    fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let cookie = self.cookie.clone();
        let mut headers = headers.to_vec();
        headers.extend(cookie.iter().map(|cookie| ("cookie", cookie.as_str())));
        let answer = self
            .server
            .request(method, path, &headers, body.as_bytes())
            .unwrap();
        if let Some(set) = answer.headers.get("set-cookie") {
            let set = set.to_str().unwrap();
            self.cookie = set.split(';').next().map(str::to_owned);
        }
        answer
    }
}
