//! Where the database is: `sqlite://path`.

use std::str::FromStr;

/// A database URL that this build can open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of the embedded database, relative to the working directory or absolute.
    Sqlite(String),
}

/// Why a text is no database URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The scheme is none that this build knows.
    #[error("the database URL must begin with sqlite:// (such as sqlite://yanshu.db)")]
    Scheme,
    /// Nothing follows the scheme.
    #[error("the database URL names no file (such as sqlite://yanshu.db)")]
    NoPath,
}

impl FromStr for DatabaseUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let path = text.strip_prefix("sqlite://").ok_or(UrlError::Scheme)?;
        // A private in-memory database would be another one for every connection of the pool.
        if path.is_empty() || path.contains(":memory:") {
            return Err(UrlError::NoPath);
        }
        Ok(Self::Sqlite(path.to_owned()))
    }
}
