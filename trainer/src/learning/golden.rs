//! Golden cases: inputs with the outputs that every engine must reproduce.

use apiward_detector::bundle::{Bundle, GoldenCase, GoldenOutput};
use apiward_detector::detector::Detector;
use apiward_detector::exchange::Phase;
use apiward_detector::work::WorkBudget;

use super::LearningError;
use super::routes::Located;
use super::whole::Whole;

/// Cases taken evenly from all exchanges, and from those with the largest errors.
const EVEN_CASES: usize = 12;
const EXTREME_CASES: usize = 4;

/// Adds cases whose errors were computed by ONNX Runtime; their verdicts come from the engine itself.
pub fn add_golden_cases(bundle: &mut Bundle, located: &[Located<'_>], whole: &Whole) -> Result<(), LearningError> {
    let detector = Detector::without_golden_cases(bundle.clone())?;
    bundle.golden = chosen(located, whole)
        .into_iter()
        .map(|number| {
            let observation = &located[number].record.observation;
            let mut budget = WorkBudget::default();
            let mut previous = None;
            let reached = Phase::ALL.into_iter().filter(|phase| *phase <= observation.phase);
            let expected = reached
                .map(|phase| {
                    let verdict = detector.judge(&observation.at(phase), previous.as_ref(), &mut budget).verdict;
                    let output = GoldenOutput {
                        reconstruction_error: whole.errors[number][phase.index()],
                        anomalous: verdict.anomalous,
                        score: verdict.score,
                    };
                    previous = Some(verdict);
                    output
                })
                .collect();
            GoldenCase { observation: observation.clone(), expected }
        })
        .collect();
    Ok(())
}

fn chosen(located: &[Located<'_>], whole: &Whole) -> Vec<usize> {
    let largest = |number: &usize| whole.errors[*number].iter().flatten().copied().fold(0.0, f32::max);
    let mut by_error: Vec<usize> = (0..located.len()).collect();
    by_error.sort_by(|one, other| largest(other).total_cmp(&largest(one)).then(one.cmp(other)));
    let stride = (located.len() / EVEN_CASES).max(1);
    let mut chosen: Vec<usize> = (0..located.len()).step_by(stride).take(EVEN_CASES).collect();
    chosen.extend(by_error.into_iter().take(EXTREME_CASES));
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}
