//! What a browser does, as far as signing in needs it: cookies, forms, no redirect followed by itself.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{collections::BTreeMap, net::SocketAddr};

use super::http::{Answer, once};

/// A browser with its cookies.
#[derive(Clone)]
pub struct Browser {
    address: SocketAddr,
    /// Name and value of each.
    pub cookies: BTreeMap<String, String>,
}

/// The value of a header.
pub fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.head.lines().find_map(|l| l.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim()))
}

/// Every `Set-Cookie` of an answer.
pub fn set_cookies(answer: &Answer) -> Vec<&str> {
    answer.head.lines().filter_map(|l| l.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case("set-cookie")).map(|(_, v)| v.trim())).collect()
}

impl Browser {
    /// One without cookies.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, cookies: BTreeMap::new() }
    }

    async fn send(&mut self, head: String, body: &str) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let cookies = if cookies.is_empty() { String::new() } else { format!("Cookie: {}\r\n", cookies.join("; ")) };
        let request = format!("{head}Host: {}\r\nUser-Agent: Firefox/143.0 Linux\r\n{cookies}\r\n{body}", self.address);
        let answer = once(self.address, request.as_bytes()).await.unwrap();
        for cookie in set_cookies(&answer) {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Gets a path.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\n"), "").await
    }

    /// Sends a form from a page of the site.
    pub async fn post(&mut self, path: &str, body: &str) -> Answer {
        let origin = format!("Origin: http://{}\r\n", self.address);
        self.post_with(path, body, &origin, "application/x-www-form-urlencoded").await
    }

    /// Sends a body with header lines and a content type of one's own.
    pub async fn post_with(&mut self, path: &str, body: &str, lines: &str, kind: &str) -> Answer {
        self.send_as("POST", path, body, lines, kind).await
    }

    /// The same by another method.
    pub async fn send_as(&mut self, method: &str, path: &str, body: &str, lines: &str, kind: &str) -> Answer {
        self.send(format!("{method} {path} HTTP/1.1\r\n{lines}Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()), body).await
    }

    /// The token that forms of a page carry.
    pub async fn csrf(&mut self, path: &str) -> String {
        let answer = self.get(path).await;
        let page = String::from_utf8_lossy(&answer.body).into_owned();
        let after = page.split("name=\"csrf\" value=\"").nth(1).unwrap_or_else(|| panic!("no form on {path}: {}", answer.shown()));
        after.split('"').next().unwrap().to_owned()
    }
}
