//! The tables, as both databases have them. Times are microseconds since the epoch, durations seconds.

diesel::table! {
    audit_log (seq) {
        seq -> BigInt,
        at -> BigInt,
        kind -> Text,
        actor -> Text,
        person -> Nullable<Text>,
        group_id -> Nullable<Text>,
        request -> Nullable<Text>,
        grant_id -> Nullable<Text>,
        outcome -> Text,
        rule -> Nullable<Text>,
        policy_revision -> Nullable<Text>,
        command -> Text,
        body -> Text,
    }
}
diesel::table! {
    audit_private (seq) {
        seq -> BigInt,
        salt -> Nullable<Binary>,
        text -> Nullable<Text>,
    }
}
diesel::table! {
    head (id) {
        id -> Integer,
        seq -> BigInt,
        epoch -> BigInt,
        at -> BigInt,
        frontier -> Binary,
        root -> Binary,
        frozen -> Bool,
        directory_revision -> BigInt,
        policy_revision -> Nullable<Text>,
        policy_since -> BigInt,
        policy_source -> Text,
    }
}
diesel::table! {
    /// The head with the server's clock: a view that locks the head's row, then reads the clock.
    locked_head (seq) {
        seq -> BigInt,
        epoch -> BigInt,
        at -> BigInt,
        frontier -> Binary,
        root -> Binary,
        frozen -> Bool,
        directory_revision -> BigInt,
        policy_revision -> Nullable<Text>,
        policy_since -> BigInt,
        policy_source -> Text,
        clock -> BigInt,
    }
}
diesel::table! {
    requests (filed_seq) {
        filed_seq -> BigInt,
        id -> Text,
        person -> Text,
        filed_by -> Text,
        group_id -> Text,
        incarnation -> BigInt,
        duration -> BigInt,
        justified -> Bool,
        submitted_at -> BigInt,
        status -> Text,
        rule -> Nullable<Text>,
        policy_revision -> Text,
        stage -> Integer,
        stage_since -> BigInt,
        deadline -> Nullable<BigInt>,
        decided_at -> Nullable<BigInt>,
        decided_seq -> Nullable<BigInt>,
    }
}
diesel::table! {
    approvals (seq) {
        seq -> BigInt,
        request -> Text,
        person -> Text,
        stage -> Integer,
        at -> BigInt,
    }
}
diesel::table! {
    grants (granted_seq) {
        granted_seq -> BigInt,
        id -> Text,
        person -> Text,
        group_id -> Text,
        incarnation -> BigInt,
        request -> Nullable<Text>,
        rule -> Text,
        duration -> BigInt,
        provenance -> Text,
        entitlements -> Text,
        starts_at -> BigInt,
        ends_at -> BigInt,
        status -> Text,
        ended_at -> Nullable<BigInt>,
        ended_seq -> Nullable<BigInt>,
        standing -> Nullable<Text>,
        standing_cause -> Nullable<Text>,
        standing_since -> Nullable<BigInt>,
        standing_seq -> Nullable<BigInt>,
        full_end -> Nullable<BigInt>,
    }
}
diesel::table! {
    deliveries (position) {
        position -> BigInt,
        id -> Text,
        person -> Text,
        account -> Nullable<Text>,
        connector -> Text,
        entitlement -> Text,
        action -> Text,
        grant_id -> Nullable<Text>,
        request -> Nullable<Text>,
        state -> Text,
        queued_at -> BigInt,
        queued_seq -> BigInt,
        done_at -> Nullable<BigInt>,
        note -> Nullable<Text>,
        urgent -> Nullable<Bool>,
    }
}
diesel::table! {
    people (id) {
        id -> Text,
        data -> Nullable<Text>,
        status -> Text,
        seq -> BigInt,
    }
}
diesel::table! {
    teams (id) {
        id -> Text,
        data -> Text,
        seq -> BigInt,
    }
}
diesel::table! {
    person_records (source, person) {
        source -> Text,
        person -> Text,
        data -> Text,
        seq -> BigInt,
    }
}
diesel::table! {
    sources_seen (source) {
        source -> Text,
        at -> BigInt,
        seq -> BigInt,
    }
}
diesel::table! {
    team_records (source, team) {
        source -> Text,
        team -> Text,
        data -> Text,
        seq -> BigInt,
    }
}
diesel::table! {
    group_lives (group_id) {
        group_id -> Text,
        incarnation -> BigInt,
        live -> Bool,
        on_change -> Nullable<Text>,
        grace -> Nullable<BigInt>,
    }
}
diesel::table! {
    held_endings (seq) {
        seq -> BigInt,
        at -> BigInt,
        of -> Text,
        state -> Text,
        closed_seq -> Nullable<BigInt>,
        confirmed_policy -> Nullable<Text>,
        confirmed_directory -> Nullable<BigInt>,
    }
}
diesel::table! {
    notices (seq, audience) {
        seq -> BigInt,
        audience -> Text,
        at -> BigInt,
        person -> Text,
        group_id -> Text,
        grant_id -> Text,
        kind -> Text,
    }
}
diesel::table! {
    blocks (person, group_id, cause) {
        person -> Text,
        group_id -> Text,
        cause -> Text,
        duration -> Nullable<BigInt>,
        until -> Nullable<BigInt>,
        seq -> BigInt,
    }
}
diesel::table! {
    tokens (id) {
        id -> Text,
        person -> Text,
        secret_sha256 -> Text,
        scopes -> Text,
        label -> Text,
        first_admin -> Bool,
        created_at -> BigInt,
        expires_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        service -> Nullable<Text>,
        made_with -> Nullable<Text>,
    }
}
diesel::table! {
    identities (issuer, subject) {
        issuer -> Text,
        subject -> Text,
        person -> Text,
        claim -> Text,
        linked_at -> BigInt,
        seq -> BigInt,
    }
}
diesel::table! {
    sessions (id) {
        id -> Text,
        person -> Text,
        secret_sha256 -> Text,
        issuer -> Text,
        subject -> Text,
        sid -> Nullable<Text>,
        attempt_sha256 -> Text,
        agent -> Nullable<Text>,
        started_at -> BigInt,
        expires_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        ended_because -> Nullable<Text>,
    }
}
diesel::table! {
    token_used (token) {
        token -> Text,
        used_at -> BigInt,
    }
}
diesel::table! {
    session_seen (session) {
        session -> Text,
        seen_at -> BigInt,
    }
}
diesel::table! {
    removals_confirmed (connector) {
        connector -> Text,
        seq -> BigInt,
    }
}
diesel::table! {
    policy_blobs (hash) {
        hash -> Text,
        bytes -> Binary,
    }
}
diesel::table! {
    policy_sets (revision) {
        revision -> Text,
        manifest -> Text,
        timezone -> Text,
    }
}
diesel::table! {
    idempotency (scope) {
        scope -> Text,
        body -> Text,
        answer -> Text,
        at -> BigInt,
    }
}
diesel::allow_tables_to_appear_in_same_query!(audit_log, audit_private);
diesel::allow_tables_to_appear_in_same_query!(grants, requests);
diesel::allow_tables_to_appear_in_same_query!(deliveries, grants);
diesel::allow_tables_to_appear_in_same_query!(approvals, requests);
diesel::allow_tables_to_appear_in_same_query!(sessions, session_seen);
diesel::allow_tables_to_appear_in_same_query!(tokens, token_used);

