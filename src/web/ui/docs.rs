//! The API, to read: rendered from the OpenAPI document.

use actix_web::{HttpResponse, web::Data};
use askama::Template;
use serde_json::Value;
use utoipa::OpenApi;

use super::Frame;
use crate::web::{AppState, Known, api::openapi::Document, problem::Problem};

struct Parameter {
    name: String,
    place: String,
    told: String,
}

struct Operation {
    method: String,
    path: String,
    summary: String,
    parameters: Vec<Parameter>,
    body: String,
    answers: Vec<(String, String)>,
}

struct Section {
    name: String,
    operations: Vec<Operation>,
}

#[derive(Template)]
#[template(path = "docs.html", config = "src/web/ui/askama.toml")]
struct DocsPage {
    frame: Frame,
    sections: Vec<Section>,
    example: String,
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The page.
pub async fn page(state: Data<AppState>, caller: Known) -> Result<HttpResponse, Problem> {
    let document = serde_json::to_value(Document::openapi()).map_err(|_| Problem::new(500, "failed", "Something failed here", None))?;
    let mut sections: Vec<Section> = Vec::new();
    let none = serde_json::Map::new();
    for (path, methods) in document.get("paths").and_then(Value::as_object).unwrap_or(&none) {
        for (method, operation) in methods.as_object().unwrap_or(&none) {
            let tag = operation.pointer("/tags/0").and_then(Value::as_str).unwrap_or("other").to_owned();
            let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
            let found = Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                summary: [text(operation, "/summary"), text(operation, "/description")].join(" ").trim().to_owned(),
                parameters: parameters.map(|p| Parameter { name: text(p, "/name"), place: text(p, "/in"), told: text(p, "/description") }).collect(),
                body: text(operation, "/requestBody/content/application~1json/schema/$ref").rsplit('/').next().unwrap_or_default().to_owned(),
                answers: operation
                    .get("responses")
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten()
                    .map(|(status, answer)| {
                        let schema = answer.pointer("/content").and_then(Value::as_object).and_then(|c| c.values().next());
                        (status.clone(), schema.map(|s| text(s, "/schema/$ref")).unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned())
                    })
                    .collect(),
            };
            match sections.iter_mut().find(|s| s.name == tag) {
                Some(section) => section.operations.push(found),
                None => sections.push(Section { name: tag, operations: vec![found] }),
            }
        }
    }
    let example = format!(
        "curl -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\\n  -d '{{\"group\":\"warehouse-analysts\",\"duration\":\"8h\",\"justification\":\"quarterly numbers\"}}' \\\n  {}/api/v1/requests",
        state.settings.server.public_url.trim_end_matches('/')
    );
    super::page(&DocsPage { frame: Frame::new(&state, &caller, "API", "docs").await?, sections, example })
}
