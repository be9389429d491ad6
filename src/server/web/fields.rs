//! Fields of forms: a label, what was typed, a hint, and what is wrong with it. Knows nothing of
//! what is asked for.

use askama::Template;
use ureq_proto::http::StatusCode;

use super::place::{Stop, refuse};
use super::visit::Visit;
use crate::server::api::ApiError;

/// What is wrong with a form: shown above it, with a link to each field, and at the field.
#[derive(Default, Template)]
#[template(path = "problems.html")]
pub(super) struct Problems {
    list: Vec<Problem>,
    /// Whether all may be well with it, and only its token was not.
    is_stale: bool,
}

/// One of them.
pub(super) struct Problem {
    /// The field's id; empty where it is about none of them.
    field: String,
    sentence: String,
}

impl Problems {
    /// That the form's token was made for another cookie.
    pub fn stale() -> Self {
        Self {
            is_stale: true,
            ..Self::default()
        }
    }

    pub fn add(&mut self, field: &str, sentence: impl Into<String>) {
        let mut sentence = sentence.into();
        if !sentence.ends_with(['.', '?']) {
            sentence.push('.');
        }
        self.list.push(Problem {
            field: field.to_owned(),
            sentence,
        });
    }

    /// What the API's validation says, where it is something that the person can mend here.
    pub fn take(&mut self, visit: &Visit<'_>, error: &ApiError) -> Result<(), Stop> {
        match error.status {
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT => {
                let field = error.body.field.as_deref().unwrap_or_default();
                self.add(field, &error.body.error);
                Ok(())
            }
            _ => Err(refuse(visit, error)),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && !self.is_stale
    }

    /// The first of all, or the first about this field.
    pub fn of(&self, field: &str) -> Option<&str> {
        let found = self.list.iter().find(|problem| problem.field == field);
        found.map(|problem| problem.sentence.as_str())
    }

    /// The first.
    pub fn first(&self) -> Option<&str> {
        self.list.first().map(|problem| problem.sentence.as_str())
    }

    /// The status of a page that shows them.
    pub fn status(&self) -> StatusCode {
        match (self.is_stale, self.is_empty()) {
            (true, _) => StatusCode::FORBIDDEN,
            (_, true) => StatusCode::OK,
            (_, false) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

/// What may be chosen.
pub(super) struct Choice {
    pub value: String,
    pub text: String,
}

impl Choice {
    pub fn new(value: impl ToString, text: impl ToString) -> Self {
        Self {
            value: value.to_string(),
            text: text.to_string(),
        }
    }
}

/// A field; its id is its name.
#[derive(Template)]
#[template(path = "field.html")]
pub(super) struct Field {
    id: &'static str,
    label: &'static str,
    /// The type of an input, `area` or `select`.
    kind: &'static str,
    value: String,
    hint: String,
    problem: Option<String>,
    required: bool,
    autocomplete: &'static str,
    list: &'static str,
    choices: Vec<Choice>,
}

impl Field {
    /// One line.
    pub fn new(id: &'static str, label: &'static str) -> Self {
        Self {
            id,
            label,
            kind: "text",
            value: String::new(),
            hint: String::new(),
            problem: None,
            required: false,
            autocomplete: "off",
            list: "",
            choices: Vec::new(),
        }
    }

    /// Some lines.
    pub fn area(id: &'static str, label: &'static str) -> Self {
        Self::new(id, label).kind("area")
    }

    /// One of several.
    pub fn select(id: &'static str, label: &'static str, choices: Vec<Choice>) -> Self {
        Self {
            choices,
            ..Self::new(id, label).kind("select")
        }
    }

    /// The type of the input (`email`, `password`, …).
    pub fn kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    pub fn value(self, value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            ..self
        }
    }

    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: hint.into(),
            ..self
        }
    }

    pub fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    /// What a browser or a password manager may fill in.
    pub fn autocomplete(self, autocomplete: &'static str) -> Self {
        Self {
            autocomplete,
            ..self
        }
    }

    /// The id of the list with what is usual.
    pub fn list(self, list: &'static str) -> Self {
        Self { list, ..self }
    }

    /// With what is wrong with it.
    pub fn of(self, problems: &Problems) -> Self {
        Self {
            problem: problems.of(self.id).map(str::to_owned),
            ..self
        }
    }

    fn is(&self, kind: &str) -> bool {
        self.kind == kind
    }

    /// The ids of what describes it.
    fn described(&self) -> String {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.id));
        let problem = self
            .problem
            .is_some()
            .then(|| format!("{}-problem", self.id));
        let ids: Vec<String> = problem.into_iter().chain(hint).collect();
        ids.join(" ")
    }
}
