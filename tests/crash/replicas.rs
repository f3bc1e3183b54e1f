//! Two `bandpass serve` on one PostgreSQL: races that exactly one side may win (security.md, section 4: 10, 11, 13, 29).
//!
//! Both replicas are kept busy by other requests meanwhile. The winner gets a success, every loser a named refusal (409),
//! and nobody a 5xx.
//!
//! Three things stand between a race and two winners: the lock on the head, the compare-and-set of `ledger_append` on the head it
//! was decided on, and the primary key of the log. Built with the feature `without-head-lock` the first is missing: the others must
//! still let nothing be decided twice, and the losers, whom the lock would have put in order, are refused with 503 instead. The
//! report tells the two apart: `wrong` is an outcome that must never be, `refused` a request that got no answer.
//!
//! `BANDPASS_RACE_ROUNDS` sets how often each race is run (30).

#[path = "../support/mod.rs"]
mod support;

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use support::{
    database::Database,
    http::{self, Answer},
    organisation::{self, Size},
    postgres::{self, Postgres},
    service::{Folder, Service, program},
};

const WITHOUT_LOCK: bool = cfg!(feature = "without-head-lock");
const SIZE: Size = Size { people: 600, instant: 200, asked: 4, asked_twice: 2 };
/// People who only keep the replicas busy.
const BUSY: std::ops::Range<usize> = 300..600;
/// People whose requests are raced for.
const RACERS: std::ops::Range<usize> = 10..300;

struct Arena {
    replicas: [SocketAddr; 2],
    owners: Vec<String>,
    racers: Vec<String>,
    used: usize,
    database: Arc<Database>,
    /// Whether somebody was refused with 503 in the race that is judged.
    unanswered: bool,
    violations: Violations,
}

/// What should not have happened.
#[derive(Default)]
struct Violations {
    /// Two winners, a count too high, a log that does not verify.
    wrong: Vec<String>,
    /// Requests that were not answered as the order of the lock would have had it, but with 503; and what did not come about by it.
    refused: Vec<String>,
}

type Call = (usize, Vec<u8>);

fn post(token: &str, path: &str, body: &str) -> Vec<u8> {
    http::request("POST", path, &[("Authorization", &format!("Bearer {token}"))], Some(body))
}

