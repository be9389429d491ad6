//! `pakyas-server org …`.

use serde_json::json;

use super::{all_orgs, line, table, told, user};
use crate::server::store::{Beside, StoreError, accounts, users};

pub(super) fn add(
    store: &mut Beside,
    name: &str,
    owner: &str,
    project: &str,
    json: bool,
) -> Result<String, String> {
    let owner = user(store, owner)?;
    let all = store.read(all_orgs).map_err(told)?;
    if all
        .iter()
        .any(|org| org.name.to_lowercase() == name.to_lowercase())
    {
        return Err(format!(
            "there is an organization '{name}' already; choose another name"
        ));
    }
    let (org_id, project_id) = store
        .write(|desk| accounts::create(desk, name, project, owner.id))
        .map_err(told)?;
    Ok(if json {
        line(&json!({
            "org_id": org_id, "name": name, "project_id": project_id, "owner": owner.email,
        }))
    } else {
        format!(
            "Organization: {org_id}\nProject: {project_id}\n{} is its owner. For a key: \
             pakyas-server key create NAME --org {org_id}\n",
            owner.email
        )
    })
}

pub(super) fn list(store: &Beside, json: bool) -> Result<String, String> {
    let orgs = store
        .read(|connection| {
            let mut orgs = Vec::new();
            for org in all_orgs(connection)? {
                let people = users::list(connection, Some(org.id))?.len();
                orgs.push((org, people));
            }
            Ok::<_, StoreError>(orgs)
        })
        .map_err(told)?;
    if json {
        let orgs: Vec<_> = orgs
            .iter()
            .map(|(org, people)| json!({ "id": org.id, "name": org.name, "users": people }))
            .collect();
        return Ok(line(&json!(orgs)));
    }
    let rows: Vec<_> = orgs
        .iter()
        .map(|(org, people)| [org.name.clone(), people.to_string(), org.id.to_string()])
        .collect();
    Ok(table::text(["NAME", "USERS", "ID"], &rows))
}
