//! `cache/checks.json`: which slug is which check, so that a ping needs no question first.
//!
//! Only ever a shortcut: without it everything works, with one question more. Kept for each
//! account, which is an API, a key and, where one was asked for, an organization.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::files;
use super::settings::{Key, Selection, same_name};
use crate::wire::check::slug_from_name;
use crate::wire::{Check, Project};

/// The largest cache that is read, bytes: some 50,000 checks.
const FILE_MAX: u64 = 16 * 1024 * 1024;

/// How many accounts are kept; the one not refreshed for longest goes first.
const ACCOUNTS_MAX: usize = 32;

/// How long to wait for another pakyas that is writing. Losing a cache entry is no harm.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownCheck {
    /// Its slug.
    pub slug: String,
    /// Where its pings go.
    pub public_id: Uuid,
    /// Its project.
    pub project_id: Uuid,
    /// The project's name.
    pub project_name: String,
}

/// What is known of one project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownProject {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
}

/// What is known of one account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// When something was last added.
    #[serde(default)]
    pub fetched_at: Timestamp,
    /// Whether every check of the organization is here, so that a slug which is here once is
    /// there once.
    #[serde(default)]
    pub whole: bool,
    /// Where pings go, as the checks themselves told.
    #[serde(default)]
    pub ping_url: Option<String>,
    /// Its projects, as far as they were listed.
    #[serde(default)]
    pub projects: Vec<KnownProject>,
    /// Its checks, as far as they were listed.
    #[serde(default)]
    pub checks: Vec<KnownCheck>,
}

impl Account {
    /// The check of that slug in the project that is meant, where that is beyond doubt.
    pub fn find(&self, selection: &Selection, slug: &str) -> Option<&KnownCheck> {
        if *selection == Selection::None && !self.whole {
            return None;
        }
        let mut found = self
            .checks
            .iter()
            .filter(|check| check.slug == slug && self.is_in(check, selection));
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// The slugs of the checks of the project that is meant, of all where none is, each with
    /// the name of its project.
    pub fn slugs(&self, selection: &Selection) -> impl Iterator<Item = (&str, &str)> {
        let found = self.checks.iter();
        found
            .filter(|check| self.is_in(check, selection))
            .map(|check| (check.slug.as_str(), check.project_name.as_str()))
    }

    fn is_in(&self, check: &KnownCheck, selection: &Selection) -> bool {
        match selection {
            Selection::None => true,
            Selection::Id(id, _) => check.project_id == *id,
            Selection::Named(name) => {
                let named = self
                    .projects
                    .iter()
                    .find(|p| same_name(&p.slug, name) || same_name(&p.name, name));
                match named {
                    Some(project) => project.id == check.project_id,
                    None => is_called(&check.project_name, name),
                }
            }
        }
    }

    /// Takes in what the API listed: all checks of `project`, or of the organization.
    pub fn learn(&mut self, project: Option<Uuid>, checks: &[Check]) {
        match project {
            Some(id) => self.checks.retain(|check| check.project_id != id),
            None => {
                self.checks.clear();
                self.whole = true;
            }
        }
        for check in checks.iter().filter(|check| !check.soft_deleted) {
            self.add(check);
        }
    }

    /// Takes in one check; what else is known stays known.
    pub fn learn_one(&mut self, check: &Check) {
        self.checks
            .retain(|known| known.public_id != check.public_id);
        self.add(check);
    }

    /// Forgets a check that was deleted.
    pub fn forget(&mut self, public_id: Uuid) {
        self.checks.retain(|known| known.public_id != public_id);
    }

    /// Forgets a project that was deleted, with its checks.
    pub fn forget_project(&mut self, id: Uuid) {
        self.projects.retain(|known| known.id != id);
        self.checks.retain(|known| known.project_id != id);
    }

    fn add(&mut self, check: &Check) {
        self.checks.push(KnownCheck {
            slug: check.slug.clone(),
            public_id: check.public_id,
            project_id: check.project_id,
            project_name: check.project_name.clone(),
        });
        if let Some(base) = ping_base(check) {
            self.ping_url = Some(base.to_owned());
        }
    }

    /// Takes in the list of all projects.
    pub fn learn_projects(&mut self, projects: &[Project]) {
        self.projects = projects
            .iter()
            .map(|project| KnownProject {
                id: project.id,
                name: project.name.clone(),
                slug: project.slug.clone(),
            })
            .collect();
    }
}

/// Whether a project of that name may be the one called `typed`: the name in any case, or
/// the slug that a name suggests.
pub fn is_called(project_name: &str, typed: &str) -> bool {
    same_name(project_name, typed) || slug_from_name(project_name) == typed.to_lowercase()
}

/// Where the check's pings go, without its id.
pub fn ping_base(check: &Check) -> Option<&str> {
    let base = check.ping_url.strip_suffix(&check.public_id.to_string())?;
    Some(base.trim_end_matches('/'))
}

/// The whole file. The official client has one of the same name, reads of it `projects` and can't
/// do without that, and drops the rest.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cache {
    /// The official client's.
    #[serde(default)]
    projects: Map<String, Value>,
    #[serde(default)]
    accounts: BTreeMap<String, Account>,
}

