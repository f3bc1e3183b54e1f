//! Bandpass grants access in seconds and can prove afterwards why.
//!
//! An employee asks for a group. A policy, files in git, decides: at once, after the right people agreed, or not at all.
//! Every decision is a row of an append-only table, and that row is what changes everything else. This page is the map of
//! the crate; read it first. `README.md` is for whoever uses or operates the service, `policies/README.md` for whoever
//! writes policy.
//!
//! # The one idea
//!
//! ```text
//! command ──> decide(world, command, now) ──> events ──> rows + audit, one transaction ──> answer
//!             pure, replayable                the ledger, the only writer
//! ```
//!
//! Whoever wishes a change builds a [`domain::command::Command`] and gives it to [`ledger::Ledger`]. Its thread takes what
//! waits, opens one transaction, takes the lock on the head of the log, loads the rows that the commands need, decides each
//! in order (each sees the effects of those before it), writes events, projected rows, deliveries and the new tree head,
//! commits, and only then answers every caller. One lock and one fsync serve up to 256 requests, and the lock gives all
//! replicas one order of events: two votes at once are no race, one of them is second.
//!
//! # The rooms
//!
//! | room | what it is | may import |
//! |---|---|---|
//! | [`domain`] | nouns and pure rules: ids, people, groups, requests, grants, decisions, events, commands, refusals | nothing of ours |
//! | [`policy`] | files → checked set → decision; the diff of two sets; proofs; Cedar stays in here | domain |
//! | [`directory`] | people and teams: the snapshot in memory, importers, what sources say and the merge of it | domain |
//! | [`store`] | connections, schema, all SQL for both databases; diesel stays in here | domain |
//! | [`ledger`] | queue, batch, decide, project, tree head; previews with the same code | domain, policy, directory, store |
//! | [`audit`] | verify, rebuild, replay, signed checkpoints | domain, policy, store, the pure parts of ledger |
//! | [`connector`] | target systems, and nothing else | domain |
//! | [`jobs`] | reconcilers: end what is over, deliver, follow the policy source, ask catalogues | ledger, connector, store (reads), policy, directory, [`folder`], [`git`], [`child`], [`outgoing`] |
//! | [`auth`] | who calls (sessions, tokens, JWTs), sign-in with issuers; what each route needs; who sees what | domain, store (reads), ledger, settings, [`outgoing`] |
//! | [`web`] | every route on one page, the API, the pages; actix stays in here | auth, ledger, store (reads), audit, directory, settings, doctor |
//! | [`doctor`] | looks at the whole set-up, says what cures it; a list of checks | what a start uses |
//! | [`startup`], [`cli`], [`admin`], `sample` | put it together | all |
//!
//! `tests/it/architecture.rs` holds this table, the homes of Cedar, diesel, actix and the clock, and the length of files.
//!
//! # One request, step by step
//!
//! 1. `POST /api/v1/requests` (or the form, or `bandpass request`) reaches [`web::routes`], whose entry says what the route
//!    needs. [`web::guard`] finds the caller (token, session), checks the entry, bounds time and size, and counts.
//! 2. The handler parses ids and durations into domain types and builds `Command::Submit` in an `Envelope` (actor, command
//!    id, Idempotency-Key). It never writes.
//! 3. The ledger's thread batches it. `needs` says which rows it wants, `store::load` reads them, `decide::submit` asks
//!    [`policy::Engine`] and turns the [`domain::decision::Decision`] into an event: `request.granted` (with the grant and
//!    the deliveries inside), `request.denied`, or `request.submitted` with the rule and its stages copied onto it.
//! 4. `project` says what the event does to `requests`, `grants`, `deliveries`; `encode` makes the hashed body and, beside
//!    it, the personal text under a salted commitment; the tree head moves. [`store`] writes all of it and commits.
//! 5. The answer goes out. `jobs::deliver` is woken, calls the connector, and gives `ConfirmDelivery` back to the ledger.
//!
//! And a read: handler → authorise by the route's entry → one query of [`store::read`] → what the caller may see
//! ([`auth::visibility`]) → JSON or a page. Reads never pass through the ledger.
//!
//! # A sign-in, step by step
//!
//! `/signin/{issuer}` sends the browser away with `state`, `nonce` and a PKCE challenge, and has it keep them sealed in a cookie
//! ([`auth::oidc::attempt`]): nothing is stored here. The callback checks that the answer belongs to that cookie, exchanges the
//! code, verifies the ID token ([`auth::jwt`], the same code as for access tokens of API callers), and asks who the subject is
//! ([`auth::oidc::person`]): by the recorded link, else by the configured claim. What the issuer says of itself, and its keys, are
//! kept by [`auth::published`]: one reader, at most once a minute. `Command::SignIn` decides the rest under the
//! head lock: a subject is one person, a person one subject of an issuer, and one sign-in begins one session. `identity.linked`
//! and `session.started` are events; a session's cookie holds a secret whose hash is its row's.
//!
//! # When policy, people or holdings change
//!
//! [`jobs::reconsider`] decides every live grant again on the new snapshot, off the ledger's thread, a page of rows at a time:
//! all of them when policy or directory change and after a start, one person's when what they hold changes and something
//! reads it. [`ledger::decide::reconsider`] says what should become of each; for those whose standing changes the job sends
//! `Reconsider`, and the ledger decides it again under the head lock. `grant.ending` moves the end to where the grace ends and
//! remembers the old one, so that the job that ends grants on time ends this one as well; `grant.kept` gives it back;
//! `grant.flagged` lists it; what a guardrail forbids, and what people hold who left, is `grant.revoked` at once. One change
//! that would end many is `endings.held`, until another admin's `endings.confirmed`.
//!
//! # Where people come from
//!
//! Files and imports, programs over SCIM ([`web::scim`]) and Backstage catalogues ([`jobs::catalog`]) are sources. Where more than
//! files speak of somebody, what each says is kept as a record ([`domain::record`]), and the person is the merge of them in the
//! order that settings give ([`directory::merge`]); their page says whose word it is. What a source says is computed purely on
//! the snapshot in force ([`directory::tell`]) and recorded by compare and set, tried again when somebody else was first
//! ([`ledger::Ledger::feed`]). The leavers of one source are bounded: more than a share of the people that it knows within a window
//! wait for an admin ([`ledger::HeldLeavers`]). The source that comes first and ever knew a person decides whether they work here.
//! What was not heard from for too long is used neither to grant nor to vote: when a source was heard from is an event now and then
//! (`source.seen`), and an input of the decision. Names join nobody and ids are nobody else's again: records outlive what they are
//! about (`gone`), and what a source took away stays away (`taken_back`).
//!
//! A first policy may name people who have yet to come. Then no set is in force and everything is denied, in the open; the follower of
//! the source tries the same files again whenever the directory has changed, and loads them whole when every name is known.
//!
//! A change of one person costs one person: the snapshot shares with the one before what is the same ([`directory::sorted`]) and is
//! made from what the batch changed, without reading it again; what a client gave is kept as text ([`domain::given`]); the
//! engine keeps changed people beside the others until they are many, and passes over all grants rest a little while a
//! directory streams in.
//!
//! # When people join, move, leave and come back
//!
//! - Who leaves is out with `person.left`: `ledger::decide::leaving` ends their grants with the removals, pending requests (also
//!   those they filed for others), votes on requests that go on, sessions and tokens, also of services they answer for, by events
//!   of the same command, so of the same transaction. Their removals are `urgent`: [`jobs::deliver`] begins nothing else while one
//!   waits, older deliveries of the same person go with it, and none waits for an admin. The job above finds nothing left to do.
//! - Who comes back begins anew: blocks of their earlier time are lifted, each with an event, and nothing else is left to lift. That
//!   a directory's slip can lift a block so is the price; `block.lifted` and the timeline show it.
//! - A vote counts while its voter may still vote at that stage: at the last vote every stage is looked at, and one that lacks a
//!   vote by a move is asked again.
//! - A rule with `then = "always"` ([`policy::birthright`]) is a grant of its own provenance, begun by `jobs::birthright` within the
//!   same right and decided again by the ledger; its event `grant.birthright` is replayed like a request's. Its end is
//!   [`domain::time::Time::OPEN`], a number for the index that ends things on time, which no page, answer or command shows.
//! - A person's timeline ([`web`]) is read from the log alone.
//!
//! # What always holds
//!
//! - Nothing changes but by an event: every projected row follows from the log, and `audit verify --rebuild` folds the log
//!   again and compares each column of each table.
//! - `decide`, `project` and [`policy`] take time, ids and facts as arguments. Only [`clock`] reads the clock.
//! - Whatever is unknown, missing, erroring or late is a denial that is shown: an unknown entity, a condition that cannot be
//!   evaluated, a clock behind the log, a full queue, a database that is away.
//! - A stale act is a conflict (409), never a silent success. A second command with the same id finds its own first event.
//! - An event's body holds ids and commitments; names, reasons and facts about people lie in `audit_private` and may be
//!   erased without breaking the tree.
//! - The service's PostgreSQL role owns nothing, may append through `ledger_append` alone, and a start that can tamper with
//!   the past refuses to run.
//! - A decision is a pure function of what the log recorded: `audit replay` makes every one again, with the code that made it.
//! - What is denied or put before people is recorded with its whole reasoning ([`domain::explanation`]), a grant with its
//!   reasons alone. A suggestion was tried by the code that decides before it is told. Replay compares what was decided, not
//!   the sentences, which hold names.
//! - A policy set is tried in a child process with bounded time and memory before the service compiles it, and compiled on a
//!   thread with a large stack: whatever files do to a parser, the last good set goes on.
//! - The first removals at a target system that adopted memberships cause wait for an admin (`held`, semantics.md, 33): a wrong
//!   list of adoptions cannot empty a target.
//! - Every replica takes over within a fifth of a second what another one brought into force ([`jobs::keep_up`]), reads or not;
//!   what a job saw outside the head lock is looked at again under it. Whoever left is out everywhere within the second.
//! - What a program with a service's token may do is one list of all commands (`ledger::decide::service`).
//! - One replica at a time delivers and decides grants again, and one process a database follows a policy folder: advisory
//!   locks of PostgreSQL ([`store::sole`]). Replicas follow one git repository, by fast-forward only.
//! - Routes without an entry are closed, and `tests/golden/authz-matrix.txt` shows every route for every kind of caller, by token and
//!   in a browser.
//! - A token makes only tokens that open no more and end no later than it, and that are revoked with it
//!   ([`domain::token::Token::made_with`]); those, services and JWTs make none: whoever stole one has stolen no more than it.
//! - A body that is there is read strictly, also where none is needed ([`web::api`]'s `Sent`), and a browser's call of the API shows
//!   that it comes from our own pages.
//!
//! # Where this differs from the first design, and why
//!
//! - A grant carries the entitlements it was given ([`domain::grant::Grant::entitlements`]), instead of reading them from the
//!   policy in force: what a person holds is then a fact of the log, and a policy edit that changes them is an event that
//!   says so (`delivery.queued`).
//! - `request.granted` holds request, grant and deliveries in one event. One row per granted request is what makes a request
//!   cost one audit row, and the three can never disagree.
//! - When something last came from a session or with a token is kept beside the log, at most once a minute each: being used changes
//!   nothing, and an event a call would bury the events that do.
//! - Answers to `Idempotency-Key` are kept beside the log, not in it: they are no decisions, and are forgotten after 24 h.
//! - The hourly quota of requests is counted in the process of each replica: it bounds load, it is no rule of access.
//! - `jobs` imports `policy`, `folder` and `git`, because following a source means reading and checking it. [`git`] reads a
//!   repository's objects by the git program, never a work tree; [`child`] runs a program within bounds.
//! - The pool of readers is ours ([`store::pool`]): two dozen lines, since diesel-async's wrapper must be made, used and
//!   dropped outside the async runtime, which r2d2's background threads do not promise.
//! - `decide` sees the whole batch's rows in memory (`ledger::state`), so a batch is a handful of reads however many
//!   commands it holds. They stay there until the next batch, and count as long as the head stands where this one left it:
//!   nothing changes but by an event, and an event moves the head.
//! - On PostgreSQL a batch's projected rows go through one function, `ledger_project`, in the statement that appends: a
//!   statement a row was a round trip a row. On SQLite the write-ahead log is copied into the file by a thread of its own
//!   (`store::wal`), since a commit that copies it makes everybody wait.
//! - `policy` waits for another program in one place, [`policy::prove`]'s `symbolic`: Cedar's symbolic compiler speaks with an SMT
//!   solver. It is behind a feature of that name, so that the usual build has neither.
//! - [`ledger::departed`] reads what a group said of its owners from the last policy set that had it, instead of a column: it is asked
//!   for a few times a year.
//!
//! # What is left out on purpose, or not yet
//!
//! - SCIM has no bulk operations, passwords or `/Me`, and stores no attribute that nothing here uses.
//! - No cache of decisions: a decision costs some 40 µs, a stale one costs more.
//! - No groups or roles are taken from an issuer: it says who somebody is, the directory and `roles.toml` say the rest.
//! - No ID token is kept here: the browser keeps its own, for the issuer's sign-out page. No refresh token is asked for.
//! - What people are told of ending access waits in `notices` and on their pages; nothing mails it yet.
//! - No reconciliation of target systems yet: a membership that somebody takes away by hand there is not noticed.
//! - No erasure command yet, although bodies and verification are made for it.

pub mod admin;
pub mod auth;
pub mod audit;
pub mod child;
pub mod cli;
pub mod clock;
pub mod connector;
pub mod directory;
pub mod doctor;
pub mod domain;
pub mod folder;
pub mod git;
pub mod jobs;
pub mod ledger;
pub mod outgoing;
pub mod policy;
mod sample;
pub mod settings;
pub mod startup;
pub mod store;
pub mod telemetry;
pub mod web;
mod tls;
