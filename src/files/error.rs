//! What can go wrong with the bytes of files.

use std::error::Error;
use std::io;

/// Why bytes could not be kept, or be had.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// There are none.
    #[error("there is no such file in the file store")]
    Missing,
    /// There is no room for more.
    #[error("no room: {0}")]
    Full(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl FilesError {
    /// Something that has no name of its own.
    pub fn other(why: impl ToString) -> Self {
        Self::Other(why.to_string())
    }
}

impl From<io::Error> for FilesError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            _ if is_full(&error) => Self::Full(error.to_string()),
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::other(error),
        }
    }
}

impl From<object_store::Error> for FilesError {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return Self::Missing;
        }
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(why) = cause {
            if why.downcast_ref().is_some_and(is_full) {
                return Self::Full(why.to_string());
            }
            cause = why.source();
        }
        Self::other(error)
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), FileTooLarge | QuotaExceeded | StorageFull)
}
