//! Where the database is: `sqlite://path` or `postgres://…`.

use std::fmt;
use std::str::FromStr;

/// A database URL that this build can open. Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of the embedded database, relative to the working directory or absolute.
    Sqlite(String),
    /// PostgreSQL, by a connection URI as libpq takes it.
    Postgres(String),
}

/// Why a text is no database URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The scheme is none that this build knows.
    #[error(
        "the database URL must begin with sqlite:// (such as sqlite://yanshu.db) or postgres:// (such as postgres://user@host/yanshu)"
    )]
    Scheme,
    /// Nothing follows the scheme.
    #[error("the database URL names no file (such as sqlite://yanshu.db)")]
    NoPath,
    /// Nothing follows the scheme.
    #[error("the database URL names no server (such as postgres://user@host/yanshu)")]
    NoServer,
    /// libpq would not understand it, and would say so in words that hold a part of it.
    #[error(
        "the database URL is to be postgres://USER:PASSWORD@HOST:PORT/NAME, with @ / ? % in a user or password written as %40 %2F %3F %25"
    )]
    Form,
}

impl FromStr for DatabaseUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if let Some(rest) = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme))
        {
            if rest.is_empty() {
                return Err(UrlError::NoServer);
            }
            return if is_understood(rest) {
                Ok(Self::Postgres(text.to_owned()))
            } else {
                Err(UrlError::Form)
            };
        }
        let path = text.strip_prefix("sqlite://").ok_or(UrlError::Scheme)?;
        // A private in-memory database would be another one for every connection of the pool.
        if path.is_empty() || path.contains(":memory:") {
            return Err(UrlError::NoPath);
        }
        Ok(Self::Sqlite(path.to_owned()))
    }
}

impl DatabaseUrl {
    /// Whether several nodes can share the database.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{path}"),
            Self::Postgres(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether libpq understands what follows the scheme, and as it was meant: an `@` or a `/` in a
/// password makes a part of it a host, a port or a name, which are shown.
fn is_understood(rest: &str) -> bool {
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, name) = place.split_once('/').unwrap_or((place, ""));
    let (_, hosts) = authority.split_once('@').unwrap_or(("", authority));
    let mut parameters = parameters.split('&').filter(|text| !text.is_empty());
    !hosts.contains('@')
        && !name.contains('@')
        && hosts.split(',').all(has_a_port_or_none)
        && parameters.all(|parameter| parameter.contains('='))
        && rest.split('%').skip(1).all(is_a_byte)
}

fn has_a_port_or_none(host: &str) -> bool {
    // An IPv6 address stands in brackets.
    let after = host.rsplit(']').next().unwrap_or_default();
    let port = after.split_once(':').map_or("", |(_, port)| port);
    port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether two hexadecimal digits follow a percent sign, and are not those of NUL.
fn is_a_byte(after: &str) -> bool {
    let digits = after.as_bytes().get(..2);
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit) && digits != b"00")
}

/// A URL with neither what stands before its hosts nor its parameters, both of which can hold a
/// password.
fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let rest = rest.split('?').next().unwrap_or_default();
    let hosts = rest.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{hosts}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for url in [
            "postgres://goose:s3cret@db/yanshu",
            "postgres://goose:s3c%40ret@db/yanshu?password=s3cret",
            "postgres://db/yanshu?user=goose&password=s3cret",
        ] {
            let parsed: DatabaseUrl = url.parse().unwrap();
            assert_eq!(parsed.to_string(), "postgres://db/yanshu");
            assert_eq!(format!("{parsed:?}"), "postgres://db/yanshu");
        }
    }

    #[test]
    fn what_libpq_would_take_for_something_else_is_refused() {
        for url in [
            "postgres://goose:s3c@ret@db/yanshu",
            "postgres://goose:s3c/ret@db/yanshu",
            "postgres://goose:1/ret@db/yanshu",
            "postgres://goose:s3c?ret@db/yanshu",
            "postgres://goose:s3c%ret@db/yanshu",
            "postgres://goose:s3c%00@db/yanshu",
            "postgres://db:s3cret/yanshu",
            "postgres://db/yanshu?password=s3c&ret",
        ] {
            assert_eq!(url.parse::<DatabaseUrl>(), Err(UrlError::Form), "{url}");
        }
        for url in [
            "postgres:///yanshu",
            "postgres://goose@/yanshu?host=/run/postgresql",
            "postgres://%2Frun%2Fpostgresql/yanshu",
            "postgresql://goose:s3:c#r=t@one:5432,[::1]:5433,two/yanshu?sslmode=require&user=a@b",
        ] {
            assert!(url.parse::<DatabaseUrl>().is_ok(), "{url}");
        }
    }

    #[test]
    fn anything_but_the_two_databases_is_refused() {
        for url in ["mysql://x", "yanshu.db", "", "SQLITE://x"] {
            assert_eq!(url.parse::<DatabaseUrl>(), Err(UrlError::Scheme));
        }
        assert_eq!("sqlite://".parse::<DatabaseUrl>(), Err(UrlError::NoPath));
        assert_eq!(
            "postgres://".parse::<DatabaseUrl>(),
            Err(UrlError::NoServer)
        );
    }
}
