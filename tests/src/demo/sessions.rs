//! Attackers whom only their sessions show. They take minutes and hours, so that the story is told under a simulated clock: the
//! shop's traffic is recorded, and `apiward train` and `apiward eval` do what trainer and filters do.

use std::io::BufWriter;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::process::Command;

use super::stage::Stage;
use crate::harness::apiward;
use crate::shop::Release;
use crate::traffic::{self, AttackKind, AttackPlan, AttackShare, Exchange, Scenario};

/// Ordinary exchanges of a simulated week: to learn from, and to judge.
const LEARNED_EXCHANGES: u64 = 15_000;
const FRESH_EXCHANGES: u64 = 15_000;
/// Accounts of the attackers of one kind, each behind a network of its own and with nothing on its record.
const ATTACKERS: usize = 2;
/// What they send together at most, looking around included.
const ATTACK_EXCHANGES: u64 = 260;

/// What came of it.
#[derive(Debug, Clone)]
pub struct SessionFigures {
    pub normal_sessions: u64,
    /// Of those, with an alarm.
    pub alarmed: u64,
    pub attacks: Vec<SessionAttackFigures>,
}

/// What came of the attackers of one kind.
#[derive(Debug, Clone)]
pub struct SessionAttackFigures {
    pub kind: AttackKind,
    /// Sessions with an attack, and those of them that were found.
    pub sessions: u64,
    pub found: u64,
    /// Most attacks that were sent until the first was flagged, that one included.
    pub requests_max: u64,
}

impl SessionAttackFigures {
    /// All of them but one, which the end of the traffic may have cut short; and where each address sends one or two requests, half.
    pub fn is_found(&self) -> bool {
        match self.kind {
            AttackKind::StuffingDistributed => 2 * self.found >= self.sessions && self.found > 0,
            _ => self.found > 0 && self.found + 1 >= self.sessions,
        }
    }
}

/// Members of `apiward eval --json` that are needed here.
#[derive(Deserialize)]
struct Evaluation {
    sessions: Sessions,
}

#[derive(Deserialize)]
struct Sessions {
    false_alarms: Share,
    attack_kinds: Vec<KindOfSession>,
}

#[derive(Deserialize)]
struct KindOfSession {
    attack: String,
    detected: Share,
    delay_requests_max: Option<u64>,
}

#[derive(Deserialize)]
struct Share {
    count: u64,
    total: u64,
}

impl Stage {
    /// Records, learns and judges.
    ///
    /// # Errors
    /// When the program fails; what it wrote is shown.
    pub async fn sessions(&mut self) -> anyhow::Result<SessionFigures> {
        let folder = tempfile::tempdir()?;
        let week = Scenario::normal(Release::One);
        self.narrator
            .say(format_args!("a simulated week of {LEARNED_EXCHANGES} exchanges is learned, another one judged"));
        let learned = traffic::generate(&week, 101, LEARNED_EXCHANGES, |_| {}).await?;
        write(&folder.path().join("learned.jsonl"), &learned)?;
        run(folder.path(), &["train", "--input", "learned.jsonl", "--output", "sessions.bundle"]).await?;
        let fresh = traffic::generate(&week, 102, FRESH_EXCHANGES, |_| {}).await?;
        let judged: Evaluation = evaluate(folder.path(), &fresh).await?;
        let mut figures = SessionFigures {
            normal_sessions: judged.sessions.false_alarms.total,
            alarmed: judged.sessions.false_alarms.count,
            attacks: Vec::new(),
        };
        for (place, kind) in AttackKind::OF_SESSIONS.into_iter().enumerate() {
            let plan = AttackPlan {
                kinds: vec![kind],
                share: AttackShare::Only,
                callers: ATTACKERS,
                first_caller: place * ATTACKERS,
                networks: AttackPlan::CALLERS_MAX,
            };
            let attacked = Scenario::normal(Release::One).with_attacks(plan);
            let exchanges = traffic::generate(&attacked, 103, ATTACK_EXCHANGES, |_| {}).await?;
            let judged: Evaluation = evaluate(folder.path(), &exchanges).await?;
            let of_kind = judged.sessions.attack_kinds.into_iter().find(|known| known.attack == kind.name());
            let of_kind = of_kind.with_context(|| format!("no session of {} was judged", kind.display_name()))?;
            figures.attacks.push(SessionAttackFigures {
                kind,
                sessions: of_kind.detected.total,
                found: of_kind.detected.count,
                requests_max: of_kind.delay_requests_max.unwrap_or(0),
            });
        }
        self.narrator.say(format_args!(
            "{} of {} normal sessions alarmed; of {} kinds of attacking sessions {} were found",
            figures.alarmed,
            figures.normal_sessions,
            figures.attacks.len(),
            figures.attacks.iter().filter(|kind| kind.is_found()).count()
        ));
        Ok(figures)
    }
}

async fn evaluate<T: DeserializeOwned>(folder: &Path, exchanges: &[Exchange]) -> anyhow::Result<T> {
    write(&folder.join("judged.jsonl"), exchanges)?;
    let written = run(folder, &["eval", "judged.jsonl", "--bundle", "sessions.bundle", "--json", "-"]).await?;
    serde_json::from_slice(&written).context("read the figures of apiward eval")
}

fn write(path: &Path, exchanges: &[Exchange]) -> anyhow::Result<()> {
    let file = BufWriter::new(std::fs::File::create(path).with_context(|| format!("create {}", path.display()))?);
    traffic::write_lines(exchanges, file).with_context(|| format!("write {}", path.display()))
}

async fn run(folder: &Path, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let output = Command::new(apiward()?).args(arguments).current_dir(folder).output().await.context("run apiward")?;
    anyhow::ensure!(
        output.status.success(),
        "apiward {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}