fn wish(token: &str, group: &str) -> Vec<u8> {
    post(token, "/api/v1/requests", &format!(r#"{{"group":"{group}","duration":"1d","justification":"race"}}"#))
}

impl Arena {
    /// A person nobody has used yet.
    fn racer(&mut self) -> (String, String) {
        let n = self.used;
        self.used += 1;
        (organisation::person(RACERS.start + n), self.racers[n].clone())
    }

    /// Sends every call at the same moment, each over a connection of its own that is open already.
    async fn at_once(&mut self, calls: Vec<Call>) -> Vec<Answer> {
        let barrier = Arc::new(tokio::sync::Barrier::new(calls.len()));
        let mut tasks = Vec::new();
        for (replica, bytes) in calls {
            let mut client = http::Client::connect(self.replicas[replica]).await.expect("a replica listens");
            let barrier = Arc::clone(&barrier);
            tasks.push(tokio::spawn(async move {
                barrier.wait().await;
                client.send(&bytes).await.expect("an answer")
            }));
        }
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.expect("a client"));
        }
        self.unanswered = answers.iter().any(|a| a.status == 503);
        for answer in &answers {
            if answer.status >= 500 {
                let told = format!("a loser was told {}", answer.shown());
                if answer.status == 503 { self.violations.refused.push(told) } else { self.violations.wrong.push(told) }
            }
        }
        answers
    }

    /// Files a request for a race. Not being able to is a violation: one replica's filing must not fail because of the other's.
    async fn file(&mut self, token: &str, group: &str) -> Option<String> {
        let answer = http::once(self.replicas[0], &wish(token, group)).await.expect("an answer");
        let id = answer.json()["id"].as_str().map(str::to_owned);
        if id.is_none() {
            self.violations.refused.push(format!("filing for {group}: {}", answer.shown()));
        }
        id
    }

    fn expect(&mut self, race: &str, what: &str, wanted: u64, sql: &str) {
        let found = self.database.count(sql);
        let told = format!("race {race}: {what}: {found}, expected {wanted}");
        match found.cmp(&wanted) {
            std::cmp::Ordering::Equal => {}
            // Too few follows from a refusal; without one it is told there.
            std::cmp::Ordering::Less if self.unanswered => self.violations.refused.push(told),
            _ => self.violations.wrong.push(told),
        }
    }

    fn expect_statuses(&mut self, race: &str, answers: &[Answer], wanted: &[u16]) {
        let mut statuses: Vec<u16> = answers.iter().map(|a| a.status).collect();
        statuses.sort_unstable();
        if statuses != wanted {
            let shown: Vec<String> = answers.iter().map(|a| a.shown().chars().take(200).collect()).collect();
            // Without the refused ones nobody may have got more than there is to get.
            let won = |statuses: &[u16]| statuses.iter().filter(|s| **s < 300).count();
            let told = format!("race {race}: answers {statuses:?}, expected {wanted:?}: {shown:?}");
            if self.unanswered && won(&statuses) <= won(wanted) { self.violations.refused.push(told) } else { self.violations.wrong.push(told) }
        }
    }

    /// 10: one approver votes twice, once at each replica. One vote.
    async fn same_vote_twice(&mut self) {
        let (_, token) = self.racer();
        let Some(request) = self.file(&token, "asked-twice-0000").await else { return };
        let path = format!("/api/v1/requests/{request}/approve");
        let vote = post(&self.owners[0], &path, "{}");
        let answers = self.at_once(vec![(0, vote.clone()), (1, vote)]).await;
        self.expect_statuses("10", &answers, &[200, 409]);
        self.expect("10", "votes", 1, &format!("SELECT count(*)::text AS line FROM approvals WHERE request = '{request}'"));
        self.expect("10", "still pending", 1, &format!("SELECT count(*)::text AS line FROM requests WHERE id = '{request}' AND status = 'pending'"));
    }

    /// 11: two approvers at once. With one vote needed one of them decides and the other is late; with two both count,
    /// and there is one grant.
    async fn two_approvers(&mut self) {
        for (group, wanted) in [("asked-0000", [200, 409]), ("asked-twice-0001", [200, 200])] {
            let (person, token) = self.racer();
            let Some(request) = self.file(&token, group).await else { return };
            let path = format!("/api/v1/requests/{request}/approve");
            let calls = (0..2).map(|n| (n, post(&self.owners[n], &path, "{}"))).collect();
            let answers = self.at_once(calls).await;
            self.expect_statuses("11", &answers, &wanted);
            self.expect("11", "live grants", 1, &format!("SELECT count(*)::text AS line FROM grants WHERE request = '{request}' AND status = 'active'"));
            self.expect("11", "grants of the pair", 1, &format!("SELECT count(*)::text AS line FROM grants WHERE person = '{person}' AND group_id = '{group}'"));
            self.expect("11", "deciding events", 1, &format!("SELECT count(*)::text AS line FROM audit_log WHERE request = '{request}' AND kind = 'request.granted'"));
        }
    }

    /// 13: an approval against the requester's withdrawal. One of the two.
    async fn approve_against_withdraw(&mut self) {
        let (_, token) = self.racer();
        let Some(request) = self.file(&token, "asked-0001").await else { return };
        let approve = post(&self.owners[2], &format!("/api/v1/requests/{request}/approve"), "{}");
        let withdraw = post(&token, &format!("/api/v1/requests/{request}/withdraw"), "{}");
        let swapped = self.used % 2;
        let answers = self.at_once(vec![(swapped, approve), (1 - swapped, withdraw)]).await;
        self.expect_statuses("13", &answers, &[200, 409]);
        self.expect(
            "13",
            "outcomes in the log",
            1,
            &format!("SELECT count(*)::text AS line FROM audit_log WHERE request = '{request}' AND kind IN ('request.granted', 'request.withdrawn')"),
        );
        let granted = answers[0].status == 200;
        self.expect("13", "grants", u64::from(granted), &format!("SELECT count(*)::text AS line FROM grants WHERE request = '{request}'"));
    }

    /// 29: a hundred equal requests. Of one that waits for people: one is filed, the others are told so. Of one that is
    /// granted at once: one grant, extended by the others.
    async fn a_hundred_equal_requests(&mut self) {
        let (person, token) = self.racer();
        let answers = self.at_once((0..100).map(|n| (n % 2, wish(&token, "asked-0002"))).collect()).await;
        let mut wanted = vec![409; 99];
        wanted.insert(0, 201);
        self.expect_statuses("29 (asked)", &answers, &wanted);
        self.expect("29 (asked)", "requests", 1, &format!("SELECT count(*)::text AS line FROM requests WHERE person = '{person}' AND group_id = 'asked-0002'"));
        let answers = self.at_once((0..100).map(|n| (n % 2, wish(&token, "instant-0000"))).collect()).await;
        self.expect_statuses("29 (instant)", &answers, &[201; 100]);
        let grants: BTreeMap<String, usize> = answers.iter().fold(BTreeMap::new(), |mut all, a| {
            *all.entry(a.json()["grant"]["id"].as_str().unwrap_or("none").to_owned()).or_default() += 1;
            all
        });
        if grants.len() != 1 {
            let told = format!("race 29 (instant): {} grants were told of: {grants:?}", grants.len());
            if self.unanswered && grants.keys().filter(|id| *id != "none").count() <= 1 { self.violations.refused.push(told) } else { self.violations.wrong.push(told) }
        }
        self.expect("29 (instant)", "grants", 1, &format!("SELECT count(*)::text AS line FROM grants WHERE person = '{person}' AND group_id = 'instant-0000'"));
        self.expect("29 (instant)", "deliveries", 1, &format!("SELECT count(*)::text AS line FROM deliveries WHERE person = '{person}'"));
    }
}

