//! Reading tokens with when they were last used.

use diesel::prelude::*;

use super::{
    db::on,
    read::{Reader, StoreError},
    row::TokenRow,
    schema::{token_used, tokens},
};
use crate::domain::{
    id::{PersonId, TokenId},
    time::Time,
    token::Token,
};

/// A token with when something last came with it, to the minute or so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedToken {
    /// It.
    pub token: Token,
    /// None when nothing ever did.
    pub used_at: Option<Time>,
}

/// Which tokens.
#[derive(Debug, Clone, Default)]
pub struct TokenFilter {
    /// Of this person, those of services that they answer for included.
    pub person: Option<PersonId>,
    /// Of a person or a service called exactly so.
    pub of: Option<String>,
    /// Only those that open something at this instant.
    pub live_at: Option<Time>,
    /// Only those made before this one: the key of the next page.
    pub before: Option<TokenId>,
}

impl Reader {
    /// Tokens, newest first, at most `limit`. Ids are in order of time, so they are the key of pages.
    ///
    /// # Errors
    /// As every read.
    pub async fn used_tokens(&self, filter: TokenFilter, limit: u16) -> Result<Vec<UsedToken>, StoreError> {
        let rows: Vec<(TokenRow, Option<i64>)> = self
            .ask(move |db| {
                on!(db, c => {
                    let mut query = tokens::table
                        .left_join(token_used::table.on(token_used::token.eq(tokens::id)))
                        .select((TokenRow::as_select(), token_used::used_at.nullable()))
                        .order(tokens::id.desc())
                        .limit(i64::from(limit))
                        .into_boxed();
                    if let Some(person) = &filter.person {
                        query = query.filter(tokens::person.eq(person.as_str()));
                    }
                    if let Some(of) = &filter.of {
                        query = query.filter(tokens::person.eq(of).or(tokens::service.eq(of)));
                    }
                    if let Some(now) = filter.live_at {
                        query = query.filter(tokens::revoked_at.is_null()).filter(tokens::expires_at.gt(now.micros()));
                    }
                    if let Some(before) = filter.before {
                        query = query.filter(tokens::id.lt(before.to_string()));
                    }
                    query.load(c)
                })
            })
            .await?;
        rows.into_iter()
            .map(|(row, used)| {
                let token = Token::try_from(row).map_err(|e| StoreError(e.to_string()))?;
                Ok(UsedToken { token, used_at: used.map(Time::from_micros) })
            })
            .collect()
    }
}
