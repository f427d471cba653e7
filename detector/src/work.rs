//! One work budget per exchange, shared by all parsers and networks, so that no combination of hostile inputs can buy more
//! time than the sum that is written here.

use crate::limits;

/// What ran out first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    Bytes,
    Layers,
    Values,
    Inferences,
}

/// Work that may still be done for one exchange.
#[derive(Debug, Clone)]
pub struct WorkBudget {
    bytes: u64,
    layers: u64,
    values: u64,
    inferences: u64,
    exhausted: Option<Exhausted>,
}

impl Default for WorkBudget {
    fn default() -> Self {
        Self {
            bytes: limits::WORK_BYTES_MAX,
            layers: limits::WORK_LAYERS_MAX,
            values: limits::WORK_VALUES_MAX,
            inferences: limits::WORK_INFERENCES_MAX,
            exhausted: None,
        }
    }
}

impl WorkBudget {
    /// Takes `count` bytes of decoding or walking; `false` when they are not there any more.
    pub fn take_bytes(&mut self, count: usize) -> bool {
        Self::take(&mut self.bytes, count as u64, Exhausted::Bytes, &mut self.exhausted)
    }

    /// Takes one decoding layer.
    pub fn take_layer(&mut self) -> bool {
        Self::take(&mut self.layers, 1, Exhausted::Layers, &mut self.exhausted)
    }

    /// Takes one value.
    pub fn take_value(&mut self) -> bool {
        Self::take(&mut self.values, 1, Exhausted::Values, &mut self.exhausted)
    }

    /// Takes one network inference.
    pub fn take_inference(&mut self) -> bool {
        Self::take(&mut self.inferences, 1, Exhausted::Inferences, &mut self.exhausted)
    }

    /// The first kind of work that ran out, if any did.
    pub fn exhausted(&self) -> Option<Exhausted> {
        self.exhausted
    }

    fn take(left: &mut u64, count: u64, kind: Exhausted, exhausted: &mut Option<Exhausted>) -> bool {
        match left.checked_sub(count) {
            Some(rest) => {
                *left = rest;
                true
            }
            None => {
                exhausted.get_or_insert(kind);
                false
            }
        }
    }
}
