//! The names that configuration and cache know: of checks, projects and organizations.

use super::Offers;
use crate::client::args::Globals;
use crate::client::cache::{Account, Shelf};
use crate::client::settings::{Selection, Settings, variable};

/// What is known of the account that the command line so far is about.
pub(super) struct Known {
    settings: Settings,
    account: Account,
    selection: Selection,
}

impl Known {
    pub(super) fn of(globals: &Globals) -> Self {
        let settings = Settings::load(globals);
        let account = account(&settings).unwrap_or_default();
        let selection = settings.project().unwrap_or(Selection::None);
        Self {
            settings,
            account,
            selection,
        }
    }

    /// The slugs of the checks of the project that is meant; of all where none is.
    pub(super) fn slugs(&self, into: &mut Offers<'_>) {
        for (slug, project) in self.account.slugs(&self.selection) {
            into.add(slug, project);
        }
    }

    /// The names of the projects; their slugs where no name begins with what is typed.
    pub(super) fn projects(&self, into: &mut Offers<'_>) {
        for project in &self.account.projects {
            into.add(&project.name, &project.slug);
        }
        for check in &self.account.checks {
            into.add(&check.project_name, "");
        }
        if into.is_empty() {
            for project in &self.account.projects {
                into.add(&project.slug, &project.name);
            }
        }
    }

    /// The organizations that there are keys for, and the one in use.
    pub(super) fn organizations(&self, into: &mut Offers<'_>) {
        if let Some(name) = self
            .settings
            .config()
            .ok()
            .and_then(|c| c.org_name.as_ref())
        {
            into.add(name, "in use");
        }
        let api_url = self.settings.api_url().ok();
        let stored = api_url.and_then(|url| self.settings.stored_keys(&url).ok());
        for credential in stored.unwrap_or_default() {
            into.add(&credential.org_name, "logged in");
        }
    }
}

fn account(settings: &Settings) -> Option<Account> {
    // A key that comes through a pipe is for a command to read, and could be waited for.
    let given = variable("PAKYAS_API_KEY").unwrap_or_default();
    let piped = |path| !std::fs::metadata(path).is_ok_and(|file| file.is_file());
    if given.strip_prefix("file:").is_some_and(piped) {
        return None;
    }
    let api_url = settings.api_url().ok()?;
    let key = settings.key().ok()?;
    let directory = settings.directory()?;
    let asked = settings.asked_org();
    Some(Shelf::new(Some(directory), &api_url, &key, asked.as_deref()).read())
}
