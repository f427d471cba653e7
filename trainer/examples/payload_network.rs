//! Trains the payload network and writes it with its model card, or evaluates one on labelled values.
//!
//!     payload_network train FOLDER [--corpus FILE]…      writes payload.onnx and payload.md
//!     payload_network evaluate NETWORK FILE… [--threshold LOG_ODDS] [--list COUNT] [--evasions] [--without RECORDS] [--records]
//!     payload_network cost NETWORK FILE
//!     payload_network generate COUNT [training|stopping|test]   class and text, as JSON lines

use std::{
    io::{BufWriter, Write as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use apiward_detector::payload::PayloadClass;
use apiward_trainer::{
    fit::Epoch,
    payload::{
        LabelledText,
        card::ModelCard,
        comparison::{compare, designs},
        corpus,
        evaluation::{Evaluation, Scored, score},
        evasions::{Robustness, native_cost_us, robustness},
        generator::{Generator, Part},
        training::{PayloadData, TrainingOptions, fit, texts, windows_of},
    },
};
use clap::{Parser, ValueEnum};

/// Trains and evaluates the payload network.
#[derive(Parser)]
enum Command {
    /// Train on generated texts, and write payload.onnx and payload.md.
    Train {
        folder: PathBuf,
        /// A CSV file of labelled values, or a text file of benign ones, to train on beside the generated texts.
        #[arg(long)]
        corpus: Vec<PathBuf>,
        /// Only train and measure the twin that has not seen a fifth of the templates, and write it.
        #[arg(long)]
        twin: bool,
        /// Do not compare with the other designs.
        #[arg(long)]
        alone: bool,
        /// A file of labelled values whose figures are in the card; never one that was trained on.
        #[arg(long)]
        evaluate: Vec<PathBuf>,
        /// Texts of each kind, benign and attack.
        #[arg(long)]
        texts: Option<usize>,
        #[arg(long)]
        epochs: Option<u32>,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Print what a network makes of labelled values.
    Evaluate {
        network: PathBuf,
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[arg(long, default_value_t = 0.0, allow_hyphen_values = true)]
        threshold: f32,
        /// Misses and false alarms that are listed.
        #[arg(long, default_value_t = 0)]
        list: usize,
        /// Send each attack in ten evasions too, through the filter's observer, and print the loss.
        #[arg(long)]
        evasions: bool,
        /// Records of the files, counted from 1 after the header, that are left out for their labels being wrong.
        #[arg(long, value_delimiter = ',')]
        without: Vec<usize>,
        /// Misses and false alarms by their record in the file, class and score, without their text.
        #[arg(long)]
        records: bool,
    },
    /// Print the microseconds that a request with one value of a file takes on this machine, natively.
    Cost { network: PathBuf, file: PathBuf },
    /// Print generated texts as JSON lines.
    Generate {
        count: usize,
        #[arg(value_enum, default_value_t = PartName::Training)]
        part: PartName,
    },
    /// Print what a network makes of generated texts of test templates.
    Held {
        network: PathBuf,
        #[arg(long, default_value_t = 0.0, allow_hyphen_values = true)]
        threshold: f32,
        #[arg(long, default_value_t = 0)]
        list: usize,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum PartName {
    Training,
    Stopping,
    Test,
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Train { folder, corpus, twin, alone, evaluate, texts, epochs, seed } => {
            let mut options = TrainingOptions::default();
            options.texts = texts.unwrap_or(options.texts);
            options.schedule.epochs_max = epochs.unwrap_or(options.schedule.epochs_max);
            options.schedule.seed = seed;
            let evaluated = evaluate.iter().map(|file| Ok((file_name(file), corpus::read(file)?)));
            let evaluated = evaluated.collect::<anyhow::Result<Vec<_>>>()?;
            train(&folder, &read_all(&corpus)?, &evaluated, &options, Extent { twin, alone })
        }
        Command::Evaluate { network, files, threshold, list, evasions, without, records } => {
            let onnx = read_network(&network)?;
            for file in files {
                println!("{}\n", file.display());
                let mut texts = corpus::read(&file)?;
                if records {
                    print_records(&onnx, &texts, threshold)?;
                }
                let mut record = 0;
                texts.retain(|_| {
                    record += 1;
                    !without.contains(&record)
                });
                print_figures(&onnx, &texts, threshold, list)?;
                if evasions {
                    print_robustness(&onnx, &texts, threshold)?;
                }
            }
            Ok(())
        }
        Command::Held { network, threshold, list } => {
            let options = TrainingOptions::default();
            let texts = texts(Part::Stopping, options.test_texts, options.schedule.seed + 5);
            print_figures(&read_network(&network)?, &texts, threshold, list)
        }
        Command::Cost { network, file } => {
            let (onnx, texts) = (read_network(&network)?, corpus::read(&file)?);
            for (name, cached) in [("never seen before", false), ("seen before", true)] {
                println!("{name}: {:.1} µs per request", native_cost_us(&onnx, &texts, cached)?);
            }
            Ok(())
        }
        Command::Generate { count, part } => generate(count, part),
    }
}

/// What is left out of a training.
struct Extent {
    twin: bool,
    alone: bool,
}

fn train(
    folder: &Path,
    corpora: &[LabelledText],
    evaluated: &[(String, Vec<LabelledText>)],
    options: &TrainingOptions,
    extent: Extent,
) -> anyhow::Result<()> {
    eprintln!("training the twin that is measured");
    let divided = fit(&PayloadData::new(Part::Training, corpora, options), options, &mut show)?;
    let divided = divided.with_threshold(options.threshold)?;
    let shipped = if extent.twin {
        divided.clone()
    } else {
        eprintln!("training the network that is shipped");
        fit(&PayloadData::new(Part::All, corpora, options), options, &mut show)?.with_threshold(options.threshold)?
    };
    let test = texts(Part::Test, options.test_texts, options.schedule.seed + 3);
    let others =
        evaluated.iter().map(|(name, texts)| Ok((name.clone(), Evaluation::new(&score(&shipped.onnx, texts)?, 0.0))));
    let others = others.collect::<anyhow::Result<Vec<_>>>()?;
    let windows = windows_of(test.clone(), options.schedule.seed + 4);
    let fewer = options.for_comparison();
    let data = PayloadData::new(Part::Training, corpora, &fewer);
    let mut compared = Vec::new();
    for design in designs()?.into_iter().take(if extent.alone { 1 } else { usize::MAX }) {
        eprintln!("comparing: {}", design.name());
        compared.push(compare(design.as_ref(), &data, &windows, &fewer, &mut show)?);
    }
    let card = ModelCard {
        options,
        templates: Generator::new(Part::All, 0).templates(),
        shipped: &shipped,
        test: &Evaluation::new(&score(&divided.onnx, &test)?, 0.0),
        others: &others,
        designs: &compared,
    };
    std::fs::create_dir_all(folder).with_context(|| format!("create the folder {}", folder.display()))?;
    for (name, bytes) in [("payload.onnx", shipped.onnx.as_slice()), ("payload.md", card.markdown().as_bytes())] {
        let file = folder.join(name);
        std::fs::write(&file, bytes).with_context(|| format!("write {}", file.display()))?;
    }
    print!("{}", card.markdown());
    Ok(())
}

fn file_name(file: &Path) -> String {
    file.file_name().map_or_else(String::new, |name| format!("`{}`", name.to_string_lossy()))
}

fn show(epoch: &Epoch) -> ControlFlow<()> {
    eprintln!(
        "epoch {:2}, step {:5}, learning rate {:.5}: loss {:.4}, of held-out texts {:.4}",
        epoch.number, epoch.steps, epoch.learning_rate, epoch.training_loss, epoch.held_out_loss
    );
    ControlFlow::Continue(())
}

fn print_figures(onnx: &[u8], texts: &[LabelledText], threshold: f32, list: usize) -> anyhow::Result<()> {
    let mut scored = score(onnx, texts)?;
    println!("{}", Evaluation::new(&scored, threshold).markdown());
    scored.sort_by(|one, other| one.score.attack.total_cmp(&other.score.attack));
    let is_benign = |class: PayloadClass| class == PayloadClass::Benign;
    let misses = scored.iter().filter(|scored| !is_benign(scored.text.class) && scored.score.attack < threshold);
    let alarms = scored.iter().rev().filter(|scored| is_benign(scored.text.class) && scored.score.attack >= threshold);
    for (kind, scored) in
        misses.take(list).map(|scored| ("missed", scored)).chain(alarms.take(list).map(|scored| ("alarm", scored)))
    {
        println!(
            "{kind}\t{}\t{:.2}\t{}\t{:?}",
            scored.text.class.name(),
            scored.score.attack,
            scored.score.class.name(),
            scored.text.text
        );
    }
    Ok(())
}

fn print_records(onnx: &[u8], texts: &[LabelledText], threshold: f32) -> anyhow::Result<()> {
    println!("| record | class | log-odds | looks like |\n| --- | --- | --- | --- |");
    for (number, Scored { text, score }) in score(onnx, texts)?.into_iter().enumerate() {
        if (text.class == PayloadClass::Benign) == (score.attack >= threshold) {
            println!("| {} | {} | {:.2} | {} |", number + 1, text.class.name(), score.attack, score.class.name());
        }
    }
    println!();
    Ok(())
}

fn print_robustness(onnx: &[u8], texts: &[LabelledText], threshold: f32) -> anyhow::Result<()> {
    let all = robustness(onnx, texts, threshold)?;
    let plain = all.first().and_then(|plain| plain.found.share).unwrap_or(0.0);
    println!("| attacks, each as a request | found (95 % bounds) | loss in points |\n| --- | --- | --- |");
    for Robustness { evasion, found } in all {
        println!("| {} | {found} | {:.2} |", evasion.name(), 100.0 * (plain - found.share.unwrap_or(0.0)));
    }
    println!();
    Ok(())
}

fn generate(count: usize, part: PartName) -> anyhow::Result<()> {
    let part = match part {
        PartName::Training => Part::Training,
        PartName::Stopping => Part::Stopping,
        PartName::Test => Part::Test,
    };
    let mut output = BufWriter::new(std::io::stdout().lock());
    for LabelledText { class, text } in texts(part, count, 1) {
        serde_json::to_writer(&mut output, &(class, text))?;
        writeln!(output)?;
    }
    output.flush()?;
    Ok(())
}

fn read_network(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("read the network {}", file.display()))
}

fn read_all(files: &[PathBuf]) -> anyhow::Result<Vec<LabelledText>> {
    let mut texts = Vec::new();
    for file in files {
        texts.extend(corpus::read(file)?);
    }
    Ok(texts)
}
