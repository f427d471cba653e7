//! The program itself, with a private cluster.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

pub struct Program {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStderr>>,
    messages: Vec<String>,
    base: String,
    /// An operator's, from the file that the program made.
    token: String,
}

impl Program {
    /// `apiward serve`, once it listens.
    pub fn start(data_dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_apiward"))
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--data-dir"])
            .arg(data_dir)
            .env_remove("DATABASE_URL")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut program = Self { child, lines, messages: Vec::new(), base: String::new(), token: String::new() };
        let listens = program.wait_for("the trainer listens");
        program.base = format!("http://{}", listens["address"].as_str().unwrap());
        let tokens = std::fs::read_to_string(data_dir.join("tokens")).unwrap();
        program.token = tokens.lines().find_map(|line| line.strip_prefix("operator:*:")).unwrap().to_owned();
        program
    }

    /// Reads its log up to a message.
    pub fn wait_for(&mut self, message: &str) -> Value {
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            let json: Value = serde_json::from_str(&line).unwrap_or_default();
            let said = json["message"].as_str().unwrap_or(&line).to_owned();
            let found = said == message;
            self.messages.push(said);
            if found {
                return json;
            }
        }
        panic!("never said {message:?}: {:#?}", self.messages);
    }

    /// Whether its log had that message so far.
    pub fn said(&self, message: &str) -> bool {
        self.messages.iter().any(|said| said == message)
    }

    pub fn get(&self, path: &str) -> String {
        let request =
            ureq::get(format!("{}{path}", self.base)).header("authorization", format!("Bearer {}", self.token));
        request.call().unwrap().body_mut().read_to_string().unwrap()
    }

    pub fn post(&self, path: &str, body: &str) -> String {
        let request =
            ureq::post(format!("{}{path}", self.base)).header("authorization", format!("Bearer {}", self.token));
        request.send(body).unwrap().body_mut().read_to_string().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for its end; `None` when a signal ended it.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Not killed, so that the private cluster is stopped too.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::SIGTERM);
            let _ = self.child.wait();
        }
    }
}
