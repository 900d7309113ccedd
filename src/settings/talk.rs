//! What a person or a script does as a user: `yanshu chat`, `send` and `tail`.

use clap::Args;

use super::admin::ServerSettings;
use super::tokens::{Secret, user_id};
use crate::protocol::UserId;

/// Who speaks, and with which server.
#[derive(Debug, Clone, Args)]
pub struct TalkSettings {
    /// Who to be
    #[arg(long = "as", value_name = "USER", value_parser = user_id)]
    pub user: UserId,
    /// A token of this user, where the server asks for one; best given by the variable
    #[arg(
        long,
        env = "YANSHU_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    pub token: Option<Secret>,
    /// The server's address, http:// or https:// [default: the one it would listen on]
    #[arg(long, env = "YANSHU_URL", value_name = "URL")]
    pub url: Option<String>,
    /// Where it is otherwise.
    #[command(flatten)]
    pub server: ServerSettings,
}

/// A conversation in the terminal.
#[derive(Debug, Clone, Args)]
pub struct ChatSettings {
    /// Whom to write to
    #[arg(long, value_name = "USER", value_parser = user_id)]
    pub to: UserId,
    /// Messages of the past to show, up to 100
    #[arg(long, default_value = "20", value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub history: u8,
    /// Who.
    #[command(flatten)]
    pub talk: TalkSettings,
}

/// Messages to send.
#[derive(Debug, Clone, Args)]
pub struct SendSettings {
    /// Whom to write to
    #[arg(long, value_name = "USER", value_parser = user_id)]
    pub to: UserId,
    /// What it says; without it, each line of standard input is a message
    pub text: Option<String>,
    /// Give up when the server has stored nothing for so long
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = super::duration)]
    pub patience: std::time::Duration,
    /// Who.
    #[command(flatten)]
    pub talk: TalkSettings,
}

/// Messages to follow.
#[derive(Debug, Clone, Args)]
pub struct TailSettings {
    /// Only those of the conversation with this user
    #[arg(long, value_name = "USER", value_parser = user_id)]
    pub with: Option<UserId>,
    /// Report what is printed as read, so that it does not come again
    #[arg(long)]
    pub read: bool,
    /// Who.
    #[command(flatten)]
    pub talk: TalkSettings,
}
