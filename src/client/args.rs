//! The command line as it was typed: nothing here has been looked up, resolved or checked
//! against a server.

/// The flags that every command takes, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Globals {
    /// The organization for this command: a name or an id.
    pub org: Option<String>,
    /// The project for this command: a name, a slug or an id.
    pub project: Option<String>,
    /// `table`, `json` or `ndjson`.
    pub format: Option<String>,
    /// Tell on stderr what is done and how it went.
    pub verbose: bool,
    /// Say nothing but what was asked for.
    pub quiet: bool,
    /// No colours, whatever stdout is.
    pub no_color: bool,
    /// The management API's address.
    pub api_url: Option<String>,
    /// Where pings go.
    pub ping_url: Option<String>,
}
