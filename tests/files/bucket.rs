//! A bucket that speaks S3, over a folder.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const ACCESS_KEY: &str = "yanshu";
const SECRET_KEY: &str = "a secret of the bucket";

/// Its name.
pub const BUCKET: &str = "files";

/// The bucket. It is gone when this is dropped.
pub struct Bucket {
    folder: TempDir,
    port: u16,
    /// Its connections; `None`: it is closed.
    open: Arc<Mutex<Option<JoinSet<()>>>>,
}

impl Bucket {
    /// An empty one.
    pub async fn start() -> Bucket {
        let folder = tempfile::tempdir().expect("a temporary directory can be made");
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a folder can be made");
        let files = FileSystem::new(folder.path()).expect("the folder can be served");
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let bucket = Bucket {
            folder,
            port: listener.local_addr().expect("an address").port(),
            open: Arc::new(Mutex::new(Some(JoinSet::new()))),
        };
        let (open, service) = (Arc::clone(&bucket.open), service.build());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                let serving = async move {
                    let builder = Builder::new(TokioExecutor::new());
                    // It fails where the server goes away.
                    let _ = builder
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                };
                if let Some(connections) = open.lock().expect("no panic").as_mut() {
                    connections.spawn(serving);
                }
            }
        });
        bucket
    }

    /// What tells a server where it is, and that it may come in.
    pub fn environment(&self) -> Vec<(String, String)> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ]
        .map(owned)
        .into()
    }

    /// Sends everybody away and lets nobody in any more.
    pub fn close(&self) {
        self.open.lock().expect("no panic").take();
    }

    /// Lets them in again.
    pub fn open(&self) {
        *self.open.lock().expect("no panic") = Some(JoinSet::new());
    }

    /// The keys of all that is in it, in order.
    pub fn keys(&self) -> Vec<String> {
        let root = self.folder.path().join(BUCKET);
        let mut keys = Vec::new();
        list(&root, &root, &mut keys);
        keys.sort();
        keys
    }

    /// The bytes of one.
    pub fn bytes(&self, key: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(BUCKET).join(key)).expect("it is in the bucket")
    }

    /// What is left of uploads that did not come to their end.
    pub fn parts(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the folder is there");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths
            .filter(|path| path.to_string_lossy().contains(".part-"))
            .collect()
    }
}

fn list(root: &Path, folder: &Path, keys: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            list(root, &path, keys);
            continue;
        }
        let key = path.strip_prefix(root).expect("it is below");
        let key = key.to_string_lossy().into_owned();
        // What the service keeps about an object beside it.
        if !key
            .rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with('.'))
        {
            keys.push(key);
        }
    }
}
