//! Integration tests of the library: each opens the real service's core on a database of its own, SQLite and PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses a part")]
mod support;

mod abuse;
mod abuse_authorisation;
mod abuse_tokens;
mod abuse_web;
mod adopt;
mod architecture;
mod birthright;
mod canary;
mod credentials;
mod development;
mod doctor;
mod catalog;
mod effect;
mod audit_filters;
mod bad_input;
mod explain;
mod first_policy;
mod followed;
mod git_source;
mod held_shrinking;
mod house;
mod identity;
mod jwt;
mod jwt_keys;
mod leaver;
mod leaver_everywhere;
mod lifecycle;
mod matrix;
mod model;
mod people_model;
mod policy_diff;
mod policy_people;
mod problems;
mod real_org;
mod proxy;
mod recipes;
mod remotes;
mod replay;
mod replica_reads;
mod sample;
mod sampled;
mod scim;
mod scim_leavers;
mod scim_lists;
mod scim_order;
mod scim_names;
mod scim_values;
mod signin;
mod sources;
mod signin_house;
mod signin_logout;
mod signin_refused;
mod signin_sessions;
mod signin_tabs;
mod signin_tls;
mod tamper;
mod target;
mod tokens;
mod tokens_api;
mod upgrade;
mod who_gained;