/// A condition spelled as the partial indexes spell it. Bound as a parameter, neither database could use those indexes; as
/// diesel's `sql` literal, no statement with it would be prepared once and kept.
macro_rules! spelled {
    ($(#[$doc:meta])* $name:ident, $sql:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, diesel::query_builder::QueryId, diesel::expression::ValidGrouping)]
        pub struct $name;

        impl diesel::expression::Expression for $name {
            type SqlType = diesel::sql_types::Bool;
        }
        impl<QS> diesel::expression::AppearsOnTable<QS> for $name {}
        impl<QS> diesel::expression::SelectableExpression<QS> for $name {}
        impl<DB: diesel::backend::Backend> diesel::query_builder::QueryFragment<DB> for $name {
            fn walk_ast<'b>(&'b self, mut out: diesel::query_builder::AstPass<'_, 'b, DB>) -> diesel::QueryResult<()> {
                out.push_sql($sql);
                Ok(())
            }
        }
    };
}

spelled!(
    /// Grants that have not ended.
    ActiveGrant,
    "grants.status = 'active'"
);
spelled!(
    /// Requests that nobody has decided.
    PendingRequest,
    "requests.status = 'pending'"
);
spelled!(
    /// Deliveries that are not achieved and wait for nobody's confirmation.
    OpenDelivery,
    "deliveries.state IN ('queued', 'failing')"
);
spelled!(
    /// Open deliveries that go before all others.
    UrgentDelivery,
    "deliveries.urgent AND deliveries.state IN ('queued', 'failing')"
);
spelled!(
    /// Removals that wait for an admin's confirmation.
    HeldRemoval,
    "deliveries.state = 'held'"
);
spelled!(
    /// Deliveries with no removal before them, of the same person and entitlement, that waits for confirmation.
    NotBehindHeld,
    "NOT EXISTS (SELECT 1 FROM deliveries h WHERE h.state = 'held' AND h.person = deliveries.person \
     AND h.connector = deliveries.connector AND h.entitlement = deliveries.entitlement AND h.position < deliveries.position)"
);
spelled!(
    /// Sessions that have not ended.
    LiveSession,
    "sessions.ended_at IS NULL"
);
spelled!(
    /// Live grants that do not stand.
    NotStanding,
    "grants.standing IS NOT NULL AND grants.status = 'active'"
);
