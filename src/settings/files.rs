//! Files.

use std::time::Duration;

use clap::Args;

use super::duration;
use crate::files::Location;

/// Where files are kept, when none is named.
const FOLDER: &str = "yanshu-files";

/// What messages of type 1 carry.
#[derive(Debug, Clone, Args)]
pub struct FileSettings {
    /// Where files are kept: a folder, s3://BUCKET/PREFIX (region, endpoint and keys from AWS_… variables), or off [default: yanshu-files; with --nats-url off]
    #[arg(long, env = "YANSHU_FILE_STORE", value_name = "PLACE")]
    pub file_store: Option<Location>,
    /// Largest file, in bytes
    #[arg(long, env = "YANSHU_MAX_FILE_SIZE", default_value = "104857600", value_name = "BYTES",
          value_parser = clap::value_parser!(u64).range(1..=1_099_511_627_776))]
    pub max_file_size: u64,
    /// Files that one user may have here, in bytes
    #[arg(long, env = "YANSHU_FILE_QUOTA", default_value = "1073741824", value_name = "BYTES",
          value_parser = clap::value_parser!(u64).range(1..=1_125_899_906_842_624))]
    pub file_quota: u64,
    /// Bytes of files taken in a second, all together: what they leave of a machine is for messages
    #[arg(long, env = "YANSHU_UPLOAD_RATE", default_value = "33554432", value_name = "BYTES",
          value_parser = clap::value_parser!(u64).range(1_048_576..))]
    pub upload_rate: u64,
    /// Remove a file that no message carries after so long
    #[arg(long, env = "YANSHU_FILE_GRACE", default_value = "24h", value_name = "TIME", value_parser = duration)]
    pub file_grace: Duration,
}

impl FileSettings {
    /// Where files are kept. A folder of its own would be of no use to a node among others, so these are told
    /// which one they share.
    pub fn place(&self, is_one_of_many: bool) -> Location {
        match &self.file_store {
            Some(location) => location.clone(),
            None if is_one_of_many => Location::Off,
            None => Location::Folder(FOLDER.into()),
        }
    }
}
