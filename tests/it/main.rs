//! Integration tests of the library: each opens the real service's core on a database of its own, SQLite and PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses a part")]
mod support;

mod adopt;
mod architecture;
mod birthright;
mod canary;
mod doctor;
mod catalog;
mod effect;
mod audit_filters;
mod bad_input;
mod explain;
mod first_policy;
mod followed;
mod git_source;
mod house;
mod identity;
mod jwt;
mod leaver;
mod lifecycle;
mod matrix;
mod model;
mod policy_diff;
mod policy_people;
mod problems;
mod real_org;
mod recipes;
mod remotes;
mod replay;
mod sample;
mod sampled;
mod scim;
mod scim_leavers;
mod scim_lists;
mod scim_order;
mod signin;
mod signin_house;
mod signin_refused;
mod signin_sessions;
mod tamper;
mod target;
mod tokens;
mod upgrade;
mod who_gained;
