//! Next-page prediction and what was injected, on recorded sessions of a web site.

use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use apiward_detector::sequence::{Place, SequenceDetector};
use apiward_detector::session::{Call, CallSymbol};
use apiward_trainer::evaluation::Ranking;
use apiward_trainer::sequence::{CallSequence, SequenceReport, SequenceSettings, learn_sequence, replay};
use flate2::read::GzDecoder;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::markov::{Markov, MarkovKind};
use super::measurement::judge;

/// Sessions that a fault is put into have at least so many pages.
const FAULTY_SESSION_PAGES_MIN: usize = 4;
/// False alarms, in this many normal sessions, at which detection is measured.
const FALSE_ALARMS: (usize, usize) = (10, 10_000);

/// Pages of each session, in order.
pub type PageSessions = Vec<Vec<u32>>;

/// What is learned from and what is measured on: both by the order of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Learn from the first 64 %, measure on the 16 % after them: for choosing.
    Development,
    /// Learn from the first 80 %, measure on the rest.
    Test,
}

/// What is put into a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injection {
    /// Pages in the order of their ids.
    Walk(usize),
    /// Any pages.
    Jumps(usize),
    /// It goes on as another user's session does.
    Splice,
}

impl Injection {
    pub const ALL: [Injection; 5] =
        [Injection::Walk(10), Injection::Walk(5), Injection::Jumps(10), Injection::Jumps(5), Injection::Splice];

    pub fn name(self) -> String {
        match self {
            Injection::Walk(pages) => format!("walk of {pages} pages"),
            Injection::Jumps(pages) => format!("jumps to {pages} pages"),
            Injection::Splice => "rest of another session".to_owned(),
        }
    }

    fn inject(self, session: &[u32], other: &[u32], pages: &[u32], generator: &mut ChaCha8Rng) -> Vec<u32> {
        let (before, after) = session.split_at(generator.random_range(1..session.len()));
        let injected: Vec<u32> = match self {
            Injection::Walk(count) => {
                let first = generator.random_range(0..pages.len());
                pages.iter().cycle().skip(first).take(count).copied().collect()
            }
            Injection::Jumps(count) => (0..count).map(|_| pages[generator.random_range(0..pages.len())]).collect(),
            Injection::Splice => {
                let rest = &other[generator.random_range(1..other.len())..];
                return before.iter().chain(rest).copied().collect();
            }
        };
        before.iter().chain(&injected).chain(after).copied().collect()
    }
}

/// What was measured.
#[derive(Debug, Clone)]
pub struct BrowsingQuality {
    pub report: SequenceReport,
    pub learning_took: Duration,
    pub sessions: usize,
    /// Pages that were predicted.
    pub steps: usize,
    pub model: PredictionQuality,
    pub baselines: Vec<(MarkovKind, PredictionQuality)>,
    pub injections: Vec<InjectionQuality>,
    /// Normal sessions that alarmed at the learned threshold.
    pub false_alarms: usize,
    /// Time that judging one call took.
    pub per_call: Duration,
}

/// Shares of pages that were the most probable one, and among the ten most probable, 0..1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PredictionQuality {
    pub top1: f64,
    pub top10: f64,
}

/// How well sessions with something injected are told from normal ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InjectionQuality {
    pub injection: Injection,
    pub sessions: usize,
    pub model: Separation,
    /// The order-1 Markov model, its −ln p accumulated by CUSUM.
    pub order1: Separation,
    /// The one of order 2 that is aware of visited pages.
    pub order2: Separation,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Separation {
    pub roc_auc: f64,
    /// Share detected at ten alarms in 10,000 normal sessions.
    pub detected: f64,
}

/// Reads sessions, one per line, pages as numbers.
///
/// # Errors
/// When the file cannot be read, or a page is no number.
pub fn read_sessions(path: &Path) -> anyhow::Result<PageSessions> {
    let file = std::fs::File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    let session = |(number, line): (usize, std::io::Result<String>)| {
        let line = line?;
        let pages = line.split_whitespace().map(str::parse).collect::<Result<Vec<u32>, _>>();
        pages.with_context(|| format!("line {} of {} is no list of numbers", number + 1, path.display()))
    };
    lines.enumerate().map(session).collect()
}

/// Learns from one part of the sessions, each of a caller of its own, and measures on the other.
///
/// # Errors
/// When nothing can be learned.
pub fn measure_browsing(
    sessions: &PageSessions,
    part: Part,
    settings: &SequenceSettings,
    seed: u64,
) -> anyhow::Result<BrowsingQuality> {
    let training_end = sessions.len() * 4 / 5;
    let (training, measured) = match part {
        Part::Development => sessions[..training_end].split_at(training_end * 4 / 5),
        Part::Test => sessions.split_at(training_end),
    };
    let began = Instant::now();
    let sequences: Vec<CallSequence> =
        (0..).zip(training).map(|(caller, session)| CallSequence { caller, calls: calls(session) }).collect();
    let learned = learn_sequence(&sequences, settings, seed, &mut |_| ControlFlow::Continue(()))?;
    let learning_took = began.elapsed();
    let detector = SequenceDetector::load(learned.model.context("nothing was learned")?)?;
    let markov = Markov::of(training);
    let kinds = [MarkovKind::Order1, MarkovKind::Order2, MarkovKind::Order2Visited];
    // Told the mean of the very sessions that it is measured on, which can only help it.
    let usual = [MarkovKind::Order1, MarkovKind::Order2Visited].map(|kind| markov.mean_nats(kind, measured));
    let normal = Scores::of(&detector, &markov, usual, measured);
    Ok(BrowsingQuality {
        report: learned.report,
        learning_took,
        sessions: measured.len(),
        steps: measured.iter().map(|session| session.len().saturating_sub(1)).sum(),
        model: prediction_quality(&detector, measured),
        baselines: kinds.map(|kind| (kind, baseline_quality(&markov, kind, measured))).into(),
        injections: injections(&detector, &markov, usual, measured, &normal, seed),
        false_alarms: normal.alarms,
        per_call: normal.per_call,
    })
}

