//! Every setting: a flag, an environment variable and a line in `--help`.

mod admin;
mod files;
mod limits;
mod talk;
mod tls;
mod tokens;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub use admin::{
    AdminSettings, BlocksCommand, CloseSessions, ContactsCommand, HealthSettings, MessagesCommand,
    OfPair, OfUser, PutContact, PutUser, SendMessage, ServerSettings, SessionsCommand,
    UsersCommand,
};
pub use files::FileSettings;
pub use limits::{LimitSettings, Switch};
pub use talk::{ChatSettings, SendSettings, TailSettings, TalkSettings};
pub use tls::TlsSettings;
pub use tokens::{MintSettings, Secret, TokenSettings};

use crate::store::{DatabaseUrl, RETAIN_MIN};
use tokens::origin;

/// Yanshu (雁书): an instant-messaging server. Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "yanshu", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; without it, serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings of serving, where no command is given.
    #[command(flatten)]
    pub serve: ServeSettings,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve WebSocket clients (the default)
    Serve(Box<ServeSettings>),
    /// Ask a running server whether it can serve: exit code 0 or 1
    Health(HealthSettings),
    /// Converse with somebody in the terminal
    Chat(ChatSettings),
    /// Send messages, and print a line of JSON for each that is stored
    Send(SendSettings),
    /// Print what a user gets as it comes, a line of JSON each
    Tail(TailSettings),
    /// Make a token for development, and print it
    Token(MintSettings),
    /// Users
    #[command(subcommand)]
    Users(UsersCommand),
    /// Contacts
    #[command(subcommand)]
    Contacts(ContactsCommand),
    /// Whose messages a user does not get
    #[command(subcommand)]
    Blocks(BlocksCommand),
    /// Devices that are connected
    #[command(subcommand)]
    Sessions(SessionsCommand),
    /// Messages that are sent for a user
    #[command(subcommand)]
    Messages(MessagesCommand),
    /// Copy all data of a SQLite database into an empty PostgreSQL one, and compare the two
    ///
    /// No server may run on either. The SQLite database stays as it is. Until everything has
    /// arrived and is found to be the same, no server starts on the PostgreSQL one. It can be killed
    /// at any moment: the same command again goes on where it stopped.
    MigrateData(MigrateDataSettings),
}

/// Where the database is.
#[derive(Debug, Clone, Args)]
pub struct StoreSettings {
    /// The database: sqlite://PATH, or postgres://USER:PASSWORD@HOST/NAME to share it among nodes
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "sqlite://yanshu.db",
        value_name = "URL",
        hide_env_values = true
    )]
    pub database_url: DatabaseUrl,
    /// How long to wait for a locked database before a request fails
    #[arg(long, env = "YANSHU_STORE_TIMEOUT", default_value = "5s", value_name = "TIME", value_parser = duration)]
    pub store_timeout: Duration,
}

/// How to serve.
#[derive(Debug, Clone, Args)]
pub struct ServeSettings {
    /// Address to listen on
    #[arg(
        long,
        env = "YANSHU_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "IP:PORT"
    )]
    pub listen: SocketAddr,
    /// TLS.
    #[command(flatten)]
    pub tls: TlsSettings,
    /// Where the database is.
    #[command(flatten)]
    pub store: StoreSettings,
    /// Listen beyond loopback although any client may speak for any user
    #[arg(long, env = "YANSHU_ALLOW_OPEN")]
    pub allow_open: bool,
    /// A further Host name to answer to, beside loopback names (may be repeated)
    #[arg(
        long,
        env = "YANSHU_ALLOWED_HOST",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub allowed_host: Vec<String>,
    /// Who is believed.
    #[command(flatten)]
    pub tokens: TokenSettings,
    /// Turn on the provisioning API under /api/v1, for whoever shows this token; best given by the variable
    #[arg(
        long,
        env = "YANSHU_ADMIN_TOKEN",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub admin_token: Option<Secret>,
    /// A page that may speak for its visitor, by scheme, host and port, beside those of the server's own host (may be repeated)
    #[arg(
        long,
        env = "YANSHU_ALLOWED_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ',',
        value_parser = origin
    )]
    pub allowed_origin: Vec<String>,
    /// Fill an empty database with HK0001, 张三 (HK0002), 李四 (HK0003) and a conversation
    #[arg(long, env = "YANSHU_DEMO")]
    pub demo: bool,
    /// Largest WebSocket frame, in bytes
    #[arg(long, env = "YANSHU_MAX_FRAME_SIZE", default_value = "65536", value_name = "BYTES",
          value_parser = clap::value_parser!(u32).range(1024..=16_777_216))]
    pub max_frame_size: u32,
    /// Connections of one user; one more closes the oldest
    #[arg(
        long,
        env = "YANSHU_MAX_DEVICES",
        default_value = "8",
        value_name = "N"
    )]
    pub max_devices: NonZeroUsize,
    /// How long a client may take to send its connect frame
    #[arg(long, env = "YANSHU_CONNECT_TIMEOUT", default_value = "10s", value_name = "TIME", value_parser = duration)]
    pub connect_timeout: Duration,
    /// Time between two pings
    #[arg(long, env = "YANSHU_PING_INTERVAL", default_value = "25s", value_name = "TIME", value_parser = duration)]
    pub ping_interval: Duration,
    /// Close a connection from which no byte came for so long
    #[arg(long, env = "YANSHU_IDLE_TIMEOUT", default_value = "75s", value_name = "TIME", value_parser = duration)]
    pub idle_timeout: Duration,
    /// Cut a connection that takes none of the bytes sent to it for so long
    #[arg(long, env = "YANSHU_STALL_TIMEOUT", default_value = "30s", value_name = "TIME", value_parser = duration)]
    pub stall_timeout: Duration,
    /// When stopping, how long to serve on with a red health check, so that load balancers look elsewhere first
    #[arg(long, env = "YANSHU_DRAIN_GRACE", default_value = "0s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub drain_grace: Duration,
    /// Remove messages that were read so long ago, at least 31d, and IDs that lapsed [default: keep all]
    #[arg(long, env = "YANSHU_RETAIN", value_name = "TIME", value_parser = retention)]
    pub retain: Option<Duration>,
    /// Threads for sockets, up to 512 [default: one for each core]
    #[arg(long, env = "YANSHU_WORKERS", value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=512))]
    pub workers: Option<u16>,
    /// Connections that write to PostgreSQL; SQLite has one [default: 4]
    #[arg(long, env = "YANSHU_STORE_WRITERS", value_name = "N")]
    pub store_writers: Option<NonZeroUsize>,
    /// Connections that read the database beside those that write [default: 2, of PostgreSQL 4]
    #[arg(long, env = "YANSHU_STORE_READERS", value_name = "N")]
    pub store_readers: Option<NonZeroUsize>,
    /// How much one may do.
    #[command(flatten)]
    pub limits: LimitSettings,
    /// Files.
    #[command(flatten)]
    pub files: FileSettings,
    /// Other nodes.
    #[command(flatten)]
    pub bus: BusSettings,
}

