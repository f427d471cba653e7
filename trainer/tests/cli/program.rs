//! Running `apiward` and looking at what it did.

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// What a finished run left.
pub struct Finished {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("apiward was ended by a signal"),
            stdout: String::from_utf8(output.stdout).expect("stdout is no UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is no UTF-8"),
        }
    }

    /// Fails the test unless the run succeeded.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless the run ended with this code and said this on stderr.
    #[track_caller]
    pub fn failed(self, code: i32, said: &str) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert!(self.stderr.contains(said), "{said:?} is not in stderr:\n{}", self.stderr);
        self
    }

    /// Its standard output as one JSON value per line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("a line is no JSON")).collect()
    }
}

/// The program, without the settings of whoever runs the tests.
pub fn apiward() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apiward"));
    for name in ["APIWARD_URL", "APIWARD_TOKEN", "APIWARD_TOKEN_FILE", "APIWARD_SCOPE", "APIWARD_HASH_KEY_FILE"] {
        command.env_remove(name);
    }
    command
}

/// Runs it with these arguments.
pub fn run<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Finished {
    Finished::of(apiward().args(arguments).stdin(Stdio::null()).output().expect("apiward cannot be run"))
}

/// Runs it with these arguments and this on standard input.
pub fn run_with_input<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>, input: &[u8]) -> Finished {
    let mut child = apiward()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("apiward cannot be run");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_vec();
    // Beside the reading of its output: neither pipe may fill up while the other is waited for.
    let writing = std::thread::spawn(move || stdin.write_all(&input));
    let finished = Finished::of(child.wait_with_output().expect("apiward cannot be waited for"));
    writing.join().expect("the writing thread ended").expect("apiward did not read its input");
    finished
}
