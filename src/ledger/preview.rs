//! Deciding without recording: the same code as a submit, on rows read outside the ledger's transaction.

use std::collections::BTreeSet;

use super::{
    Ledger, LedgerError, Limits, Snapshot,
    decide::{self, Filing, Told, World},
    needs,
    state::State,
};
use crate::{
    domain::{
        actor::Actor,
        decision::Decision,
        duration::Duration,
        grant::Grant,
        id::{GroupId, PersonId},
        refusal::Refusal,
        group::Who,
        request::{Request, RequestStatus},
        time::Time,
    },
    store::{
        load::{Around, Loaded},
        read::{Page, RequestFilter, StoreError},
    },
};

/// What a preview shows: the decision that a request would meet now, and who would be asked.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The duration it was decided for.
    pub duration: Duration,
    /// The decision.
    pub decision: Decision,
    /// Who may vote at each stage, the requester excluded, sorted by id.
    pub approvers: Vec<Vec<PersonId>>,
    /// The end of the live grant that would be extended.
    pub held_until: Option<Time>,
    /// Why a submit would be refused rather than decided (a justification is missing, it is held without asking), if it would.
    pub refusal: Option<Refusal>,
}

impl From<StoreError> for LedgerError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.0)
    }
}

impl Ledger {
    /// Decides without recording: the same code as a submit. `duration` none takes the default. `actor` would file it.
    ///
    /// # Errors
    /// [`LedgerError`] when the database cannot be read; the inner [`Refusal`] as a submit would give it.
    pub async fn preview(
        &self,
        actor: &PersonId,
        person: &PersonId,
        group: &GroupId,
        duration: Option<Duration>,
        has_justification: bool,
    ) -> Result<Result<Preview, Refusal>, LedgerError> {
        let snapshot = self.snapshot();
        let mut around = Around::default();
        needs::around_filing(&snapshot, person, group, &mut around);
        around.people.insert(actor.clone());
        let state = self.read_state(&snapshot, around).await?;
        Ok(self.look(&snapshot, &state, &Actor::person(actor), person, group, duration, has_justification, Told::Everything))
    }

    /// Decides for many groups at once, for lists ("Instant for you"). Groups that the person cannot file for are left out.
    ///
    /// # Errors
    /// [`LedgerError`] when the database cannot be read.
    pub async fn preview_all(&self, person: &PersonId, groups: Vec<GroupId>) -> Result<Vec<(GroupId, Preview)>, LedgerError> {
        let snapshot = self.snapshot();
        let mut around = Around::default();
        for group in &groups {
            needs::around_filing(&snapshot, person, group, &mut around);
        }
        let state = self.read_state(&snapshot, around).await?;
        let actor = Actor::person(person);
        let mut found = Vec::with_capacity(groups.len());
        for group in groups {
            if let Ok(preview) = self.look(&snapshot, &state, &actor, person, &group, None, true, Told::Hint) {
                found.push((group, preview));
            }
        }
        Ok(found)
    }

    /// Who may vote on a pending request now, sorted by id. Empty for a request that is decided.
    ///
    /// # Errors
    /// [`LedgerError`] when the database cannot be read.
    pub async fn approvers_of(&self, request: &Request) -> Result<Vec<PersonId>, LedgerError> {
        let snapshot = self.snapshot();
        let stage = request.rule.as_ref().and_then(|r| r.stages.get(usize::try_from(request.stage).ok()?));
        let (Some(stage), RequestStatus::Pending) = (stage, request.status) else { return Ok(Vec::new()) };
        let group = snapshot.policy.set().group(request.group.as_str());
        let owner = group.map_or(&[][..], |g| g.owner.as_slice());
        let named: BTreeSet<GroupId> = stage
            .from
            .iter()
            .chain(&stage.escalate)
            .chain(owner)
            .filter_map(|who| match who {
                Who::Group(group) => Some(group.clone()),
                _ => None,
            })
            .collect();
        let holding = if named.is_empty() { Vec::new() } else { self.reader.live_grants_of_groups(named).await? };
        let holders = |g: &GroupId| holding.iter().filter(|h| h.group == *g).map(|h| (h.person.clone(), h.starts_at)).collect();
        let asker = decide::Asker { person: &request.person, filed_by: &request.filed_by, owner, submitted_at: request.submitted_at };
        let voters = decide::eligible(stage, asker, request.stage_since, self.now(), &snapshot.directory, &holders);
        let voted = self.reader.approvals(request.id).await?;
        Ok(voters.into_iter().filter(|p| !voted.iter().any(|v| v.person == *p)).collect())
    }

    async fn read_state(&self, snapshot: &Snapshot, around: Around) -> Result<State, StoreError> {
        let mut loaded = Loaded::default();
        for person in &around.people {
            loaded.grants.extend(self.reader.live_grants_of(person.clone()).await?);
            loaded.blocks.extend(self.reader.blocks_of(person.clone()).await?);
        }
        let filter = RequestFilter { people: Some(around.people.clone()), status: Some(RequestStatus::Pending), groups: None };
        loaded.requests.extend(self.reader.requests(filter, Page { before: None, limit: 1000 }).await?.items);
        if !around.groups.is_empty() {
            loaded.grants.extend(self.reader.live_grants_of_groups(around.groups).await?);
        }
        let mut state = State::new(snapshot.frozen);
        state.take(loaded);
        Ok(state)
    }

    #[allow(clippy::too_many_arguments)]
    fn look(
        &self,
        snapshot: &Snapshot,
        state: &State,
        actor: &Actor,
        person: &PersonId,
        group: &GroupId,
        duration: Option<Duration>,
        has_justification: bool,
        told: Told,
    ) -> Result<Preview, Refusal> {
        let limits: &Limits = &self.shared.config.limits;
        let now = self.now();
        let world = World { snapshot, state, now, next_seq: 1, epoch: 1, limits, clock_behind: false, filed_last_hour: 0 };
        let filing = |justification| Filing { person, group, duration, justification, told };
        let given = has_justification.then_some("given");
        // A missing justification, or a request that waits already, is told beside the decision that would follow.
        let (filed, refusal) = match decide::file(&world, actor, &filing(given)) {
            Ok(filed) => (filed, None),
            Err(refusal @ Refusal::JustificationRequired { .. }) => (decide::file(&world, actor, &filing(Some("given")))?, Some(refusal)),
            Err(refusal) => return Err(refusal),
        };
        let approvers = filed
            .decision
            .stages
            .iter()
            .map(|stage| {
                let voters: BTreeSet<PersonId> = decide::voters(&world, &filed.filed_by, person, group, stage, now, now);
                voters.into_iter().collect()
            })
            .collect();
        let live = state.live_grant(person, group);
        let held_until = live.and_then(Grant::until);
        let refusal = live.filter(|g| g.is_standing_birthright()).map(|g| decide::birthright::stands(&world, g)).or(refusal);
        Ok(Preview { duration: filed.duration, decision: filed.decision, approvers, held_until, refusal })
    }
}