/// Where an account's part of the cache is.
#[derive(Debug, Clone)]
pub struct Shelf {
    directory: Option<PathBuf>,
    account: String,
}

impl Shelf {
    /// `directory`: the configuration directory, where there is one.
    pub fn new(
        directory: Option<&Path>,
        api_url: &str,
        key: &Key,
        asked_org: Option<&str>,
    ) -> Self {
        Self {
            directory: directory.map(|directory| directory.join("cache")),
            account: format!(
                "{api_url} {:016x} {}",
                fingerprint(key.secret.expose()),
                asked_org.unwrap_or_default().to_lowercase()
            ),
        }
    }

    /// What is known of the account; nothing where the file is missing or of no use.
    pub fn read(&self) -> Account {
        self.load()
            .accounts
            .remove(&self.account)
            .unwrap_or_default()
    }

    fn load(&self) -> Cache {
        self.path()
            .and_then(|path| files::read(&path, FILE_MAX).ok().flatten())
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    fn path(&self) -> Option<PathBuf> {
        Some(self.directory.as_ref()?.join("checks.json"))
    }

    /// Changes what is known of the account, while no other pakyas does.
    ///
    /// # Errors
    /// A sentence for `--verbose`: a cache that can't be written stops nobody.
    pub fn update(&self, change: impl FnOnce(&mut Account)) -> Result<(), String> {
        let (Some(directory), Some(path)) = (&self.directory, self.path()) else {
            return Err(
                "there is no place for the cache (no HOME, no PAKYAS_CONFIG_DIR)".to_owned(),
            );
        };
        let refuse = |e: std::io::Error| format!("can't write the cache {}: {e}", path.display());
        let _turn = files::turn(directory, PATIENCE).map_err(refuse)?;
        let mut cache = self.load();
        let account = cache.accounts.entry(self.account.clone()).or_default();
        change(account);
        account.fetched_at = Timestamp::now();
        while cache.accounts.len() > ACCOUNTS_MAX {
            let oldest = cache
                .accounts
                .iter()
                .min_by_key(|(_, account)| account.fetched_at)
                .map(|(name, _)| name.clone());
            cache.accounts.remove(&oldest.unwrap_or_default());
        }
        let text = serde_json::to_vec(&cache).map_err(|e| refuse(e.into()))?;
        files::write(&path, &text, files::Worth::Remade).map_err(refuse)
    }
}

/// Tells keys apart in the cache without holding them (FNV-1a, 64 bits). Not a password
/// hash: a key has far more than 64 random bits, so these can't be turned back into it.
fn fingerprint(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(slug: &str, project: u128, name: &str) -> KnownCheck {
        KnownCheck {
            slug: slug.to_owned(),
            public_id: Uuid::from_u128(project * 100),
            project_id: Uuid::from_u128(project),
            project_name: name.to_owned(),
        }
    }

    fn account(whole: bool) -> Account {
        Account {
            whole,
            checks: vec![
                known("sync", 1, "Production"),
                known("sync", 2, "CI Tests"),
                known("backup", 1, "Production"),
            ],
            ..Account::default()
        }
    }

    #[test]
    fn a_project_is_found_by_id_name_or_slug() {
        let account = account(false);
        for selection in [
            Selection::Id(Uuid::from_u128(2), None),
            Selection::Named("ci tests".into()),
            Selection::Named("ci-tests".into()),
        ] {
            let found = account.find(&selection, "sync").unwrap();
            assert_eq!(found.project_id, Uuid::from_u128(2), "{selection:?}");
        }
        assert_eq!(
            account.find(&Selection::Named("Staging".into()), "sync"),
            None
        );
    }

    #[test]
    fn without_a_project_a_slug_must_be_there_once_in_the_whole_organization() {
        assert!(account(true).find(&Selection::None, "backup").is_some());
        assert!(account(true).find(&Selection::None, "sync").is_none());
        assert!(account(false).find(&Selection::None, "backup").is_none());
    }

    #[test]
    fn a_renamed_project_is_found_by_its_slug_alone() {
        let mut account = account(true);
        account.projects = vec![KnownProject {
            id: Uuid::from_u128(1),
            name: "Production".into(),
            slug: "prod".into(),
        }];
        let found = account
            .find(&Selection::Named("prod".into()), "sync")
            .unwrap();
        assert_eq!(found.project_id, Uuid::from_u128(1));
    }

    #[test]
    fn different_keys_have_different_fingerprints() {
        assert_ne!(fingerprint("pk_live_a"), fingerprint("pk_live_b"));
    }
}
