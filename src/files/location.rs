//! Where files are to be kept, as a setting says it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where files are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Nowhere: there are none.
    Off,
    /// In this folder.
    Folder(PathBuf),
    /// In this bucket, by keys that begin like this.
    S3 {
        /// Its name.
        bucket: String,
        /// Without a slash at its end; empty where there is none.
        prefix: String,
    },
}

/// It says nothing that is understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("files are kept in a folder, or in s3://BUCKET or s3://BUCKET/PREFIX, or not at all: off")]
pub struct LocationError;

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        if text == "off" {
            return Ok(Self::Off);
        }
        if let Some(place) = text.strip_prefix("s3://") {
            let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
            let (bucket, prefix) = (bucket.to_owned(), prefix.trim_matches('/').to_owned());
            let is_whole = !bucket.is_empty() && !prefix.contains(['?', '#']);
            return is_whole
                .then_some(Self::S3 { bucket, prefix })
                .ok_or(LocationError);
        }
        let path = text.strip_prefix("file://").unwrap_or(text);
        if path.trim().is_empty() || path.contains("://") {
            return Err(LocationError);
        }
        Ok(Self::Folder(path.into()))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_for_files_is_a_folder_or_a_bucket_or_none() {
        let s3 = |bucket: &str, prefix: &str| Location::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        };
        for (text, location) in [
            ("off", Location::Off),
            ("yanshu-files", Location::Folder("yanshu-files".into())),
            ("/data/files", Location::Folder("/data/files".into())),
            ("file:///data/files", Location::Folder("/data/files".into())),
            ("s3://b", s3("b", "")),
            ("s3://b/", s3("b", "")),
            ("s3://b/a/c/", s3("b", "a/c")),
        ] {
            assert_eq!(text.parse(), Ok(location), "{text}");
        }
        for text in [
            "",
            " ",
            "s3://",
            "s3:///a",
            "gs://b",
            "http://b",
            "s3://b/a?x=1",
        ] {
            assert_eq!(text.parse::<Location>(), Err(LocationError), "{text}");
        }
    }
}
