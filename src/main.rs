//! The `yanshu` binary: settings in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use yanshu::settings::Cli;

/// The exit code for a command line or a variable that is wrong, as clap has it.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    env_logger::init_from_env(env_logger::Env::default().default_filter_or("info"));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    match yanshu::cmd::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("yanshu: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Help and version are printed as asked; a wrong setting is one sentence.
fn refuse(error: &clap::Error) -> ExitCode {
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
    let text = error.render().to_string();
    let sentence = text.split("\n\n").next().unwrap_or_default();
    let sentence = sentence.strip_prefix("error: ").unwrap_or(sentence);
    let sentence: Vec<&str> = sentence.split_whitespace().collect();
    eprintln!("yanshu: {} (see yanshu --help)", sentence.join(" "));
    USAGE.into()
}
