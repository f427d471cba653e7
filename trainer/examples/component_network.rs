//! Trains the component network and writes it with its model card, or classifies components with the one that is built in.
//!
//!     component_network train FOLDER          writes component.onnx and component.md
//!     component_network classify < components  one component a line; prints their probabilities

use std::{
    io::{BufWriter, Write as _},
    ops::ControlFlow,
    path::Path,
};

use anyhow::{Context as _, bail};
use apiward_trainer::discovery::component_network::{
    ComponentClass, ComponentNetwork, baselines,
    baselines::TrigramBayes,
    card::ModelCard,
    evaluation::Evaluation,
    training::{ComponentData, TrainingOptions, evaluate, fit_all, fit_divided, layout},
    vocabulary::{Part, Vocabulary},
};
use apiward_trainer::fit::Epoch;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["train", folder] => train(Path::new(folder)),
        ["classify"] => classify(),
        _ => bail!("give `train FOLDER` or `classify`"),
    }
}

fn train(folder: &Path) -> anyhow::Result<()> {
    let options = TrainingOptions::default();
    let data = ComponentData::divided(&options);
    eprintln!("training the twin that is measured");
    let divided = fit_divided(&data, &options, &mut show)?;
    eprintln!("training the network that is shipped");
    let shipped = fit_all(&divided, &data, &options, &mut show)?;

    let bayes = TrigramBayes::fit(&data.training);
    let by = |classify: &dyn Fn(&str) -> _| {
        let probabilities: Vec<_> = data.test.iter().map(|component| classify(&component.text)).collect();
        Evaluation::new(&data.test, &probabilities)
    };
    let card = ModelCard {
        options: &options,
        cost: layout()?.cost()?,
        words: Vocabulary::new(Part::All).words(),
        network: evaluate(&divided.onnx, Part::Training, &data.test)?,
        known_words: evaluate(&divided.onnx, Part::Training, &data.known)?,
        rule: by(&baselines::rule),
        bayes: by(&|text| bayes.classify(text)),
        divided: &divided,
        shipped: &shipped,
    };
    std::fs::create_dir_all(folder).with_context(|| format!("create the folder {}", folder.display()))?;
    for (name, bytes) in [("component.onnx", shipped.onnx.as_slice()), ("component.md", card.markdown().as_bytes())] {
        let file = folder.join(name);
        std::fs::write(&file, bytes).with_context(|| format!("write {}", file.display()))?;
    }
    print!("{}", card.markdown());
    Ok(())
}

fn show(epoch: &Epoch) -> ControlFlow<()> {
    eprintln!(
        "epoch {:2}, learning rate {:.5}: loss {:.4}, of held-out words {:.4}",
        epoch.number, epoch.learning_rate, epoch.training_loss, epoch.held_out_loss
    );
    ControlFlow::Continue(())
}

fn classify() -> anyhow::Result<()> {
    let lines: Vec<String> = std::io::stdin().lines().collect::<Result<_, _>>().context("read the components")?;
    let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
    let probabilities = ComponentNetwork::open()?.classify(&texts)?;
    let mut output = BufWriter::new(std::io::stdout().lock());
    writeln!(output, "class\t{}\tcomponent", ComponentClass::ALL.map(ComponentClass::name).join("\t"))?;
    for (text, probabilities) in texts.iter().zip(probabilities) {
        let shares = probabilities.to_array().map(|share| format!("{share:.3}")).join("\t");
        writeln!(output, "{}\t{shares}\t{text}", probabilities.most_likely().name())?;
    }
    output.flush()?;
    Ok(())
}
