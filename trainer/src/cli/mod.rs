//! The command line, `apiward`.
//!
//! Exit codes: 0 when the command did its work, 1 when it failed, 2 when it was called wrongly, 3 when traffic differs from its
//! specification and `--fail-on-difference` asked for it.

mod bundle_file;
mod difference;
mod discover;
mod eval;
mod extraction;
mod hash_key;
mod import;
mod keygen;
mod onnx_runtime;
mod reading;
mod score;
mod service;
mod train;
mod training_meter;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::serve::ServeArgs;
use difference::{DIFFERENCE_EXIT_CODE, TrafficDiffers};

/// Learns what is normal for your APIs and judges traffic by it.
///
/// `apiward serve` runs the trainer service that Envoy's filters report to. The other commands work on recorded traffic
/// without any service (train, score, eval), or talk to a running one (import, models, endpoints, detections,
/// callers, watchlist, payload-exceptions).
#[derive(Debug, Parser)]
#[command(name = "apiward", version, propagate_version = true, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the trainer service: telemetry in, models out
    Serve(Box<ServeArgs>),
    Discover(discover::DiscoverArgs),
    Import(import::ImportArgs),
    Train(Box<train::TrainArgs>),
    Score(score::ScoreArgs),
    Eval(eval::EvalArgs),
    Models(service::models::ModelsArgs),
    Endpoints(service::endpoints::EndpointsArgs),
    Detections(service::detections::DetectionsArgs),
    Callers(service::callers::CallersArgs),
    Watchlist(service::watchlist::WatchlistArgs),
    PayloadExceptions(service::payload_exceptions::PayloadExceptionsArgs),
    Keygen(keygen::KeygenArgs),
}

/// Runs the command that the arguments of this process name.
pub fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            if error.is::<TrafficDiffers>() { ExitCode::from(DIFFERENCE_EXIT_CODE) } else { ExitCode::FAILURE }
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(args) => {
            onnx_runtime::load_from_beside_the_program()?;
            crate::serve::run(*args)
        }
        Command::Discover(args) => discover::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Score(args) => score::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Models(args) => service::models::run(&args),
        Command::Endpoints(args) => service::endpoints::run(&args),
        Command::Detections(args) => service::detections::run(&args),
        Command::Callers(args) => service::callers::run(&args),
        Command::Watchlist(args) => service::watchlist::run(&args),
        Command::PayloadExceptions(args) => service::payload_exceptions::run(&args),
        Command::Keygen(args) => keygen::run(&args),
    }
}

/// Whoever read our output has seen enough, as in `apiward score … | head`.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
