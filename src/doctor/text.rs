//! Findings as text: what is wrong first, each with its cure, then what is well.

use super::{Finding, State};

/// The worst state of some findings.
pub fn worst(findings: &[Finding]) -> State {
    findings.iter().map(|f| f.state).max().unwrap_or(State::Ok)
}

/// For a terminal.
pub fn text(findings: &[Finding]) -> String {
    let mut lines = Vec::new();
    for state in [State::Fault, State::Warning, State::Ok] {
        for finding in findings.iter().filter(|f| f.state == state) {
            lines.push(format!("{:<8} {}: {}", state.as_str(), finding.name, finding.detail.replace('\n', "\n           ")));
            if let Some(cure) = &finding.cure {
                lines.push(format!("    cure   {}", cure.replace('\n', "\n           ")));
            }
        }
    }
    let count = |state| findings.iter().filter(|f| f.state == state).count();
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    lines.push(format!("{}, {}, {} well", plural(count(State::Fault), "fault"), plural(count(State::Warning), "warning"), count(State::Ok)));
    lines.join("\n")
}
