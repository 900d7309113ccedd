//! The `yanshu` binary: settings in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use yanshu::settings::Cli;

/// The exit code for a command line or a variable that is wrong, as clap has it.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    // async-nats logs each of its events as news; the bus says itself what matters of them.
    let filter = env_logger::Env::default().default_filter_or("info,async_nats=warn");
    env_logger::init_from_env(filter);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(error),
    };
    match yanshu::cmd::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // libpq says some things in several lines.
            eprintln!("yanshu: {}", one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// Help and version are printed as asked; a wrong setting is one sentence.
fn refuse(mut error: clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            return USAGE.into();
        }
        _ => {}
    }
    withhold_secrets(&mut error);
    let text = error.render().to_string();
    let sentence = text.split("\n\n").next().unwrap_or_default();
    let sentence = sentence.strip_prefix("error: ").unwrap_or(sentence);
    eprintln!("yanshu: {} (see yanshu --help)", one_line(sentence));
    USAGE.into()
}

/// Takes what may hold a password out of an error that would show it: the URL of a database, and
/// whatever looks like one in another place.
fn withhold_secrets(error: &mut clap::Error) {
    let text = |error: &clap::Error, kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let of_database = text(error, ContextKind::InvalidArg).starts_with("--database-url");
    for kind in [
        ContextKind::InvalidArg,
        ContextKind::InvalidSubcommand,
        ContextKind::InvalidValue,
    ] {
        let shown = text(error, kind);
        let is_value = kind == ContextKind::InvalidValue;
        if (is_value && of_database) || shown.contains('@') || shown.contains("password=") {
            error.insert(kind, ContextValue::String("…".to_owned()));
        }
    }
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}
