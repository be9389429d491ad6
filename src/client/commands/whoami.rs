//! `pakyas whoami`: who is logged in, and which organization and project commands are about.

use serde_json::{Value, json};

use super::Context;
use crate::client::error::Error;
use crate::client::lookup;
use crate::client::render::{self, clean};
use crate::client::settings::Selection;

pub fn run(context: &Context) -> Result<i32, Error> {
    let api = context.api()?;
    let me = api.me()?;
    let project = match context.settings.project()? {
        Selection::None => None,
        Selection::Id(id, Some(name)) => Some((id, name)),
        Selection::Id(id, None) => {
            let project = lookup::project(&api, &id.to_string())?;
            Some((project.id, project.name))
        }
        Selection::Named(name) => {
            let project = lookup::project(&api, &name)?;
            Some((project.id, project.name))
        }
    };
    let mut value = serde_json::to_value(&me).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.insert("api_url".to_owned(), json!(api.base()));
        fields.insert(
            "project_id".to_owned(),
            json!(project.as_ref().map(|p| p.0)),
        );
        fields.insert(
            "project_name".to_owned(),
            json!(project.as_ref().map(|p| &p.1)),
        );
    }
    render::one(context.format, &value, || {
        let project = project.as_ref().map_or_else(
            || "(none selected; pakyas project switch NAME)".to_owned(),
            |(_, name)| clean(name),
        );
        format!(
            "User: {}\nOrganization: {}\nProject: {project}\n",
            clean(&me.email),
            clean(&me.org_name)
        )
    })?;
    Ok(0)
}
