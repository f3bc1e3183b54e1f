//! `policy prove`: claims about all possible people, decided.

use std::{path::PathBuf, sync::Arc};

use super::{Context, Done, Outcome};
use crate::{
    domain::id::GroupId,
    policy::{PolicyFiles, PolicySet, prove::{self, Answer, Case, Claim}, render},
};

/// What to prove.
#[derive(clap::Args)]
pub struct Prove {
    /// Folder; `policy.source` when left out.
    pub folder: Option<PathBuf>,
    /// A Cedar expression that nothing allowed may satisfy, instead of those in `proofs.toml`.
    #[arg(long = "claim", value_name = "EXPRESSION")]
    claims: Vec<String>,
    /// Count this group's own rules as well, with `--claim`.
    #[arg(long, requires = "claims")]
    group: Option<GroupId>,
}

fn claims(asked: &Prove, files: &PolicyFiles, set: &PolicySet) -> Result<Vec<Claim>, String> {
    let told = |problems: &[crate::domain::problem::Problem]| problems.iter().map(render::text).collect::<Vec<_>>().join("\n\n");
    if !asked.claims.is_empty() {
        return asked.claims.iter().map(|text| prove::given(text, asked.group.as_ref(), set).map_err(|p| told(&p))).collect();
    }
    let bytes = files.get("proofs.toml").ok_or("there is no `proofs.toml` in the policy folder; write one, or give --claim 'EXPRESSION'")?;
    let text = std::str::from_utf8(bytes).map_err(|_| "`proofs.toml` is not UTF-8")?;
    let (claims, problems) = prove::read(text, set);
    if problems.is_empty() { Ok(claims) } else { Err(told(&problems)) }
}

/// Decides every claim. Exit 1 when one is refuted or not proven.
pub fn run(context: &Context, asked: &Prove, files: &PolicyFiles, set: &Arc<PolicySet>) -> Outcome {
    let answers: Vec<(Claim, Answer)> = claims(asked, files, set)?.into_iter().map(|claim| (claim.clone(), prove::prove(set, &claim))).collect();
    let rows: Vec<serde_json::Value> = answers.iter().map(|(claim, answer)| row(claim, answer)).collect();
    let proven = answers.iter().filter(|(_, a)| matches!(a, Answer::Proven { .. })).count();
    context.print(&serde_json::json!({ "engine": prove::ENGINE, "claims": rows }), || {
        let mut text: Vec<String> = answers.iter().map(|(claim, answer)| told(claim, answer)).collect();
        text.push(format!("{proven} of {} proven; by {}", answers.len(), prove::ENGINE));
        text.join("\n")
    });
    Ok(if proven == answers.len() { Done::Yes } else { Done::No })
}

fn row(claim: &Claim, answer: &Answer) -> serde_json::Value {
    let (word, more) = match answer {
        Answer::Proven { combinations } => ("proven", serde_json::json!({ "combinations": combinations })),
        Answer::Refuted(case) => ("refuted", serde_json::json!({ "counter_example": case })),
        Answer::NotProven { reasons } => ("not_proven", serde_json::json!({ "reasons": reasons })),
    };
    serde_json::json!({ "name": claim.name, "group": claim.group, "never": claim.text, "answer": word, "details": more })
}

fn told(claim: &Claim, answer: &Answer) -> String {
    match answer {
        Answer::Proven { combinations } => format!("proven      {} ({combinations} combinations)", claim.name),
        Answer::Refuted(case) => {
            let Case { told: [person, group, request], .. } = case.as_ref();
            let group = claim.group.as_ref().map_or_else(|| format!("a group with {group}, whose file allows it"), |g| format!("group {g}"));
            format!("refuted     {}\n  person    {person}\n  asks for  {group}\n  request   {request}\n  and nothing forbids it", claim.name)
        }
        Answer::NotProven { reasons } => format!("not proven  {}\n  {}", claim.name, reasons.join("\n  ")),
    }
}
