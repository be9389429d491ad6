//! A tab of a real browser: headless Chromium, driven by `driver.cjs` over its standard input.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::accounts::PASSWORD;
use crate::support::server::Server;

/// Longer than any command takes on a busy machine, and than a page waits to refresh itself.
const PATIENCE: Duration = Duration::from_secs(180);

/// How long a page may take to show by itself what has changed, seconds. The driver puts the page's
/// clock forward meanwhile: this is time for a busy machine.
const REFRESH: u64 = 90;

/// A desk's screen, and a phone's, CSS pixels.
pub const DESKTOP: (u32, u32) = (1280, 900);
pub const PHONE: (u32, u32) = (390, 844);

/// A tab in a profile of its own, closed when dropped. All are in one browser.
pub struct Tab {
    number: u64,
    answers: Receiver<Value>,
}

/// The one browser of all tests: it takes longer to start than most tests take. It ends with this
/// process, whose end closes its standard input.
struct Browser {
    _node: Child,
    commands: Mutex<ChildStdin>,
    tabs: Arc<Mutex<HashMap<u64, Sender<Value>>>>,
}

impl Browser {
    /// The browser; none, and a sentence, where this machine lacks what it takes.
    fn get() -> Result<&'static Self, &'static str> {
        static BROWSER: OnceLock<Result<Browser, String>> = OnceLock::new();
        let browser = BROWSER.get_or_init(Self::start);
        browser.as_ref().map_err(String::as_str)
    }

    fn start() -> Result<Self, String> {
        let (chromium, node, modules) = tools()?;
        let mut node = Command::new(node)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/driver.cjs"))
            .arg(chromium)
            .env("NODE_PATH", modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("node does not start: {e}"))?;
        let stdout = BufReader::new(node.stdout.take().unwrap());
        let tabs: Arc<Mutex<HashMap<u64, Sender<Value>>>> = Arc::default();
        let known = Arc::clone(&tabs);
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let answer: Value = serde_json::from_str(&line).unwrap();
                let number = answer["tab"].as_u64().unwrap();
                if let Some(tab) = known.lock().unwrap().get(&number) {
                    let _ = tab.send(answer);
                }
            }
            // Nobody waits for an answer that will not come.
            known.lock().unwrap().clear();
        });
        Ok(Self {
            commands: Mutex::new(node.stdin.take().unwrap()),
            _node: node,
            tabs,
        })
    }
}

/// The browser, node and what it drives the browser with; a sentence where one is missing.
fn tools() -> Result<(PathBuf, PathBuf, PathBuf), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = |names: &[&str]| {
        std::env::split_paths(&path)
            .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
            .find(|file| file.is_file())
            .ok_or(format!(
                "there is no {} here; install Debian's chromium, nodejs and npm",
                names[0]
            ))
    };
    let chromium = program(&["chromium", "chromium-browser", "google-chrome"])?;
    let node = program(&["node", "nodejs"])?;
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/browser/node_modules");
    if !modules.join("playwright-core").exists() {
        return Err(format!(
            "there is no playwright-core in {}; run sh tests/browser/tools.sh target/tools/browser",
            modules.display()
        ));
    }
    Ok((chromium, node, modules))
}

impl Tab {
    /// A tab for this server's pages. None, and a sentence, where this machine lacks what it
    /// takes; in CI nothing may be lacking.
    pub fn new(server: &Server) -> Option<Self> {
        Self::with(server, true)
    }

    /// The same, in a browser whose owner has switched JavaScript off.
    pub fn without_javascript(server: &Server) -> Option<Self> {
        Self::with(server, false)
    }

    fn with(server: &Server, javascript: bool) -> Option<Self> {
        let browser = match Browser::get() {
            Ok(browser) => browser,
            Err(missing) => {
                assert!(std::env::var_os("PAKYAS_CI").is_none(), "{missing}");
                eprintln!("skipped: {missing}");
                return None;
            }
        };
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let (sender, answers) = channel();
        browser.tabs.lock().unwrap().insert(number, sender);
        let mut tab = Self { number, answers };
        tab.ask(
            "start",
            json!({
                "origin": server.url, "javascript": javascript,
                "width": DESKTOP.0, "height": DESKTOP.1,
            }),
        );
        Some(tab)
    }

    fn say(&self, command: &str, details: &mut Value) -> String {
        details["command"] = command.into();
        details["tab"] = self.number.into();
        let said = details.to_string();
        let mut commands = Browser::get().unwrap().commands.lock().unwrap();
        // One write: that of another test must not come between.
        let _ = commands.write_all(format!("{said}\n").as_bytes());
        said
    }

    #[track_caller]
    fn ask(&mut self, command: &str, mut details: Value) -> Value {
        let said = self.say(command, &mut details);
        let answer = self.answers.recv_timeout(PATIENCE);
        let mut answer = answer.unwrap_or_else(|e| panic!("no answer to {said}: {e}"));
        if let Some(error) = answer["error"].as_str() {
            panic!("{said}: {error}");
        }
        answer["value"].take()
    }