impl ServeSettings {
    /// How many connections write.
    pub fn writers(&self) -> usize {
        match &self.store.database_url {
            DatabaseUrl::Sqlite(_) => 1,
            DatabaseUrl::Postgres(_) => self.store_writers.map_or(4, NonZeroUsize::get),
        }
    }

    /// How many connections read.
    pub fn readers(&self) -> usize {
        let default = if self.store.database_url.is_shared() {
            4
        } else {
            2
        };
        self.store_readers.map_or(default, NonZeroUsize::get)
    }
}

/// How nodes that share a database reach each other.
#[derive(Debug, Clone, Args)]
pub struct BusSettings {
    /// Join the other nodes: nats://HOST:PORT or tls://HOST:PORT, with USER:PASSWORD@ where needed; several, separated by commas, are one NATS cluster
    #[arg(long, env = "NATS_URL", value_name = "URL", hide_env_values = true)]
    pub nats_url: Option<String>,
    /// Credentials for NATS: a .creds file
    #[arg(long, env = "YANSHU_NATS_CREDS", value_name = "FILE")]
    pub nats_creds: Option<PathBuf>,
    /// Certificates of authorities to trust for NATS, in PEM
    #[arg(long, env = "YANSHU_NATS_CA", value_name = "FILE")]
    pub nats_ca: Option<PathBuf>,
    /// Certificate to show to NATS, in PEM
    #[arg(
        long,
        env = "YANSHU_NATS_CERT",
        value_name = "FILE",
        requires = "nats_key"
    )]
    pub nats_cert: Option<PathBuf>,
    /// Key of that certificate, in PEM
    #[arg(
        long,
        env = "YANSHU_NATS_KEY",
        value_name = "FILE",
        requires = "nats_cert"
    )]
    pub nats_key: Option<PathBuf>,
    /// Letters from other nodes that wait for one user; more are left to the store
    #[arg(
        long,
        env = "YANSHU_BUS_BUFFER",
        default_value = "256",
        value_name = "N"
    )]
    pub bus_buffer: NonZeroUsize,
}

/// What to import, and where.
#[derive(Debug, Clone, Args)]
pub struct ImportSettings {
    /// The CSV file, in UTF-8; a first line with the names of the columns may be there
    pub file: PathBuf,
    /// Where the database is.
    #[command(flatten)]
    pub store: StoreSettings,
}

/// From where to where data goes.
#[derive(Debug, Clone, Args)]
pub struct MigrateDataSettings {
    /// The database to copy: sqlite://PATH
    #[arg(
        long,
        env = "YANSHU_MIGRATE_FROM",
        value_name = "URL",
        value_parser = sqlite_url
    )]
    pub from: DatabaseUrl,
    /// The empty database to fill: postgres://USER:PASSWORD@HOST/NAME
    #[arg(
        long,
        env = "DATABASE_URL",
        value_name = "URL",
        hide_env_values = true,
        value_parser = postgres_url
    )]
    pub to: DatabaseUrl,
}

fn sqlite_url(text: &str) -> Result<DatabaseUrl, String> {
    match text.parse() {
        Ok(url @ DatabaseUrl::Sqlite(_)) => Ok(url),
        Ok(DatabaseUrl::Postgres(_)) => Err("data comes from SQLite: sqlite://PATH".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn postgres_url(text: &str) -> Result<DatabaseUrl, String> {
    match text.parse() {
        Ok(url @ DatabaseUrl::Postgres(_)) => Ok(url),
        Ok(DatabaseUrl::Sqlite(_)) => {
            Err("data goes to PostgreSQL: postgres://USER@HOST/NAME".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

fn retention(text: &str) -> Result<Duration, String> {
    let retain = duration(text)?;
    if retain < RETAIN_MIN {
        return Err(
            "messages are kept for 31d at least: an ID can be spent for thirty days, and its message must outlive that"
                .to_owned(),
        );
    }
    Ok(retain)
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() {
        return Err("a time must be longer than 0s".to_owned());
    }
    Ok(duration)
}
