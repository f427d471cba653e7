use std::process::ExitCode;

fn main() -> ExitCode {
    apiward_trainer::cli::main()
}
