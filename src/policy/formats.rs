//! Problems for other programs: annotations of GitHub Actions, and SARIF 2.1.0 (OASIS) for code scanning.

use serde_json::{Value, json};

use super::codes::{CODES, Code};
use crate::domain::problem::{Problem, Severity};

/// Where a problem's file lies, seen from where the check was started.
fn path(folder: &str, problem: &Problem) -> String {
    let folder = folder.trim_end_matches('/');
    match (folder, problem.file.as_str()) {
        (folder, "") => folder.to_owned(),
        ("" | ".", file) => file.to_owned(),
        (folder, file) => format!("{folder}/{file}"),
    }
}

fn message(problem: &Problem) -> String {
    match &problem.help {
        Some(help) => format!("{}: {help}", problem.message),
        None => problem.message.clone(),
    }
}

/// Workflow commands of GitHub Actions, a line each. `folder` stands before every file.
pub fn github(folder: &str, problems: &[Problem]) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let line = |p: &Problem| {
        let word = match p.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        // An annotation ends on its last character, a problem behind it; over several lines GitHub takes no columns.
        let columns = if p.end_line == p.line { format!(",col={},endColumn={}", p.column, p.end_column.saturating_sub(1).max(p.column)) } else { String::new() };
        format!("::{word} file={},line={},endLine={}{columns},title={}::{}", property(&path(folder, p)), p.line, p.end_line, property(&p.code), data(&format!("{} ({})", message(p), p.link())))
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// Where a code is explained: `docs` is the address of `policies/README.md`.
fn explained(docs: &str, code: &str) -> String {
    format!("{docs}#{}", code.to_lowercase())
}

/// A code as SARIF tells of its rules.
fn rule(docs: &str, code: &Code) -> Value {
    let link = explained(docs, code.id);
    json!({
        "id": code.id,
        "shortDescription": { "text": code.title },
        "fullDescription": { "text": format!("{}: {}", code.title, code.help) },
        "helpUri": link,
        "help": { "text": code.help, "markdown": format!("{} ([{}]({link}))", code.help, code.id) },
        "defaultConfiguration": { "level": level(code.severity) },
    })
}

/// A SARIF log with one run. `folder` stands before every file; columns count Unicode code points. `docs` is the address of
/// `policies/README.md`, an absolute URI where there is one.
pub fn sarif(folder: &str, docs: &str, problems: &[Problem]) -> Value {
    let rules: Vec<Value> = CODES.iter().map(|code| rule(docs, code)).collect();
    let result = |p: &Problem| {
        json!({
            "ruleId": p.code,
            "ruleIndex": CODES.iter().position(|c| c.id == p.code),
            "level": level(p.severity),
            "message": { "text": message(p) },
            "locations": [{ "physicalLocation": {
                "artifactLocation": { "uri": uri(&path(folder, p)) },
                "region": { "startLine": p.line, "startColumn": p.column, "endLine": p.end_line, "endColumn": p.end_column }
            } }]
        })
    };
    let results: Vec<Value> = problems.iter().map(result).collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "bandpass", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results
        }]
    })
}

/// The problems for programs, each with where its code is explained.
pub fn json(problems: &[Problem]) -> Value {
    let one = |p: &Problem| {
        let mut value = serde_json::to_value(p).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.insert("see".to_owned(), p.link().into());
        }
        value
    };
    problems.iter().map(one).collect()
}

/// A relative reference (RFC 3986): whatever is not plain is escaped.
fn uri(path: &str) -> String {
    path.bytes().map(|b| if b.is_ascii_alphanumeric() || b"-._~/".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    fn problem() -> Problem {
        Problem {
            file: "groups/a b.toml".to_owned(),
            line: 3,
            column: 8,
            end_line: 3,
            end_column: 12,
            code: "BP002".to_owned(),
            severity: Severity::Error,
            message: "unknown key `a%b`\nhere".to_owned(),
            help: Some("did you mean `ab`?".to_owned()),
            source_line: String::new(),
        }
    }

    #[test]
    fn an_annotation_is_one_line_and_nothing_in_it_ends_it() {
        let told = github("policies/", &[problem()]);
        assert_eq!(told, "::error file=policies/a b.toml,line=3,endLine=3,col=8,endColumn=11,title=BP002::unknown key `a%25b`%0Ahere: did you mean `ab`? (policies/README.md#bp002)".replace("file=policies/", "file=policies/groups/"));
    }

    #[test]
    fn sarif_names_rule_place_and_file() {
        let log = sarif(".", "https://forge.example/README.md", &[problem(), problem()]);
        let run = &log["runs"][0];
        let index = usize::try_from(run["results"][1]["ruleIndex"].as_u64().unwrap()).unwrap();
        let rule = &run["tool"]["driver"]["rules"][index];
        assert_eq!((&rule["id"], &rule["helpUri"]), (&"BP002".into(), &"https://forge.example/README.md#bp002".into()));
        assert!(rule["help"]["text"].as_str().unwrap().len() > 10);
        let result = &run["results"][1];
        assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "groups/a%20b.toml");
        assert_eq!(result["locations"][0]["physicalLocation"]["region"]["endColumn"], 12);
    }
}
