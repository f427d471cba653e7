//! Traffic of the sample shop: to a file under a simulated clock, or to a running shop.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use apiward_e2e::shop::Release;
use apiward_e2e::traffic::{
    self, AttackKind, AttackPlan, AttackShare, Exchange, ExchangeKind, HttpShop, Scenario, SentExchange,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use flate2::Compression;
use flate2::write::GzEncoder;
use indicatif::{ProgressBar, ProgressStyle};

/// Simulated customers and attackers of the sample shop.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Exchange JSONL from a shop in this process, under a simulated clock
    Generate {
        #[command(flatten)]
        what: What,
        /// File to write; compressed if it ends in .gz
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Requests to a running shop, directly or through a proxy
    Send {
        #[command(flatten)]
        what: What,
        /// Where to, such as http://127.0.0.1:10000
        #[arg(long)]
        url: String,
        /// Visits in flight at once
        #[arg(long, default_value_t = 16)]
        concurrency: usize,
        /// Real seconds to wait per simulated second of thinking
        #[arg(long, default_value_t = 0.0)]
        think_scale: f64,
    },
}

#[derive(Args)]
struct What {
    /// The same seed gives the same traffic
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many exchanges
    #[arg(long, default_value_t = 6_000)]
    exchanges: u64,
    /// Release of the shop that clients expect
    #[arg(long, value_enum, default_value = "1")]
    release: Release,
    /// Whether attackers take part
    #[arg(long, value_enum, default_value_t = Attacks::None)]
    attacks: Attacks,
    /// Share of attacks with `--attacks mixed`
    #[arg(long, default_value_t = 0.05, value_parser = share)]
    attack_share: f64,
    /// Kinds of attacks, comma-separated; all unless given
    #[arg(long, value_enum, value_delimiter = ',')]
    kinds: Vec<AttackKind>,
    /// Accounts that attackers use
    #[arg(long, default_value_t = 2)]
    attackers: usize,
    /// Networks that attackers come from
    #[arg(long, default_value_t = 1)]
    attacker_networks: usize,
    /// Simulated days that the exchanges are spread over
    #[arg(long, default_value_t = 7.0, value_parser = days)]
    days: f64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Attacks {
    None,
    Mixed,
    Only,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=AttackPlan::SHARE_MAX).contains(&share) => Ok(share),
        _ => Err(format!("a share is a number from 0 to {}", AttackPlan::SHARE_MAX)),
    }
}

fn days(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(days) if (0.01..=3_650.0).contains(&days) => Ok(days),
        _ => Err("days are a number from 0.01 to 3650".to_owned()),
    }
}

impl What {
    fn scenario(&self) -> Scenario {
        let mut scenario = Scenario::normal(self.release);
        scenario.days = self.days;
        let share = match self.attacks {
            Attacks::None => return scenario,
            Attacks::Mixed => AttackShare::OfExchanges(self.attack_share),
            Attacks::Only => AttackShare::Only,
        };
        let mut plan = AttackPlan::all_kinds(share);
        if !self.kinds.is_empty() {
            plan.kinds.clone_from(&self.kinds);
        }
        plan.callers = self.attackers;
        plan.networks = self.attacker_networks;
        scenario.with_attacks(plan)
    }
}

fn progress_bar(exchanges: u64) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} exchanges, {per_sec}, {eta} left")?;
    Ok(ProgressBar::new(exchanges).with_style(style))
}

fn write_file(exchanges: &[Exchange], path: &Path) -> Result<()> {
    let file = BufWriter::new(File::create(path).with_context(|| format!("cannot create {}", path.display()))?);
    let written = if path.extension().is_some_and(|extension| extension == "gz") {
        let mut encoder = GzEncoder::new(file, Compression::default());
        traffic::write_lines(exchanges, &mut encoder).and_then(|()| encoder.finish()?.flush())
    } else {
        traffic::write_lines(exchanges, file)
    };
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn print_generated(exchanges: &[Exchange]) {
    let mut labels: BTreeMap<&str, usize> = BTreeMap::new();
    for exchange in exchanges {
        *labels.entry(exchange.label).or_default() += 1;
    }
    for (label, count) in labels {
        println!("{count:>8} {label}");
    }
}

fn print_sent(sent: &[SentExchange]) {
    let mut outcomes: BTreeMap<(&str, u16), usize> = BTreeMap::new();
    for exchange in sent {
        let kind = match exchange.kind {
            ExchangeKind::Normal => "normal",
            ExchangeKind::Attack(kind) => kind.display_name(),
        };
        *outcomes.entry((kind, exchange.status.as_u16())).or_default() += 1;
    }
    for ((kind, status), count) in outcomes {
        println!("{count:>8} {status} {kind}");
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Generate { what, output } => {
            let bar = progress_bar(what.exchanges)?;
            let ticks = bar.clone();
            let exchanges =
                traffic::generate(&what.scenario(), what.seed, what.exchanges, move |sent| ticks.inc(sent)).await?;
            bar.finish_and_clear();
            write_file(&exchanges, &output)?;
            print_generated(&exchanges);
        }
        Command::Send { what, url, concurrency, think_scale } => {
            let bar = progress_bar(what.exchanges)?;
            let ticks = bar.clone();
            let mut scenario = what.scenario().concurrent(concurrency);
            scenario.think_scale = think_scale.max(0.0);
            let client = HttpShop::new(&url);
            let sent = traffic::run(client, &scenario, what.seed, what.exchanges, move |sent| {
                ticks.inc(sent);
            })
            .await?;
            bar.finish_and_clear();
            print_sent(&sent);
        }
    }
    Ok(())
}
