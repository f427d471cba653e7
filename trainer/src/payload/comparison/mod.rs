//! The designs that the shipped one was chosen from, trained on the same windows of the same texts for as long.

mod convolution;
mod hashed;

use std::ops::ControlFlow;

use apiward_detector::payload::PayloadClass;
use apiward_models::{
    GraphError,
    classifier::{FEATURES, LOGITS},
};
use ort::{session::Session, value::TensorRef};

use crate::fit::{
    Epoch, FitError,
    runtime::{self, open_session},
};

use super::{
    LabelledText,
    design::{CLASSES, Design, Perceptron},
    training::{PayloadData, PayloadTrainingError, TrainingOptions, fit_design},
};

/// Windows that a network is given at once.
const ROWS: usize = 64;

/// A design's figures on windows of texts of held-out templates.
#[derive(Debug, Clone)]
pub struct Compared {
    pub name: &'static str,
    pub parameters: usize,
    /// Multiply-adds of the mean window.
    pub multiply_adds: usize,
    /// Attacks found, 0..1, at 1 % and at 0.1 % false alarms.
    pub recall: [f64; 2],
    /// Area under the receiver operating characteristic, 0..1.
    pub area: f64,
}

/// All designs, the shipped one first.
pub fn designs() -> Result<Vec<Box<dyn Design>>, GraphError> {
    Ok(vec![
        Box::new(Perceptron::shipped()?),
        Box::new(hashed::design()?),
        Box::new(hashed::pooled()?),
        Box::new(convolution::Convolution),
    ])
}

/// Trains a design and measures it on `test`, which are windows.
pub fn compare(
    design: &dyn Design,
    data: &PayloadData,
    test: &[LabelledText],
    options: &TrainingOptions,
    progress: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Compared, PayloadTrainingError> {
    let trained = fit_design(design, data, options, progress)?;
    let onnx = design.logits_onnx(&trained.parameters, ROWS)?;
    let mut session = open_session(runtime::load(None).map_err(FitError::from)?, &onnx)?;
    let mut odds = Vec::with_capacity(test.len());
    let mut filled = 0;
    for chunk in test.chunks(ROWS) {
        let mut rows = vec![0.0; ROWS * design.features()];
        for (text, row) in chunk.iter().zip(rows.chunks_exact_mut(design.features())) {
            design.write_features(&text.text, row);
            filled += row.iter().filter(|value| **value != 0.0).count();
        }
        for (text, odd) in chunk.iter().zip(log_odds(&mut session, &rows, design.features())?) {
            odds.push((odd, text.class != PayloadClass::Benign));
        }
    }
    odds.sort_by(|one, other| other.0.total_cmp(&one.0));
    Ok(Compared {
        name: design.name(),
        parameters: design.parameters()?,
        multiply_adds: design.multiply_adds(filled / test.len().max(1))?,
        recall: [0.01, 0.001].map(|rate| recall_at(&odds, rate)),
        area: area(&odds),
    })
}

fn log_odds(session: &mut Session, rows: &[f32], features: usize) -> Result<Vec<f32>, FitError> {
    let outputs = session.run(ort::inputs! { FEATURES => TensorRef::from_array_view(([ROWS, features], rows))? })?;
    let logits = outputs.get(LOGITS).ok_or(FitError::Output { name: LOGITS })?;
    let (_, logits) = logits.try_extract_tensor::<f32>()?;
    let odds = logits.chunks_exact(CLASSES).map(|logits| {
        let most = logits[1..].iter().copied().fold(f32::NEG_INFINITY, f32::max);
        most + logits[1..].iter().map(|logit| (logit - most).exp()).sum::<f32>().ln() - logits[0]
    });
    Ok(odds.collect())
}

/// Share of attacks above the score that `rate` of the benign texts reach; scores in descending order.
fn recall_at(odds: &[(f32, bool)], rate: f64) -> f64 {
    let attacks = odds.iter().filter(|(_, attack)| *attack).count();
    let mut alarms = ((odds.len() - attacks) as f64 * rate) as usize;
    let mut found = 0;
    for (_, attack) in odds {
        match (attack, alarms) {
            (true, _) => found += 1,
            (false, 0) => break,
            (false, _) => alarms -= 1,
        }
    }
    found as f64 / attacks.max(1) as f64
}

fn area(odds: &[(f32, bool)]) -> f64 {
    let attacks = odds.iter().filter(|(_, attack)| *attack).count();
    let mut found = 0;
    let mut sum = 0;
    for (_, attack) in odds {
        if *attack { found += 1 } else { sum += found }
    }
    sum as f64 / (attacks * (odds.len() - attacks)).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_and_area_follow_the_order_of_scores() {
        let odds = [(3.0, true), (2.0, false), (1.0, true), (0.0, false)];
        assert_eq!(recall_at(&odds, 0.0), 0.5);
        assert_eq!(recall_at(&odds, 0.5), 1.0);
        assert_eq!(area(&odds), 0.75);
    }
}
