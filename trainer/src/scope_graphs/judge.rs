//! The component network, which judges each word once.

use std::collections::HashMap;

use crate::discovery::ValueOdds;
use crate::discovery::component_network::{ComponentNetwork, ComponentNetworkError};

/// Words whose odds are remembered, over all scopes.
const WORDS_MAX: usize = 200_000;

/// Opened with the first words, so that a service without ONNX Runtime starts and takes telemetry in.
#[derive(Debug, Default)]
pub struct Judge {
    network: Option<ComponentNetwork>,
    odds: HashMap<String, f32>,
}

impl ValueOdds for Judge {
    type Error = ComponentNetworkError;

    fn log_odds(&mut self, texts: &[&str]) -> Result<Vec<f32>, Self::Error> {
        if self.odds.len() + texts.len() > WORDS_MAX {
            self.odds.clear();
        }
        let new: Vec<&str> = texts.iter().copied().filter(|text| !self.odds.contains_key(*text)).collect();
        if !new.is_empty() {
            let network = match &mut self.network {
                Some(network) => network,
                none => none.insert(ComponentNetwork::open()?),
            };
            let odds = network.log_odds(&new)?;
            self.odds.extend(new.into_iter().map(str::to_owned).zip(odds));
        }
        Ok(texts.iter().map(|text| self.odds.get(*text).copied().unwrap_or(0.0)).collect())
    }
}
