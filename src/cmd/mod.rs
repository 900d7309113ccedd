//! The commands of the binary, a file for each.

mod admin;
mod ask;
mod demo;
mod health;
mod import;
mod migrate_data;
mod serve;
mod talk;
mod token;

use crate::settings::{Cli, Command};

/// Carries out what the command line asks for.
///
/// # Errors
/// One sentence for the person who gave the command.
pub fn run(cli: Cli) -> Result<(), String> {
    match cli.command.unwrap_or(Command::Serve(Box::new(cli.serve))) {
        Command::Serve(settings) => serve::run(&settings),
        Command::Health(settings) => health::run(&settings),
        Command::Token(settings) => token::run(&settings),
        Command::Users(command) => admin::users(&command),
        Command::Contacts(command) => admin::contacts(&command),
        Command::Blocks(command) => admin::blocks(&command),
        Command::Sessions(command) => admin::sessions(&command),
        Command::Messages(command) => admin::messages(&command),
        Command::Chat(settings) => talk::chat(settings),
        Command::Send(settings) => talk::send(settings),
        Command::Tail(settings) => talk::tail(settings),
        Command::MigrateData(settings) => migrate_data::run(&settings),
    }
}
