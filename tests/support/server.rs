//! The real pakyas-server in a directory of its own, and a client that speaks to it raw.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::programs::{counted, pakyas_server};
use super::{PATIENCE, TempDir, wait_for};

/// A running server with one organization, one project and a key. It is ended when dropped.
pub struct Server {
    /// Its own; none where the test keeps it.
    own: Option<TempDir>,
    pub url: String,
    pub org_id: String,
    pub project_id: String,
    pub key: String,
    /// What the last start printed.
    pub greeting: String,
    data: PathBuf,
    child: Option<Child>,
    agent: ureq::Agent,
}

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub bytes: Vec<u8>,
    /// The same as text.
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The sentence of a refusal with this status.
    pub fn refusal(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

pub fn command() -> Command {
    let mut command = Command::new(pakyas_server());
    command.env_clear().envs(counted()).stdin(Stdio::null());
    command
}

pub fn init(directory: &TempDir) -> Value {
    init_as(directory, "Acme", "me@example.com")
}

fn init_as(directory: &TempDir, org: &str, email: &str) -> Value {
    let output = command()
        .args(["init", "--org", org, "--project", "Production"])
        .args(["--email", email, "--format", "json"])
        .arg("--data-dir")
        .arg(directory.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

impl Server {
    pub fn start() -> Self {
        Self::start_on("127.0.0.1:0")
    }

    /// The same, on this address of the machine or of the namespace that the test is in.
    pub fn start_on(listen: &str) -> Self {
        Self::start_with(listen, |_| {})
    }

    /// The same, with further options of the program.
    pub fn start_with(listen: &str, options: impl FnOnce(&mut Command)) -> Self {
        let directory = TempDir::new();
        let ids = init(&directory);
        Self::start_in(directory, &ids, listen, options)
    }

    /// The same, where the first organization has this name and its owner this address.
    pub fn start_as(org: &str, email: &str) -> Self {
        let directory = TempDir::new();
        let ids = init_as(&directory, org, email);
        Self::start_in(directory, &ids, "127.0.0.1:0", |_| {})
    }

    fn start_in(
        directory: TempDir,
        ids: &Value,
        listen: &str,
        options: impl FnOnce(&mut Command),
    ) -> Self {
        let id = |name: &str| ids[name].as_str().unwrap().to_owned();
        let mut server = Self::at(&directory);
        server.own = Some(directory);
        server.org_id = id("org_id");
        server.project_id = id("project_id");
        server.key = id("api_key");
        server.launch(listen, options);
        server
    }

    /// A server on this directory as it is; ids and key are for the test to find out.
    pub fn bare(directory: &TempDir) -> Self {
        Self::bare_with(directory, |_| {})
    }

    pub fn bare_with(directory: &TempDir, options: impl FnOnce(&mut Command)) -> Self {
        let mut server = Self::at(directory);
        server.launch("127.0.0.1:0", options);
        server
    }

    /// A server that the test has started in its own way.
    pub fn elsewhere(url: &str, key: &str) -> Self {
        let mut server = Self::at(&TempDir::new());
        server.url = url.to_owned();
        server.key = key.to_owned();
        let projects = server.api("GET", "/projects", None).json();
        server.project_id = projects[0]["id"].as_str().unwrap().to_owned();
        server.org_id = projects[0]["org_id"].as_str().unwrap().to_owned();
        server
    }

    fn at(directory: &TempDir) -> Self {
        Self {
            own: None,
            url: String::new(),
            org_id: String::new(),
            project_id: String::new(),
            key: String::new(),
            greeting: String::new(),
            data: directory.path().to_owned(),
            child: None,
            agent: ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(PATIENCE))
                .max_redirects(0)
                .max_redirects_will_error(false)
                .proxy(None)
                .build()
                .new_agent(),
        }
    }

    fn launch(&mut self, listen: &str, options: impl FnOnce(&mut Command)) {
        assert!(self.try_launch(listen, options), "{}", self.greeting);
    }

    /// Whether it came to listening.
    fn try_launch(&mut self, listen: &str, options: impl FnOnce(&mut Command)) -> bool {
        let mut command = command();
        command
            .args(["--listen", listen, "--data-dir"])
            .arg(&self.data)
            // Tests ask more often than people do.
            .env("PAKYAS_SERVER_API_LIMIT", "1000000")
            .stdout(Stdio::piped());
        options(&mut command);
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        self.child = Some(child);
        self.greeting.clear();
        while !self.greeting.contains("is listening on ") {
            if stdout.read_line(&mut self.greeting).unwrap() == 0 {
                self.kill();
                return false;
            }
        }
        let url = self.greeting.trim().rsplit(' ').next().unwrap_or_default();
        assert!(url.starts_with("http"), "{}", self.greeting);
        self.url = url.to_owned();
        true
    }

    pub fn pid(&self) -> i32 {
        self.child.as_ref().unwrap().id() as i32
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Waits until it has ended by itself; gives the exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        wait_for("the server to end", || child.try_wait().unwrap()).code()
    }

    /// Starts it again on the address that it had.
    pub fn restart(&mut self) {
        self.restart_with(|_| {});
    }

    /// The same, with further options of the program.
    pub fn restart_with(&mut self, options: impl Fn(&mut Command)) {
        self.kill();
        let address = self.url.trim_start_matches("http://").to_owned();
        // While it is down another test's connection may have its port for a moment.
        wait_for("the server's address", || {
            self.try_launch(&address, &options).then_some(())
        });
    }

    pub fn database(&self) -> PathBuf {
        self.data.join("pakyas.db")
    }

    /// A command of the administrator's, beside the running server; gives what it printed.
    pub fn administer(&self, words: &[&str]) -> Value {
        let output = command()
            .args(words)
            .args(["--format", "json", "--data-dir"])
            .arg(&self.data)
            .output()
            .unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Adds an organization with this owner, and gives a key of it.
    pub fn organization(&self, name: &str, owner: &str) -> String {
        self.administer(&["org", "add", name, "--owner", owner]);
        let key = self.administer(&["key", "create", "laptop", "--org", name]);
        key["key"].as_str().unwrap().to_owned()
    }

    /// A request to the management API with this server's key.
    pub fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let authorization = format!("Bearer {}", self.key);
        let body = body.map(Value::to_string).unwrap_or_default();
        self.request(
            method,
            &format!("/api/v1{path}"),
            &[("authorization", &authorization)],
            body.as_bytes(),
        )
        .unwrap()
    }

    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, ureq::Error> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = if body.is_empty() {
            self.agent.run(request.body(())?)?
        } else {
            self.agent.run(request.body(body)?)?
        };
        let bytes = response.body_mut().read_to_vec()?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
        })
    }

    pub fn ping(&self, check: &Value, suffix: &str) -> Answer {
        self.ping_with(check, suffix, &[], b"")
    }

    pub fn ping_with(
        &self,
        check: &Value,
        suffix: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let path = format!("/{}{suffix}", check["public_id"].as_str().unwrap());
        self.request("POST", &path, headers, body).unwrap()
    }

    /// Creates a check; `more` are further fields.
    pub fn check(&self, slug: &str, period: u64, grace: u64, more: &Value) -> Value {
        let mut body = json!({
            "project_id": self.project_id, "name": slug, "slug": slug,
            "period_seconds": period, "grace_seconds": grace,
        });
        let fields = body.as_object_mut().unwrap();
        fields.extend(more.as_object().cloned().unwrap_or_default());
        let answer = self.api("POST", "/checks", Some(&body));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    pub fn show(&self, check: &Value) -> Value {
        let path = format!("/checks/{}", check["id"].as_str().unwrap());
        self.api("GET", &path, None).json()
    }

    pub fn wait_for_status(&self, check: &Value, status: &str) -> Value {
        wait_for(&format!("the status {status}"), || {
            Some(self.show(check)).filter(|check| check["status"] == status)
        })
    }

    /// The whole history, newest first.
    pub fn history(&self, check: &Value) -> Vec<Value> {
        let id = check["id"].as_str().unwrap();
        let (mut pings, mut before) = (Vec::new(), String::new());
        loop {
            let path = format!("/checks/{id}/pings?limit=1000{before}");
            let page = self.api("GET", &path, None).json();
            let page = page["pings"].as_array().unwrap().clone();
            let Some(last) = page.last() else {
                return pings;
            };
            before = format!("&before={}", last["id"]);
            pings.extend(page);
        }
    }

    pub fn output(&self, check: &Value, ping: &Value) -> Answer {
        let check = check["id"].as_str().unwrap();
        let path = format!("/checks/{check}/pings/{}/body", ping["id"]);
        self.api("GET", &path, None)
    }

    /// A webhook channel to this target.
    pub fn webhook(&self, name: &str, target: &str, secret: Option<&str>) -> Value {
        self.channel("webhook", name, target, &json!({ "secret": secret }))
    }

    /// What became of the channel's alerts, newest first.
    pub fn deliveries(&self, channel: &Value) -> Vec<Value> {
        let id = channel["id"].as_str().unwrap();
        let path = format!("/channels/{id}/deliveries?limit=1000");
        let list = self.api("GET", &path, None).json();
        list["deliveries"].as_array().unwrap().clone()
    }

    /// Lets the time come for everything that waits to be tried again: what a test can't wait
    /// for in earnest is set in the database, while the server is away.
    pub fn let_time_come(&mut self, options: impl Fn(&mut Command)) {
        self.kill();
        let db = rusqlite::Connection::open(self.database()).unwrap();
        db.execute_batch(
            "UPDATE delivery SET next_attempt_at = 0; UPDATE channel SET retry_at = 0;",
        )
        .unwrap();
        drop(db);
        self.restart_with(options);
    }

    /// Lets so many seconds pass for the check: all that is known of it is that much longer ago.
    /// Set in the database, while the server is away.
    pub fn let_pass(&mut self, check: &Value, seconds: i64) {
        self.kill();
        let id: uuid::Uuid = check["id"].as_str().unwrap().parse().unwrap();
        let db = rusqlite::Connection::open(self.database()).unwrap();
        for (table, row, columns) in [
            (
                "check_",
                "row",
                "status_since expected_at last_ping_at last_end_at last_start_at",
            ),
            ("ping", "check_row", "created_at received_at"),
            ("event", "check_row", "occurred_at effective_at expected_at"),
        ] {
            let sets: Vec<String> = columns
                .split(' ')
                .map(|column| format!("{column} = {column} - {}", seconds * 1000))
                .collect();
            let of_it = "(SELECT row FROM check_ WHERE id = ?)";
            let sql = format!(
                "UPDATE {table} SET {} WHERE {row} = {of_it}",
                sets.join(", ")
            );
            db.execute(&sql, [id]).unwrap();
        }
        drop(db);
        self.restart();
    }

    /// A channel of this kind; `more` are further fields.
    pub fn channel(&self, kind: &str, name: &str, target: &str, more: &Value) -> Value {
        let mut body = json!({
            "org_id": self.org_id, "kind": kind, "name": name, "target": target,
        });
        let fields = body.as_object_mut().unwrap();
        fields.extend(more.as_object().cloned().unwrap_or_default());
        let answer = self.api("POST", "/channels", Some(&body));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
