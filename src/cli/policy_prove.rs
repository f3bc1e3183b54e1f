//! `policy prove`: claims about all possible people, decided.

use std::{path::PathBuf, sync::Arc};

use super::{Context, Done, Outcome, people::PeopleArguments};
use crate::{
    domain::id::GroupId,
    policy::{PolicyFiles, PolicySet, prove::{self, Answer, Case, Claim, Proof}, render},
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
    /// Ask an SMT solver first: it decides what cannot be enumerated. Needs cvc5 and a build with `--features symbolic`.
    #[arg(long)]
    symbolic: bool,
    /// The solver, cvc5 1.3 or newer; what the variable CVC5 names when left out, else `cvc5`.
    #[arg(long, requires = "symbolic", value_name = "PROGRAM")]
    solver: Option<PathBuf>,
    #[command(flatten)]
    pub people: PeopleArguments,
}

/// A claim with its answer, and why the solver did not give it although it was asked.
struct Answered {
    claim: Claim,
    answer: Answer,
    solver_failed: Option<String>,
}

#[cfg(feature = "symbolic")]
async fn by_solver(asked: &Prove, set: &PolicySet, claim: &Claim) -> Option<Result<Answer, String>> {
    if !asked.symbolic {
        return None;
    }
    let named = || PathBuf::from(std::env::var_os("CVC5").unwrap_or_else(|| "cvc5".into()));
    Some(prove::symbolic::prove(set, claim, &asked.solver.clone().unwrap_or_else(named)).await)
}

#[cfg(not(feature = "symbolic"))]
async fn by_solver(_: &Prove, _: &PolicySet, _: &Claim) -> Option<Result<Answer, String>> {
    None
}

async fn answered(asked: &Prove, set: &PolicySet, claim: Claim) -> Answered {
    let (answer, solver_failed) = match by_solver(asked, set, &claim).await {
        Some(Ok(answer)) => (answer, None),
        Some(Err(why)) => (prove::prove(set, &claim), Some(why)),
        None => (prove::prove(set, &claim), None),
    };
    Answered { claim, answer, solver_failed }
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
pub async fn run(context: &Context, asked: &Prove, files: &PolicyFiles, set: &Arc<PolicySet>) -> Outcome {
    if asked.symbolic && !cfg!(feature = "symbolic") {
        return Err("this bandpass was built without the symbolic compiler; build it with `cargo build --features symbolic`, or leave --symbolic out".to_owned());
    }
    let mut answers = Vec::new();
    for claim in claims(asked, files, set)? {
        answers.push(answered(asked, set, claim).await);
    }
    let rows: Vec<serde_json::Value> = answers.iter().map(row).collect();
    let proven = answers.iter().filter(|a| matches!(a.answer, Answer::Proven { .. })).count();
    let engine = if asked.symbolic { format!("{}, or else by {}", prove::SOLVER, prove::ENGINE) } else { prove::ENGINE.to_owned() };
    context.print(&serde_json::json!({ "engine": engine, "claims": rows }), || {
        let mut text: Vec<String> = answers.iter().map(told).collect();
        text.push(format!("{proven} of {} proven; by {engine}", answers.len()));
        text.join("\n")
    });
    Ok(if proven == answers.len() { Done::Yes } else { Done::No })
}

fn row(answered: &Answered) -> serde_json::Value {
    let Answered { claim, answer, solver_failed } = answered;
    let (word, more) = match answer {
        Answer::Proven { by: Proof::Combinations(combinations) } => ("proven", serde_json::json!({ "combinations": combinations })),
        Answer::Proven { by: Proof::Solver } => ("proven", serde_json::json!({ "solver": true })),
        Answer::Refuted(case) => ("refuted", serde_json::json!({ "counter_example": case })),
        Answer::NotProven { reasons } => ("not_proven", serde_json::json!({ "reasons": reasons })),
    };
    let mut row = serde_json::json!({ "name": claim.name, "group": claim.group, "never": claim.text, "answer": word, "details": more });
    if let (Some(why), Some(row)) = (solver_failed, row.as_object_mut()) {
        row.insert("solver_failed".to_owned(), why.as_str().into());
    }
    row
}

fn told(answered: &Answered) -> String {
    let Answered { claim, answer, solver_failed } = answered;
    let text = match answer {
        Answer::Proven { by: Proof::Combinations(combinations) } => format!("proven      {} ({combinations} combinations)", claim.name),
        Answer::Proven { by: Proof::Solver } => format!("proven      {} (by the solver)", claim.name),
        Answer::Refuted(case) => {
            let Case { told: [person, group, request], .. } = case.as_ref();
            let group = claim.group.as_ref().map_or_else(|| format!("a group with {group}, whose file allows it"), |g| format!("group {g}"));
            format!("refuted     {}\n  person    {person}\n  asks for  {group}\n  request   {request}\n  and nothing forbids it", claim.name)
        }
        Answer::NotProven { reasons } => format!("not proven  {}\n  {}", claim.name, reasons.join("\n  ")),
    };
    match solver_failed {
        Some(why) => format!("{text}\n  enumerated, since the solver did not decide it: {why}"),
        None => text,
    }
}