    /// Goes to a page, and gives the answer's status.
    #[track_caller]
    pub fn open(&mut self, path: &str) -> u64 {
        let status = self.ask("open", json!({ "path": path }));
        status.as_u64().unwrap()
    }

    /// Signs in, where that is what is shown.
    #[track_caller]
    pub fn sign_in(&mut self, email: &str) {
        self.fill("Email", email);
        self.fill("Password", PASSWORD);
        self.press("Sign in");
        self.sees("Sign out");
    }

    pub fn resize(&mut self, (width, height): (u32, u32)) {
        self.ask("resize", json!({ "width": width, "height": height }));
    }

    /// What the system prefers.
    pub fn scheme(&mut self, dark: bool) {
        self.ask("scheme", json!({ "dark": dark }));
    }

    /// Writes into the field with that label.
    #[track_caller]
    pub fn fill(&mut self, label: &str, value: &str) {
        self.ask("fill", json!({ "label": label, "value": value }));
    }

    /// Ticks the box with that label, or clears it.
    #[track_caller]
    pub fn tick(&mut self, label: &str, on: bool) {
        self.ask("tick", json!({ "label": label, "on": on }));
    }

    #[track_caller]
    pub fn press(&mut self, button: &str) {
        self.ask("press", json!({ "button": button }));
    }

    #[track_caller]
    pub fn follow(&mut self, link: &str) {
        self.ask("follow", json!({ "link": link }));
    }

    /// Opens what is folded under these words, or folds it again.
    #[track_caller]
    pub fn unfold(&mut self, summary: &str) {
        self.ask("unfold", json!({ "summary": summary }));
    }

    /// Puts the focus on the first element that this selects.
    #[track_caller]
    pub fn focus(&mut self, selector: &str) {
        self.ask("focus", json!({ "selector": selector }));
    }

    /// Cuts the network, or mends it.
    pub fn offline(&mut self, off: bool) {
        self.ask("offline", json!({ "off": off }));
    }

    /// Lets the network answer everything with this page; the server again where it is empty.
    pub fn answer_with(&mut self, text: &str) {
        self.ask("answer", json!({ "text": text }));
    }

    /// Loses the session, as if it had ended elsewhere.
    pub fn forget(&mut self) {
        self.ask("forget", json!({}));
    }

    /// Has the page look for news now, as it does when somebody comes back to it.
    pub fn look_again(&mut self) {
        self.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
    }

    /// Presses these keys, one after the other, by their names.
    #[track_caller]
    pub fn type_keys(&mut self, keys: &[&str]) {
        self.ask("type", json!({ "keys": keys }));
    }

    /// The browser's own button.
    #[track_caller]
    pub fn back(&mut self) {
        self.ask("back", json!({}));
    }

    /// The address that is shown.
    pub fn url(&mut self) -> String {
        self.ask("url", json!({})).as_str().unwrap().to_owned()
    }

    /// What can be read on the page.
    pub fn text(&mut self) -> String {
        self.ask("text", json!({})).as_str().unwrap().to_owned()
    }

    /// Waits until the page shows this, and loads nothing anew for it. The page's clock runs ahead.
    #[track_caller]
    pub fn sees(&mut self, text: &str) {
        let wanted = json!({ "wanted": text, "gone": false, "seconds": REFRESH });
        self.ask("wait", wanted);
    }

    /// Waits until the page does not show this any more.
    #[track_caller]
    pub fn sees_no_more(&mut self, text: &str) {
        let wanted = json!({ "wanted": text, "gone": true, "seconds": REFRESH });
        self.ask("wait", wanted);
    }

    /// What an expression is in the page.
    #[track_caller]
    pub fn evaluate(&mut self, expression: &str) -> Value {
        self.ask("evaluate", json!({ "expression": expression }))
    }

    pub fn cookies(&mut self) -> Vec<Value> {
        self.ask("cookies", json!({})).as_array().unwrap().clone()
    }

    /// What axe finds serious or critical on the page.
    #[track_caller]
    pub fn audit(&mut self) -> Vec<String> {
        self.lines("audit")
    }

    /// The same, of nothing but whether texts stand out from what is behind them.
    #[track_caller]
    pub fn audit_contrast(&mut self) -> Vec<String> {
        self.lines("auditContrast")
    }

    /// Errors and warnings of the console, violations of the policy among them, and requests to
    /// any other place, since the last time.
    #[track_caller]
    pub fn problems(&mut self) -> Vec<String> {
        self.lines("takeProblems")
    }

    #[track_caller]
    fn lines(&mut self, command: &str) -> Vec<String> {
        let lines = self.ask(command, json!({}));
        serde_json::from_value(lines).unwrap()
    }

    /// Keeps what is in the window, or the `whole` page.
    #[track_caller]
    pub fn screenshot(&mut self, path: &Path, whole: bool) {
        self.ask("screenshot", json!({ "path": path, "whole": whole }));
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        self.say("close", &mut json!({}));
        let tabs = &Browser::get().unwrap().tabs;
        tabs.lock().unwrap().remove(&self.number);
    }
}
