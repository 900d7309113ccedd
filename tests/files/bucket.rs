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
use tokio::sync::watch;
use tokio::task::JoinSet;

const ACCESS_KEY: &str = "yanshu";
const SECRET_KEY: &str = "a secret of the bucket";

/// Its name.
const BUCKET: &str = "files";

/// What all keys begin with.
pub const PREFIX: &str = "of/yanshu";

/// Whether it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    /// Who comes is let in later.
    Held,
    Closed,
}

/// The bucket. It is gone when this is dropped.
pub struct Bucket {
    folder: TempDir,
    port: u16,
    /// Its connections.
    connections: Arc<Mutex<JoinSet<()>>>,
    /// What becomes of them.
    door: watch::Sender<Door>,
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
            connections: Arc::default(),
            door: watch::Sender::new(Door::Open),
        };
        let (connections, service) = (Arc::clone(&bucket.connections), service.build());
        let door = bucket.door.subscribe();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if *door.borrow() == Door::Closed {
                    continue;
                }
                let (service, mut door) = (service.clone(), door.clone());
                let serving = async move {
                    // It fails where the bucket is gone.
                    let _ = door.wait_for(|door| *door == Door::Open).await;
                    let builder = Builder::new(TokioExecutor::new());
                    // It fails where the server goes away.
                    let _ = builder
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                };
                connections.lock().expect("no panic").spawn(serving);
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

    /// What tells a server to keep its files in it.
    pub fn flag(&self) -> String {
        format!("--file-store=s3://{BUCKET}/{PREFIX}")
    }

    /// Sends everybody away and lets nobody in any more.
    pub fn close(&self) {
        self.turn(Door::Closed);
    }

    /// Sends everybody away, and has whoever comes wait until it is open.
    pub fn hold(&self) {
        self.turn(Door::Held);
    }

    /// Lets them in again.
    pub fn open(&self) {
        self.turn(Door::Open);
    }

    fn turn(&self, door: Door) {
        self.door.send_replace(door);
        if door != Door::Open {
            self.connections.lock().expect("no panic").abort_all();
        }
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

    /// Puts one there.
    pub fn put(&self, key: &str, bytes: &[u8]) {
        let path = self.folder.path().join(BUCKET).join(key);
        let folder = path.parent().expect("it is in a folder");
        std::fs::create_dir_all(folder).expect("folders can be made");
        std::fs::write(path, bytes).expect("it can be written");
    }

    /// Takes one away.
    pub fn remove(&self, key: &str) {
        let path = self.folder.path().join(BUCKET).join(key);
        std::fs::remove_file(path).expect("it is in the bucket");
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
