//! Where files stay: a folder, or a bucket, each as `object_store` has it.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};

use super::FilesError;

/// A bucket that does not answer is asked so often again, and for so long: somebody waits.
const RETRIES: usize = 4;
const RETRIES_FOR: Duration = Duration::from_secs(20);
/// A folder, which is made if it is not there.
pub fn folder(folder: &std::path::Path) -> Result<LocalFileSystem, FilesError> {
    std::fs::create_dir_all(folder)?;
    Ok(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true))
}

/// A bucket. Region, endpoint and credentials are taken from where everything that speaks S3 takes them.
pub fn bucket(bucket: &str, prefix: &str) -> Result<Arc<dyn ObjectStore>, FilesError> {
    // An error means that somebody has chosen one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let store = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        // Whoever fetches a file decides how long that takes; what stands still does not.
        .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), "1 day")
        .with_config(
            AmazonS3ConfigKey::Client(ClientConfigKey::ReadTimeout),
            "30 seconds",
        )
        .with_retry(RetryConfig {
            max_retries: RETRIES,
            retry_timeout: RETRIES_FOR,
            ..RetryConfig::default()
        })
        .build()?;
    if prefix.is_empty() {
        return Ok(Arc::new(store));
    }
    Ok(Arc::new(PrefixStore::new(store, Path::from(prefix))))
}
