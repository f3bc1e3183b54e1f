//! Problems for other programs: annotations of GitHub Actions, and SARIF 2.1.0 (OASIS) for code scanning.

use serde_json::{Value, json};

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
        let word = if p.severity == Severity::Error { "error" } else { "warning" };
        // An annotation ends on its last character, a problem behind it; over several lines GitHub takes no columns.
        let columns = if p.end_line == p.line { format!(",col={},endColumn={}", p.column, p.end_column.saturating_sub(1).max(p.column)) } else { String::new() };
        format!("::{word} file={},line={},endLine={}{columns},title={}::{}", property(&path(folder, p)), p.line, p.end_line, property(&p.code), data(&message(p)))
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A SARIF log with one run. `folder` stands before every file; columns count Unicode code points.
pub fn sarif(folder: &str, problems: &[Problem]) -> Value {
    let mut codes: Vec<&str> = problems.iter().map(|p| p.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    let rules: Vec<Value> = codes.iter().map(|code| json!({ "id": code, "help": { "text": format!("{code} is explained in policies/README.md, section \"Problems and their codes\".") } })).collect();
    let result = |p: &Problem| {
        json!({
            "ruleId": p.code,
            "level": if p.severity == Severity::Error { "error" } else { "warning" },
            "message": { "text": message(p) },
            "locations": [{ "physicalLocation": {
                "artifactLocation": { "uri": uri(&path(folder, p)) },
                "region": { "startLine": p.line, "startColumn": p.column, "endLine": p.end_line, "endColumn": p.end_column }
            } }]
        })
    };
    let results: Vec<Value> = problems.iter().map(result).collect();
    json!({
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "bandpass", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results
        }]
    })
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
        assert_eq!(told, "::error file=policies/a b.toml,line=3,endLine=3,col=8,endColumn=11,title=BP002::unknown key `a%25b`%0Ahere: did you mean `ab`?".replace("policies/", "policies/groups/"));
    }

    #[test]
    fn sarif_names_rule_place_and_file() {
        let log = sarif(".", &[problem(), problem()]);
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 1);
        let result = &run["results"][1];
        assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "groups/a%20b.toml");
        assert_eq!(result["locations"][0]["physicalLocation"]["region"]["endColumn"], 12);
    }
}
