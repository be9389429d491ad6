//! The names that configuration and cache know: of checks, projects and organizations.

use std::collections::BTreeMap;

use super::Offer;
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
    pub(super) fn slugs(&self) -> Vec<Offer> {
        let slugs: BTreeMap<_, _> = self.account.slugs(&self.selection).collect();
        slugs
            .into_iter()
            .map(|(slug, project)| Offer::new(slug, project))
            .collect()
    }

    /// The names of the projects; their slugs where no name begins with what is typed.
    pub(super) fn projects(&self, current: &str) -> Vec<Offer> {
        let listed = self.account.projects.iter();
        let of_checks = self.account.checks.iter();
        let mut names: BTreeMap<&str, &str> = of_checks
            .map(|check| (check.project_name.as_str(), ""))
            .collect();
        names.extend(listed.clone().map(|p| (p.name.as_str(), p.slug.as_str())));
        if names.keys().any(|name| name.starts_with(current)) {
            return names
                .into_iter()
                .map(|(name, slug)| Offer::new(name, slug))
                .collect();
        }
        listed
            .map(|project| Offer::new(project.slug.as_str(), &project.name))
            .collect()
    }

    /// The organizations that there are keys for, and the one in use.
    pub(super) fn organizations(&self) -> Vec<Offer> {
        let mut names = BTreeMap::new();
        if let Ok(api_url) = self.settings.api_url() {
            let stored = self.settings.stored_keys(&api_url).unwrap_or_default();
            names.extend(stored.into_iter().map(|c| (c.org_name, "logged in")));
        }
        let in_use = self.settings.config().ok().and_then(|c| c.org_name.clone());
        names.extend(in_use.map(|name| (name, "in use")));
        names
            .into_iter()
            .map(|(name, about)| Offer::new(name, about))
            .collect()
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
