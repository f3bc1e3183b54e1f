//! Which `policy.source` is a git repository, and how it is reached.

use std::{fmt, path::Path};

/// A repository as it is written in `policy.source`.
#[derive(Clone, PartialEq, Eq)]
pub struct Remote {
    pub(super) url: String,
    pub(super) protocol: &'static str,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Remote {
    /// Reads `policy.source`: none when it is a plain folder, as is everything that does not clearly name a repository.
    ///
    /// # Errors
    /// A sentence for a protocol that is not used.
    pub fn parse(source: &str) -> Result<Option<Self>, String> {
        let (asked, rest) = match source.strip_prefix("git+") {
            Some(rest) => (true, rest),
            None => (false, source),
        };
        if rest.starts_with('-') {
            return Err(format!("`policy.source` is `{source}`: a repository cannot begin with `-`"));
        }
        if let Some((scheme, _)) = rest.split_once("://") {
            let protocol = match scheme {
                "https" => "https",
                "ssh" => "ssh",
                "file" => "file",
                _ => return Err(format!("`policy.source` uses `{scheme}://`; a repository is read by https://, ssh:// or file://, or from a path")),
            };
            return Ok(Some(Self { url: rest.to_owned(), protocol }));
        }
        // `git@host:path`, as git itself tells it from a path: a colon before the first slash.
        let host = rest.split('/').next().unwrap_or_default();
        if host.contains('@') && host.contains(':') {
            return Ok(Some(Self { url: rest.to_owned(), protocol: "ssh" }));
        }
        if !asked && !rest.trim_end_matches('/').ends_with(".git") {
            return Ok(None);
        }
        let path = std::path::absolute(Path::new(rest)).map_err(|e| format!("`policy.source` is `{source}`: {e}"))?;
        Ok(Some(Self { url: path.display().to_string(), protocol: "file" }))
    }

    /// Whether it lies on this machine.
    pub fn is_local(&self) -> bool {
        self.protocol == "file"
    }

    /// It for people: without the password that a URL may hold.
    pub fn shown(&self) -> String {
        match self.secret() {
            Some(secret) => self.url.replacen(secret, "***", 1),
            None => self.url.clone(),
        }
    }

    /// A text of git for people.
    pub(super) fn without_secret(&self, text: &str) -> String {
        match self.secret() {
            Some(secret) => text.replace(secret, "***"),
            None => text.to_owned(),
        }
    }

    fn secret(&self) -> Option<&str> {
        let (_, rest) = self.url.split_once("://")?;
        let (user, _) = rest.split('/').next()?.rsplit_once('@')?;
        // A token alone is as good as a password, but the user of ssh is none.
        match user.split_once(':') {
            Some((_, password)) => Some(password),
            None => Some(user).filter(|_| self.protocol == "https"),
        }
        .filter(|s| !s.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::Remote;

    #[test]
    fn a_folder_stays_a_folder_and_a_repository_is_named_as_one() {
        let protocol = |source: &str| Remote::parse(source).map(|r| r.map(|r| r.protocol));
        for folder in ["policies", "./policies", "/srv/policies", "C:policies"] {
            assert_eq!(protocol(folder), Ok(None), "{folder}");
        }
        for (source, wanted) in [
            ("git+/srv/policies", "file"), ("/srv/policies.git", "file"), ("/srv/policies/.git", "file"), ("file:///srv/p", "file"),
            ("https://git.example/p", "https"), ("ssh://git@git.example/p", "ssh"), ("git@git.example:it/p", "ssh"),
        ] {
            assert_eq!(protocol(source), Ok(Some(wanted)), "{source}");
        }
        assert!(protocol("git+--upload-pack=x").is_err());
        assert_eq!(
            protocol("http://git.example/p").unwrap_err(),
            "`policy.source` uses `http://`; a repository is read by https://, ssh:// or file://, or from a path"
        );
    }

    #[test]
    fn a_password_is_never_shown() {
        for source in ["https://bot:hunter2@git.example/p", "https://hunter2@git.example/p"] {
            let remote = Remote::parse(source).unwrap().unwrap();
            assert!(!remote.shown().contains("hunter2") && !format!("{remote:?}").contains("hunter2"));
            assert!(!remote.without_secret("cannot read https://hunter2@x").contains("hunter2"));
        }
    }
}
