//! Groups and their members.

use actix_web::web::{Data, Json, Path, Query};
use serde::Deserialize;

use super::{cursor, page, parse, shapes::{GrantShape, GroupShape, List}};
use crate::{
    auth::visibility::{answered_for, may_see_members},
    domain::{id::GroupId, time::Time},
    ledger::departed,
    store::read::GrantFilter,
    web::{AppState, Known, problem::Problem},
};

/// Which groups.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct GroupQuery {
    /// Words in id, title or description.
    q: Option<String>,
}

/// Every group that can be asked for.
#[utoipa::path(get, path = "/api/v1/groups", tag = "groups", params(GroupQuery), responses((status = 200, body = List<GroupShape>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn list(caller: Known, query: Query<GroupQuery>) -> Result<Json<List<GroupShape>>, Problem> {
    let words: Vec<String> = query.q.iter().flat_map(|q| q.split_whitespace()).map(str::to_lowercase).collect();
    let groups = caller.snapshot.policy.set().groups().values();
    let found = groups.filter(|g| {
        let text = format!("{} {} {}", g.id, g.title, g.description).to_lowercase();
        words.iter().all(|w| text.contains(w))
    });
    Ok(Json(List { items: found.map(GroupShape::from).collect(), next: None }))
}

fn group_id(caller: &Known, id: &str) -> Result<GroupId, Problem> {
    let group = caller.snapshot.policy.set().group(id);
    group.map(|g| g.id.clone()).ok_or_else(|| Problem::not_found("group"))
}

/// One group with its rules.
#[utoipa::path(get, path = "/api/v1/groups/{id}", tag = "groups", params(("id" = String, Path)), responses((status = 200, body = GroupShape), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn show(caller: Known, id: Path<String>) -> Result<Json<GroupShape>, Problem> {
    let group = caller.snapshot.policy.set().group(&id).ok_or_else(|| Problem::not_found("group"))?;
    Ok(Json(GroupShape::from(group)))
}

/// When.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AtQuery {
    /// An instant (RFC 3339); now when left out.
    at: Option<String>,
    /// 1 to 200, default 50.
    limit: Option<u16>,
    /// Cursor of the page before.
    cursor: Option<String>,
}

/// Who is, or was, in a group. For its owners and auditors; of a group that left the policy, for admins as well.
#[utoipa::path(get, path = "/api/v1/groups/{id}/members", tag = "groups", params(("id" = String, Path), AtQuery), responses((status = 200, body = List<GrantShape>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn members(state: Data<AppState>, caller: Known, id: Path<String>, query: Query<AtQuery>) -> Result<Json<List<GrantShape>>, Problem> {
    let (group, may) = match group_id(&caller, &id) {
        Ok(group) => {
            let may = may_see_members(&caller, &group);
            (group, may)
        }
        // One that left the policy, with what people still hold of it.
        Err(absent) => {
            let Ok(id) = GroupId::parse(&id) else { return Err(absent) };
            match departed::group(&state.reader, &caller.snapshot, &id).await? {
                Some(group) if answered_for(&caller, &group) => (id, true),
                _ => return Err(absent),
            }
        }
    };
    if !may {
        state.refusals.note(&caller, "GET members", "not_allowed", group.as_str());
        return Err(Problem::not_allowed("the members of a group are seen by its owners and by auditors"));
    }
    let at: Time = parse("at", query.at.as_deref())?.unwrap_or_else(|| state.ledger.now());
    let filter = GrantFilter { groups: Some([group].into()), at: Some(at), ..GrantFilter::default() };
    let found = state.reader.grants(filter, page(query.limit, query.cursor.as_deref())?).await?;
    Ok(Json(List { items: found.items.iter().map(|g| GrantShape::new(&caller.snapshot, g)).collect(), next: cursor(found.next) }))
}
