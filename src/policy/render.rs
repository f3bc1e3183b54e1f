//! Problems as text, the way good compilers show them, and as JSON.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::domain::problem::{Problem, Severity};

/// One problem as text with its line, underlined.
pub fn text(problem: &Problem) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let line = usize::try_from(problem.line).unwrap_or(1);
    // Columns count characters; the renderer wants bytes of the line.
    let byte = |column: u32| {
        let chars = usize::try_from(column.saturating_sub(1)).unwrap_or(0);
        problem.source_line.char_indices().nth(chars).map_or(problem.source_line.len(), |(at, _)| at)
    };
    let start = byte(problem.column);
    let end = if problem.end_line == problem.line { byte(problem.end_column) } else { problem.source_line.len() };
    let title = level.primary_title(problem.message.as_str()).id(problem.code.as_str());
    let mut report = if problem.source_line.is_empty() {
        let origin = annotate_snippets::Origin::path(if problem.file.is_empty() { "policies" } else { &problem.file });
        title.element(origin.line(line))
    } else {
        title.element(
            Snippet::source(problem.source_line.as_str())
                .line_start(line)
                .path(problem.file.as_str())
                .annotation(AnnotationKind::Primary.span(start..end.max(start))),
        )
    };
    if let Some(help) = &problem.help {
        report = report.element(Level::HELP.message(help.as_str()));
    }
    if super::codes::code(&problem.code).is_some() {
        report = report.element(Level::INFO.with_name("see").message(problem.link()));
    }
    Renderer::plain().render(&[report]).to_string()
}

/// The closing line: "2 errors, 1 warning"; notes only where there are any.
pub fn summary(problems: &[Problem]) -> String {
    let count = |severity| problems.iter().filter(|p| p.severity == severity).count();
    let told = |n: usize, word: &str| if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") };
    let notes = Some(count(Severity::Note)).filter(|n| *n > 0).map(|n| format!(", {}", told(n, "note"))).unwrap_or_default();
    format!("{}, {}{notes}", told(count(Severity::Error), "error"), told(count(Severity::Warning), "warning"))
}
