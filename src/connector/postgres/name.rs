//! Names of roles: judged before SQL is written, quoted in one place.

/// Whether a name may appear in a statement. PostgreSQL cuts names at 63 bytes with only a notice, so that two long names
/// could meet in one role; `pg_` names are the server's own.
///
/// # Errors
/// A sentence that says which rule it breaks.
pub(super) fn check(noun: &str, name: &str) -> Result<(), String> {
    let shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
    if name.is_empty() || name.len() > 63 {
        return Err(format!("the {noun} `{shown}` is refused: a name has 1 to 63 bytes, this one has {}", name.len()));
    }
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-')) {
        return Err(format!("the {noun} `{shown}` is refused: use lower-case letters, digits, `_` and `-`"));
    }
    // `public` and `none` are no roles to PostgreSQL even when quoted: the first means everyone.
    if name.starts_with("pg_") || matches!(name, "public" | "none") {
        return Err(format!("the {noun} `{shown}` is refused: the name belongs to PostgreSQL itself"));
    }
    Ok(())
}

/// The one function that writes a name into a statement. Doubles quotes although [`check`] lets none through.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
