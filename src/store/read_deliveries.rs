//! Reading what target systems must do, and how far they are.

use diesel::prelude::*;

use super::{
    db::on,
    read::{Reader, StoreError, valid},
    row::{DELIVERIES_PER_EVENT, DeliveryRow},
    schema::{HeldRemoval, NotBehindHeld, OpenDelivery, UrgentDelivery, deliveries, grants, requests},
};
use crate::domain::{
    delivery::Delivery,
    id::{ConnectorName, DeliveryId, GrantId, PersonId, RequestId},
};

impl Reader {
    /// Deliveries caused by a request, oldest first. Bounded by the entitlements of a group.
    ///
    /// # Errors
    /// As every read.
    pub async fn deliveries_of_request(&self, id: RequestId) -> Result<Vec<Delivery>, StoreError> {
        // A request's deliveries lie in the event that decided it: no index of their own.
        let decided: Option<Option<i64>> = self
            .ask(move |db| on!(db, c => requests::table.filter(requests::id.eq(id.to_string())).select(requests::decided_seq).first(c).optional()))
            .await?;
        let Some(Some(seq)) = decided else { return Ok(Vec::new()) };
        let from = seq * DELIVERIES_PER_EVENT;
        let rows: Vec<DeliveryRow> = self
            .ask(move |db| {
                on!(db, c => deliveries::table
                    .filter(deliveries::position.ge(from))
                    .filter(deliveries::position.lt(from + 2 * DELIVERIES_PER_EVENT))
                    .filter(deliveries::request.eq(id.to_string()))
                    .order(deliveries::position)
                    .select(DeliveryRow::as_select())
                    .load(c))
            })
            .await?;
        valid(rows)
    }

    /// Deliveries caused by a grant (its start and its end), oldest first.
    ///
    /// # Errors
    /// As every read.
    pub async fn deliveries_of_grant(&self, id: GrantId) -> Result<Vec<Delivery>, StoreError> {
        let rows: Vec<DeliveryRow> = self
            .ask(move |db| {
                on!(db, c => deliveries::table
                    .filter(deliveries::grant_id.eq(id.to_string()))
                    .order(deliveries::position)
                    .select(DeliveryRow::as_select())
                    .load(c))
            })
            .await?;
        valid(rows)
    }

    /// Deliveries that the worker may try, oldest first, from after the given position: not done, and neither waiting for
    /// confirmation nor behind one that is, for the same person and entitlement.
    ///
    /// # Errors
    /// As every read.
    pub async fn open_deliveries(&self, after: i64, limit: u16) -> Result<Vec<(i64, Delivery)>, StoreError> {
        let rows: Vec<DeliveryRow> = self
            .ask(move |db| {
                on!(db, c => deliveries::table
                    .filter(OpenDelivery)
                    .filter(NotBehindHeld)
                    .filter(deliveries::position.gt(after))
                    .order(deliveries::position)
                    .limit(i64::from(limit))
                    .select(DeliveryRow::as_select())
                    .load(c))
            })
            .await?;
        let positions: Vec<i64> = rows.iter().map(|r| r.position).collect();
        Ok(positions.into_iter().zip(valid::<_, Delivery>(rows)?).collect())
    }

    /// Deliveries that go before all others, oldest first: which, and whose.
    ///
    /// # Errors
    /// As every read.
    pub async fn urgent_deliveries(&self, limit: u16) -> Result<Vec<(DeliveryId, PersonId)>, StoreError> {
        let rows: Vec<(String, String)> = self
            .ask(move |db| {
                on!(db, c => deliveries::table
                    .filter(UrgentDelivery)
                    .order(deliveries::position)
                    .limit(i64::from(limit))
                    .select((deliveries::id, deliveries::person))
                    .load(c))
            })
            .await?;
        let read = |(id, person): (String, String)| Some((id.parse().ok()?, PersonId::parse(&person).ok()?));
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// What the worker may try for some people, oldest first. A delivery is found by its grant: an index of people over
    /// deliveries would cost every grant, and this is asked for those who left.
    ///
    /// # Errors
    /// As every read.
    pub async fn open_deliveries_of(&self, people: Vec<PersonId>) -> Result<Vec<Delivery>, StoreError> {
        let people: Vec<String> = people.iter().map(ToString::to_string).collect();
        let rows: Vec<DeliveryRow> = self
            .ask(move |db| {
                on!(db, c => deliveries::table
                    .filter(deliveries::grant_id.eq_any(grants::table.filter(grants::person.eq_any(&people)).select(grants::id.nullable())))
                    .filter(OpenDelivery)
                    .filter(NotBehindHeld)
                    .order(deliveries::position)
                    .select(DeliveryRow::as_select())
                    .load(c))
            })
            .await?;
        valid(rows)
    }

    /// Removals that wait for an admin's confirmation, oldest first: of everybody or of one person.
    ///
    /// # Errors
    /// As every read.
    pub async fn held_removals(&self, person: Option<PersonId>, limit: u16) -> Result<Vec<Delivery>, StoreError> {
        let rows: Vec<DeliveryRow> = self
            .ask(move |db| {
                on!(db, c => {
                    let mut query = deliveries::table
                        .filter(HeldRemoval)
                        .order(deliveries::position)
                        .limit(i64::from(limit))
                        .select(DeliveryRow::as_select())
                        .into_boxed();
                    if let Some(person) = &person {
                        query = query.filter(deliveries::person.eq(person.as_str()));
                    }
                    query.load(c)
                })
            })
            .await?;
        valid(rows)
    }

    /// How many removals wait for an admin's confirmation, by connector.
    ///
    /// # Errors
    /// As every read.
    pub async fn removals_waiting(&self) -> Result<Vec<(ConnectorName, u64)>, StoreError> {
        let rows: Vec<(String, i64)> = self
            .ask(move |db| {
                on!(db, c => deliveries::table
                    .filter(HeldRemoval)
                    .group_by(deliveries::connector)
                    .select((deliveries::connector, diesel::dsl::count_star()))
                    .order(deliveries::connector)
                    .load(c))
            })
            .await?;
        rows.into_iter()
            .map(|(name, n)| {
                let name = ConnectorName::parse(&name).map_err(|e| StoreError(format!("`deliveries`: {e}")))?;
                Ok((name, u64::try_from(n).unwrap_or(0)))
            })
            .collect()
    }

    /// How many deliveries are queued, how many fail, and how many removals wait for confirmation.
    ///
    /// # Errors
    /// As every read.
    pub async fn delivery_backlog(&self) -> Result<(u64, u64, u64), StoreError> {
        let rows: Vec<(String, i64)> = self
            .ask(move |db| {
                on!(db, c => deliveries::table
                    .filter(OpenDelivery.or(HeldRemoval))
                    .group_by(deliveries::state)
                    .select((deliveries::state, diesel::dsl::count_star()))
                    .load(c))
            })
            .await?;
        let of = |word: &str| rows.iter().find(|(s, _)| s == word).and_then(|(_, n)| u64::try_from(*n).ok()).unwrap_or(0);
        Ok((of("queued"), of("failing"), of("held")))
    }
}
