//! What whoever runs the server does to a running one, through its provisioning API.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::tokens::user_id;
use super::{ImportSettings, Secret};
use crate::protocol::UserId;

/// Where the server of this machine is.
#[derive(Debug, Clone, Args)]
pub struct ServerSettings {
    /// Where the server listens, for when no URL is given
    #[arg(
        long,
        env = "YANSHU_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "IP:PORT"
    )]
    pub listen: SocketAddr,
    /// The certificate that the server has: without a URL, ask over TLS; with one, trust it beside the authorities of the system
    #[arg(long, env = "YANSHU_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
}

/// Whom to ask whether they can serve.
#[derive(Debug, Clone, Args)]
pub struct HealthSettings {
    /// The server's address, http:// or https:// [default: the one it would listen on]
    #[arg(long, env = "YANSHU_HEALTH_URL", value_name = "URL")]
    pub url: Option<String>,
    /// Where it is otherwise.
    #[command(flatten)]
    pub server: ServerSettings,
}

/// Which server, and the right to change it.
#[derive(Debug, Clone, Args)]
pub struct AdminSettings {
    /// The server's address, http:// or https:// [default: the one it would listen on]
    #[arg(long, env = "YANSHU_API_URL", value_name = "URL")]
    pub url: Option<String>,
    /// The server's --admin-token; best given by the variable
    #[arg(
        long,
        env = "YANSHU_ADMIN_TOKEN",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub admin_token: Secret,
    /// Where it is otherwise.
    #[command(flatten)]
    pub server: ServerSettings,
}

/// A user, and the server.
#[derive(Debug, Clone, Args)]
pub struct OfUser {
    /// The user
    #[arg(value_parser = user_id)]
    pub user: UserId,
    /// Which server.
    #[command(flatten)]
    pub admin: AdminSettings,
}

/// A user and another one, and the server.
#[derive(Debug, Clone, Args)]
pub struct OfPair {
    /// The user
    #[arg(value_parser = user_id)]
    pub user: UserId,
    /// The other one
    #[arg(value_parser = user_id)]
    pub other: UserId,
    /// Which server.
    #[command(flatten)]
    pub admin: AdminSettings,
}

/// A user and their name.
#[derive(Debug, Clone, Args)]
pub struct PutUser {
    /// What to call them; without it they have no name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Who.
    #[command(flatten)]
    pub of: OfUser,
}

/// A contact and their alias.
#[derive(Debug, Clone, Args)]
pub struct PutContact {
    /// The user's own name for them; without it there is none
    #[arg(long, value_name = "NAME")]
    pub alias: Option<String>,
    /// Who and whom.
    #[command(flatten)]
    pub of: OfPair,
}

/// Which sessions.
#[derive(Debug, Clone, Args)]
pub struct CloseSessions {
    /// Which session, as `sessions list` shows it; without it, all of them
    #[arg(long, value_name = "ID")]
    pub session: Option<u64>,
    /// Whose.
    #[command(flatten)]
    pub of: OfUser,
}

/// A message to send for a user.
#[derive(Debug, Clone, Args)]
pub struct SendMessage {
    /// Who sends it
    #[arg(value_parser = user_id)]
    pub from: UserId,
    /// To whom
    #[arg(value_parser = user_id)]
    pub to: UserId,
    /// What it says
    pub text: String,
    /// The same key again is the same message [default: a new one]
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Which server.
    #[command(flatten)]
    pub admin: AdminSettings,
}

/// What can be done with users.
#[derive(Debug, Subcommand)]
pub enum UsersCommand {
    /// List all users, a line of JSON each
    List(AdminSettings),
    /// Show a user
    Show(OfUser),
    /// Create a user, or give one another name
    Put(PutUser),
    /// Delete a user: their contacts, blocks and name go, and their sessions end; what they wrote stays with others
    Delete(OfUser),
    /// Create or rename users from a CSV file with the columns id,name: all rows or none
    Import(ImportSettings),
}

/// What can be done with contacts.
#[derive(Debug, Subcommand)]
pub enum ContactsCommand {
    /// List the contacts of a user, a line of JSON each
    List(OfUser),
    /// Add a contact, or give one another alias
    Put(PutContact),
    /// Take a contact away
    Delete(OfPair),
    /// Add or rename contacts from a CSV file with the columns owner,contact,name: all rows or none
    Import(ImportSettings),
}

/// What can be done with blocks.
#[derive(Debug, Subcommand)]
pub enum BlocksCommand {
    /// List whom a user blocks, a line of JSON each
    List(OfUser),
    /// The user gets no message of the other one from now on
    Put(OfPair),
    /// The user gets messages of the other one again
    Delete(OfPair),
}

/// What can be done with sessions.
#[derive(Debug, Subcommand)]
pub enum SessionsCommand {
    /// List the devices of a user that are connected, a line of JSON each
    List(OfUser),
    /// Close one of them, or all
    Close(CloseSessions),
}

/// What can be done with messages.
#[derive(Debug, Subcommand)]
pub enum MessagesCommand {
    /// Send a message for a user
    Send(SendMessage),
}
