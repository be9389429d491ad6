//! The commands about accounts, which work on the database beside a server that may be running
//! (`store/beside.rs` says why they may). Each gives the text to print.

mod keys;
mod orgs;
pub(in crate::server) mod password;
mod table;
mod users;

use rusqlite::Connection;
use uuid::Uuid;

use super::args::{Admin, Task};
use super::store::users::User;
use super::store::{Beside, StoreError, accounts};

/// Does what was asked for.
///
/// # Errors
/// A sentence for a person.
pub fn run(admin: Admin) -> Result<String, String> {
    let mut store = Beside::open(&admin.data_dir).map_err(told)?;
    let (store, json) = (&mut store, admin.json);
    match admin.task {
        Task::UserAdd {
            email,
            org,
            role,
            name,
            password_file,
        } => {
            let new = users::New {
                email,
                name,
                role,
                password_file,
            };
            users::add(store, &new, org.as_deref(), json)
        }
        Task::UserList { org } => users::list(store, org.as_deref(), json),
        Task::UserPasswd {
            email,
            password_file,
        } => users::passwd(store, &email, password_file.as_deref(), json),
        Task::UserRemove { email, org } => users::remove(store, &email, org.as_deref(), json),
        Task::OrgAdd {
            name,
            owner,
            project,
        } => orgs::add(store, &name, &owner, &project, json),
        Task::OrgList => orgs::list(store, json),
        Task::KeyCreate {
            name,
            org,
            user,
            scopes,
            expires_in_days,
        } => {
            let new = keys::New {
                name,
                user,
                scopes,
                expires_in_days,
            };
            keys::create(store, new, org.as_deref(), json)
        }
        Task::KeyList { org } => keys::list(store, org.as_deref(), json),
        Task::KeyRevoke { key, org } => keys::revoke(store, &key, org.as_deref(), json),
    }
}

fn told(error: StoreError) -> String {
    error.to_string()
}

/// An organization as it was found.
struct Org {
    id: Uuid,
    name: String,
}

fn all_orgs(connection: &Connection) -> Result<Vec<Org>, StoreError> {
    let orgs = accounts::all(connection)?;
    Ok(orgs
        .into_iter()
        .map(|(id, name)| Org { id, name })
        .collect())
}

/// The organization that was named, or the only one.
fn org(store: &Beside, wanted: Option<&str>) -> Result<Org, String> {
    let all = store.read(all_orgs).map_err(told)?;
    let names = |orgs: &[Org]| {
        let names: Vec<_> = orgs.iter().map(|org| format!("'{}'", org.name)).collect();
        names.join(", ")
    };
    let there = names(&all);
    let id: Option<Uuid> = wanted.and_then(|wanted| wanted.parse().ok());
    let is_it = |org: &Org| {
        Some(org.id) == id
            || wanted.is_none_or(|wanted| org.name.to_lowercase() == wanted.to_lowercase())
    };
    let mut found: Vec<Org> = all.into_iter().filter(is_it).collect();
    match (found.len(), wanted) {
        (1, _) => found.pop().ok_or_else(String::new),
        (0, None) => Err("there is no organization yet; start the server once".to_owned()),
        (_, None) => Err(format!(
            "there are several organizations ({there}); choose one with --org"
        )),
        (0, Some(wanted)) => Err(format!(
            "there is no organization '{wanted}'; there are {there}"
        )),
        (_, Some(wanted)) => Err(format!(
            "several organizations are called '{wanted}'; name one by its id, as 'pakyas-server org list' shows it"
        )),
    }
}

/// The person with this address.
fn user(store: &Beside, email: &str) -> Result<User, String> {
    store
        .read(|connection| super::store::users::by_email(connection, email))
        .map_err(told)?
        .ok_or_else(|| {
            format!("nobody has the address {email}; 'pakyas-server user list' shows who is known")
        })
}

/// JSON as a line to print.
fn line(value: &serde_json::Value) -> String {
    format!("{value}\n")
}
