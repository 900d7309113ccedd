//! The `yanshu` binary: settings in, exit code out.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    env_logger::init_from_env(env_logger::Env::default().default_filter_or("info"));
    match yanshu::cmd::run(yanshu::settings::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("yanshu: {error}");
            ExitCode::FAILURE
        }
    }
}