fn calls(session: &[u32]) -> Vec<Call> {
    session.iter().map(|page| Call { endpoint: CallSymbol(page + 1), ..Call::default() }).collect()
}

fn prediction_quality(detector: &SequenceDetector, sessions: &[Vec<u32>]) -> PredictionQuality {
    let mut ranks = Ranks::default();
    for session in sessions {
        replay(&calls(session), &mut |window, next| {
            if window.count() > 0 {
                let place = detector.place(next.endpoint);
                let most_probable = detector.predict(window).most_probable(10);
                ranks.add(most_probable.iter().position(|(symbol, _)| Place::Symbol(*symbol) == place));
            }
        });
    }
    ranks.quality()
}

fn baseline_quality(markov: &Markov, kind: MarkovKind, sessions: &[Vec<u32>]) -> PredictionQuality {
    let mut ranks = Ranks::default();
    for session in sessions {
        for place in 1..session.len() {
            let most_probable = markov.most_probable(kind, &session[..place], 10);
            ranks.add(most_probable.iter().position(|page| *page == session[place]));
        }
    }
    ranks.quality()
}

#[derive(Debug, Default)]
struct Ranks {
    steps: usize,
    first: usize,
    first_ten: usize,
}

impl Ranks {
    fn add(&mut self, rank: Option<usize>) {
        self.steps += 1;
        self.first += usize::from(rank == Some(0));
        self.first_ten += usize::from(rank.is_some());
    }

    fn quality(&self) -> PredictionQuality {
        let share = |count: usize| count as f64 / self.steps.max(1) as f64;
        PredictionQuality { top1: share(self.first), top10: share(self.first_ten) }
    }
}

/// Scores of sessions by the detector and by both Markov models.
struct Scores {
    model: Vec<f32>,
    order1: Vec<f32>,
    order2: Vec<f32>,
    alarms: usize,
    per_call: Duration,
}

impl Scores {
    /// `usual`: of both Markov models, see [`Markov::highest_sum`].
    fn of(detector: &SequenceDetector, markov: &Markov, usual: [f64; 2], sessions: &[Vec<u32>]) -> Self {
        let sequences: Vec<Vec<Call>> = sessions.iter().map(|session| calls(session)).collect();
        let began = Instant::now();
        let outcomes: Vec<_> = sequences.iter().map(|calls| judge(detector, calls)).collect();
        let judged = sequences.iter().map(Vec::len).sum::<usize>().max(1) as u32;
        let per_call = began.elapsed() / judged;
        let sums = |kind, usual| sessions.iter().map(|session| markov.highest_sum(kind, session, usual)).collect();
        let [of_order1, of_order2] = usual;
        Self {
            model: outcomes.iter().map(|outcome| outcome.score).collect(),
            order1: sums(MarkovKind::Order1, of_order1),
            order2: sums(MarkovKind::Order2Visited, of_order2),
            alarms: outcomes.iter().filter(|outcome| outcome.alarmed).count(),
            per_call,
        }
    }
}

fn injections(
    detector: &SequenceDetector,
    markov: &Markov,
    usual: [f64; 2],
    sessions: &[Vec<u32>],
    normal: &Scores,
    seed: u64,
) -> Vec<InjectionQuality> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut pages: Vec<u32> = sessions.iter().flatten().copied().collect();
    pages.sort_unstable();
    pages.dedup();
    let long: Vec<&Vec<u32>> = sessions.iter().filter(|session| session.len() >= FAULTY_SESSION_PAGES_MIN).collect();
    let mut measure = |injection: Injection| {
        let faulty: Vec<Vec<u32>> = long
            .iter()
            .map(|session| {
                let other = long[generator.random_range(0..long.len())];
                injection.inject(session, other, &pages, &mut generator)
            })
            .collect();
        let scores = Scores::of(detector, markov, usual, &faulty);
        InjectionQuality {
            injection,
            sessions: faulty.len(),
            model: separation(&normal.model, &scores.model),
            order1: separation(&normal.order1, &scores.order1),
            order2: separation(&normal.order2, &scores.order2),
        }
    };
    Injection::ALL.map(&mut measure).into()
}

fn separation(normal: &[f32], faulty: &[f32]) -> Separation {
    let mut ranking = Ranking::default();
    normal.iter().for_each(|score| ranking.add(false, *score));
    faulty.iter().for_each(|score| ranking.add(true, *score));
    let (alarms, of) = FALSE_ALARMS;
    let detected = ranking.attacks_flagged_at(normal.len() * alarms / of);
    Separation { roc_auc: ranking.roc_auc().unwrap_or(0.5), detected: detected as f64 / faulty.len().max(1) as f64 }
}