/// Keeps a replica busy with requests that nobody races for; counts the answers that are no success.
async fn keep_busy(address: SocketAddr, tokens: Vec<String>, half: usize, stop: Arc<AtomicBool>, failed: Arc<AtomicUsize>, done: Arc<AtomicUsize>) {
    let mut client = http::Client::connect(address).await.expect("a replica listens");
    for group in (half..SIZE.instant).step_by(2) {
        for token in &tokens {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let answer = client.send(&wish(token, &organisation::group("instant", group))).await.expect("an answer");
            done.fetch_add(1, Ordering::Relaxed);
            if answer.status != 201 {
                failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// A change of policy that ends many grants: by a rule that is gone, after their grace, and by a guardrail, at once. Either replica
/// is killed in the middle, the other goes on, and owners end some of the same grants meanwhile. Each ends exactly once.
async fn endings(replicas: &mut [Service; 2], folder: &Path, database: &Database, tokens: &[String], owner: &str, violations: &mut Vec<String>) {
    let (by_rule, by_guardrail) = (organisation::group("instant", 1), organisation::group("instant", 2));
    let groups = [by_rule.as_str(), by_guardrail.as_str()];
    let mut client = http::Client::connect(replicas[0].address()).await.expect("a replica listens");
    for (token, group) in tokens.iter().flat_map(|t| groups.map(|g| (t, g))) {
        let answer = client.send(&wish(token, group)).await.expect("an answer");
        if answer.status != 201 {
            violations.push(format!("endings: {}", answer.shown()));
        }
    }
    let live = |group: &str| format!("SELECT count(*)::text AS line FROM grants WHERE group_id = '{group}' AND status = 'active'");
    let held = groups.map(|g| database.count(&live(g)));
    let kinds = "('grant.ending', 'grant.revoked')";
    let touched = format!("SELECT count(DISTINCT grant_id)::text AS line FROM audit_log WHERE group_id IN ('{by_rule}', '{by_guardrail}') AND kind IN {kinds}");
    let policies = folder.join("policies");
    let path = policies.join(format!("groups/{by_rule}.toml"));
    let text = fs::read_to_string(&path).expect("the group").replace("who = [\"everyone\"]", "who = [\"person:p00000\"]").replace("who = [\"team:team-", "who = [\"person:p00000\"] # [\"team:team-");
    fs::write(path, text).expect("the group");
    let mut rails = fs::read_to_string(policies.join("guardrails/all.cedar")).expect("the guardrails");
    rails.push_str(&format!("\n@id(\"closed\")\n@reason(\"Closed.\")\nforbid (principal, action, resource)\nwhen {{ resource.id == \"{by_guardrail}\" }};\n"));
    fs::write(policies.join("guardrails/all.cedar"), rails).expect("the guardrails");
    support::git::commit_all(&policies, "end many");
    let owned: Vec<String> = groups.iter().flat_map(|g| database.lines(&format!("SELECT id AS line FROM grants WHERE group_id = '{g}' AND status = 'active' ORDER BY id LIMIT 20"))).collect();
    let mut struck = 0;
    for _ in 0..1200 {
        let now = database.count(&touched);
        // Once something has happened, and again when half has: whichever replica does it loses its turn.
        if (struck == 0 && now > 0) || (struck == 1 && now >= (held[0] + held[1]) / 2) {
            replicas[struck].kill();
            let survivor = replicas[1 - struck].address();
            for grant in owned.iter().skip(struck).step_by(2) {
                let end = post(owner, &format!("/api/v1/grants/{grant}/revoke"), r#"{"reason":"race"}"#);
                let answer = http::once(survivor, &end).await.expect("an answer");
                if !matches!(answer.status, 200 | 204 | 409) {
                    violations.push(format!("endings: an owner was told {}", answer.shown()));
                }
            }
            replicas[struck].start().await;
            struck += 1;
        }
        if now >= held[0] + held[1] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // A moment in which the other could do it again.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let expect = |what: &str, wanted: u64, sql: String| {
        let found = database.count(&sql);
        (found != wanted).then(|| format!("endings: {what}: {found}, expected {wanted}"))
    };
    let twice = |kind: &str| format!("SELECT count(*)::text AS line FROM (SELECT grant_id FROM audit_log WHERE group_id IN ('{by_rule}', '{by_guardrail}') AND kind = '{kind}' GROUP BY grant_id HAVING count(*) > 1) AS many");
    let found = [
        expect("grants that an event ends", held[0] + held[1], touched),
        expect("grants that began to end twice", 0, twice("grant.ending")),
        expect("grants that were revoked twice", 0, twice("grant.revoked")),
        expect("live grants that a guardrail forbids", 0, live(&by_guardrail)),
        expect("live grants without an end by the rule that is gone", 0, format!("{} AND standing IS NULL", live(&by_rule))),
        expect("removals that are not one a grant", 0, format!("SELECT count(*)::text AS line FROM (SELECT grant_id FROM deliveries WHERE action = 'remove' AND grant_id IN (SELECT id FROM grants WHERE group_id = '{by_guardrail}') GROUP BY grant_id HAVING count(*) > 1) AS many")),
    ];
    violations.extend(found.into_iter().flatten());
    println!("replicas: a change of policy ended {} + {} grants, each once; {struck} times a replica was killed meanwhile", held[0], held[1]);
}

fn main() -> ExitCode {
    if let Some(why) = postgres::missing() {
        println!("replicas: left out: {why}");
        return ExitCode::SUCCESS;
    }
    let rounds: usize = std::env::var("BANDPASS_RACE_ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(30);
    let most = RACERS.len() / 5;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let violations = runtime.block_on(race(rounds.min(most)));
    let (wrong, refused) = (violations.wrong.len(), violations.refused.len());
    for violation in violations.wrong.iter().take(10).chain(violations.refused.iter().take(10)) {
        println!("  {violation}");
    }
    if wrong > 0 {
        println!("replicas: {wrong} wrong outcomes, {refused} refused: BAD");
        return ExitCode::FAILURE;
    }
    match (WITHOUT_LOCK, refused) {
        (false, 0) => println!("replicas: one winner in every race: good"),
        (false, _) => println!("replicas: nothing wrong, but {refused} refused: BAD"),
        (true, 0) => println!("replicas: nothing wrong and nobody refused although the head lock is left out, so these races prove nothing: BAD"),
        (true, _) => println!("replicas: without the head lock nothing was decided twice (compare-and-set and the log's key see to it), and {refused} were refused whom the lock puts in order: good"),
    }
    if WITHOUT_LOCK == (refused > 0) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn race(rounds: usize) -> Violations {
    let server = Postgres::shared();
    let folder = Folder::new("bandpass_races");
    organisation::write(folder.path(), SIZE);
    // Replicas need one repository: a folder is followed by one process a database.
    support::git::commit_all(&folder.path().join("policies"), "policies");
    let source = format!("git+{}", folder.path().join("policies").display());
    let database = Arc::new(Database::postgres(server));
    let binary = program(env!("CARGO_BIN_EXE_bandpass"));
    let mut replicas = ["one", "two"].map(|name| Service::new(&binary, folder.path(), name, &database));
    replicas[0].must(&["db", "migrate"]);
    for replica in &mut replicas {
        replica.set("POLICY__SOURCE", &source);
        replica.set("POLICY__CONFIRM_SHARE", "1.0");
        replica.start().await;
    }
    let owners = replicas[0].tokens(&organisation::owners(), "read,request,approve");
    let racers = replicas[0].tokens(&RACERS.map(organisation::person).collect::<Vec<_>>(), "read,request");
    let busy = replicas[0].tokens(&BUSY.map(organisation::person).collect::<Vec<_>>(), "read,request");
    let addresses = [replicas[0].address(), replicas[1].address()];
    let (stop, failed, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let load: Vec<_> = busy
        .chunks(busy.len() / 4)
        .enumerate()
        .map(|(n, tokens)| {
            tokio::spawn(keep_busy(addresses[n % 2], tokens.to_vec(), n % 2, Arc::clone(&stop), Arc::clone(&failed), Arc::clone(&done)))
        })
        .collect();
    let mut arena = Arena { replicas: addresses, owners, racers, used: 0, database: Arc::clone(&database), unanswered: false, violations: Violations::default() };
    for _ in 0..rounds {
        arena.same_vote_twice().await;
        arena.two_approvers().await;
        arena.approve_against_withdraw().await;
        arena.a_hundred_equal_requests().await;
    }
    stop.store(true, Ordering::Relaxed);
    for task in load {
        task.await.expect("a busy client");
    }
    if !WITHOUT_LOCK {
        let owner = arena.owners[0].clone();
        endings(&mut replicas, folder.path(), &database, &busy[..200], &owner, &mut arena.violations.wrong).await;
    }
    let (failed, done) = (failed.load(Ordering::Relaxed), done.load(Ordering::Relaxed));
    println!("replicas: {rounds} rounds of races 10, 11, 13, 29 on two replicas, {done} other requests meanwhile{}", if WITHOUT_LOCK { ", without the head lock" } else { "" });
    let mut violations = arena.violations;
    if failed > 0 {
        violations.refused.push(format!("{failed} of {done} other requests were not granted"));
    }
    for replica in &mut replicas {
        replica.stop();
    }
    let verified = replicas[0].run(&["audit", "verify", "--rebuild"]);
    if !verified.status.success() {
        let said = format!("{}{}", String::from_utf8_lossy(&verified.stdout), String::from_utf8_lossy(&verified.stderr));
        violations.wrong.push(format!("audit verify --rebuild: {}\n{said}", verified.status));
    }
    let replayed = replicas[0].run(&["audit", "replay"]);
    if !replayed.status.success() {
        let said = format!("{}{}", String::from_utf8_lossy(&replayed.stdout), String::from_utf8_lossy(&replayed.stderr));
        violations.wrong.push(format!("audit replay: {}\n{said}", replayed.status));
    }
    violations
}
