//! How the service does, for admins: what is wrong with the set-up and what cures it.

use actix_web::{HttpResponse, web::Data};
use askama::Template;

use super::{Frame, page, words::{When, capital, when}};
use crate::{
    doctor::{Finding, State},
    web::{AppState, Known, problem::Problem, system::{SystemShape, look}},
};

struct FindingView {
    name: String,
    lines: Vec<String>,
    cure: Vec<String>,
}

impl FindingView {
    fn of(findings: &[Finding], state: State) -> Vec<Self> {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        findings
            .iter()
            .filter(|f| f.state == state)
            .map(|f| Self { name: capital(&f.name), lines: lines(&capital(&f.detail)), cure: f.cure.as_deref().map(lines).unwrap_or_default() })
            .collect()
    }
}

#[derive(Template)]
#[template(path = "system.html", config = "src/web/ui/askama.toml")]
struct SystemPage {
    frame: Frame,
    system: SystemShape,
    started: When,
    looked: When,
    duties: Vec<&'static str>,
    faults: Vec<FindingView>,
    warnings: Vec<FindingView>,
    well: Vec<FindingView>,
}

fn duty(word: &str) -> &'static str {
    match word {
        "deliver" => "delivers to target systems",
        "decide-again" => "decides grants again when policy or people change",
        _ => "follows the policy folder",
    }
}

/// The page.
pub async fn show(state: Data<AppState>, caller: Known) -> Result<HttpResponse, Problem> {
    let system = look(&state).await?;
    let now = state.ledger.now();
    page(&SystemPage {
        frame: Frame::new(&state, &caller, "System", "system").await?,
        started: when(system.started, now),
        looked: when(system.looked_at, now),
        duties: system.duties.iter().map(|d| duty(d)).collect(),
        faults: FindingView::of(&system.findings, State::Fault),
        warnings: FindingView::of(&system.findings, State::Warning),
        well: FindingView::of(&system.findings, State::Ok),
        system,
    })
}
