//! Bounds on what is read, and what is said when they are passed; hygiene of text that people send.

use actix_web::{error::{JsonPayloadError, UrlencodedError}, web};

use super::problem::Problem;

/// The longest free text, in characters.
pub const MAX_TEXT: usize = 2000;

fn refuse(problem: Problem) -> actix_web::Error {
    problem.into()
}

fn too_large(limit: usize) -> Problem {
    Problem::new(413, "too_large", "Too large", format!("the body may have {limit} bytes at most"))
}

pub(super) fn json(limit: usize) -> web::JsonConfig {
    web::JsonConfig::default().limit(limit).content_type_required(true).error_handler(move |error, _| {
        refuse(match &error {
            JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => too_large(limit),
            JsonPayloadError::ContentType => {
                Problem::new(415, "wrong_type", "Wrong content type", "send the body as `application/json`".to_owned())
            }
            JsonPayloadError::Deserialize(error) => {
                let text = error.to_string();
                let field = text.split('`').nth(1).unwrap_or_default().to_owned();
                let mut problem = Problem::new(400, "malformed", "The request is malformed", text.clone());
                if !field.is_empty() {
                    problem.errors.push(super::problem::FieldError { field, message: text });
                }
                problem
            }
            other => Problem::new(400, "malformed", "The request is malformed", other.to_string()),
        })
    })
}

pub(super) fn form(limit: usize) -> web::FormConfig {
    web::FormConfig::default().limit(limit).error_handler(move |error, _| {
        refuse(match &error {
            UrlencodedError::Overflow { .. } => too_large(limit),
            UrlencodedError::ContentType => Problem::new(415, "wrong_type", "Wrong content type", "send the form as browsers do".to_owned()),
            other => Problem::new(400, "malformed", "The request is malformed", other.to_string()),
        })
    })
}

pub(super) fn path() -> web::PathConfig {
    web::PathConfig::default().error_handler(|_, _| refuse(Problem::not_found("page")))
}

pub(super) fn query() -> web::QueryConfig {
    web::QueryConfig::default().error_handler(|error, _| {
        let text = error.to_string();
        let field = text.split('`').nth(1).unwrap_or("query").to_owned();
        refuse(Problem::bad_field(&field, text))
    })
}

/// Free text as people write it: bounded, without control characters (line ends are fine) or direction marks that
/// make it read as something else.
///
/// # Errors
/// 400 that names the field.
pub fn text(field: &str, text: Option<String>) -> Result<Option<String>, Problem> {
    let Some(text) = text else { return Ok(None) };
    if text.chars().count() > MAX_TEXT {
        return Err(Problem::bad_field(field, format!("is longer than {MAX_TEXT} characters")));
    }
    let deceptive = |c: char| (c.is_control() && c != '\n' && c != '\r' && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.chars().any(deceptive) {
        return Err(Problem::bad_field(field, "holds a control character or a direction mark"));
    }
    let trimmed = text.trim();
    Ok((!trimmed.is_empty()).then(|| trimmed.to_owned()))
}
