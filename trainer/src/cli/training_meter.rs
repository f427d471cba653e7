//! What a training run does at the moment, for people.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Deserialize;

const SPIN_EVERY: Duration = Duration::from_millis(120);

/// Shows the stages of a training run: a live line on a terminal, else a line per stage.
pub struct TrainingMeter {
    line: ProgressBar,
    is_terminal: bool,
    stage: &'static str,
}

/// Progress as the learning and the service tell it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
enum Stage {
    Admission {
        records: u64,
    },
    Routes {
        records: u64,
    },
    Rules {
        done: u64,
        of: u64,
    },
    Network {
        epoch: u64,
        epochs_max: u64,
        later_loss: Option<f64>,
    },
    Sequence,
    Calibration,
    #[serde(other)]
    Other,
}

impl Stage {
    fn name(&self) -> &'static str {
        match self {
            Stage::Admission { .. } => "choosing what to learn from",
            Stage::Routes { .. } => "learning the endpoints",
            Stage::Rules { .. } => "learning the fields of each endpoint",
            Stage::Network { .. } => "training the network",
            Stage::Sequence => "learning the order of calls",
            Stage::Calibration => "calibrating the thresholds",
            Stage::Other => "training",
        }
    }

    fn details(&self) -> String {
        match self {
            Stage::Admission { records } | Stage::Routes { records } => format!("{records} exchanges"),
            Stage::Rules { done, of } => format!("{done} of {of}"),
            Stage::Network { epoch, epochs_max, later_loss } => {
                let loss = later_loss.map_or_else(String::new, |loss| format!(", loss {loss:.4}"));
                format!("epoch {epoch} of at most {epochs_max}{loss}")
            }
            Stage::Sequence | Stage::Calibration | Stage::Other => String::new(),
        }
    }
}

impl TrainingMeter {
    pub fn start() -> Self {
        let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {elapsed}") {
            line.set_style(style);
        }
        line.enable_steady_tick(SPIN_EVERY);
        Self { line, is_terminal: std::io::stderr().is_terminal(), stage: "" }
    }

    /// Shows progress in its JSON form; what cannot be read is passed over.
    pub fn show(&mut self, progress: &serde_json::Value) {
        let Ok(stage) = Stage::deserialize(progress) else {
            return;
        };
        if self.is_terminal {
            self.line.set_message(format!("{}: {}", stage.name(), stage.details()));
        } else if self.stage != stage.name() {
            eprintln!("{}", stage.name());
        }
        self.stage = stage.name();
    }

    pub fn finish(&self) {
        self.line.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learning::Progress;

    #[test]
    fn every_stage_of_learning_is_understood() {
        let all = [
            Progress::Admission { records: 1 },
            Progress::Routes { records: 1 },
            Progress::Rules { done: 1, of: 2 },
            Progress::Network { epoch: 1, epochs_max: 2, later_loss: f64::NAN },
            Progress::Sequence,
            Progress::Calibration,
        ];
        for progress in all {
            let stage = Stage::deserialize(serde_json::to_value(&progress).unwrap()).unwrap();
            assert_ne!(stage, Stage::Other, "{progress:?}");
        }
    }
}
