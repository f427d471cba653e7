use serde::{Deserialize, Serialize};

use crate::observation::ObservedField;

/// Punctuation seen in any field of the scope: a character that is new to a field but common elsewhere says less than one
/// that no field ever had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vocabulary {
    /// One bit per ASCII character.
    punctuation: [u64; 2],
}

impl Vocabulary {
    pub fn knows(&self, character: u8) -> bool {
        let [low, high] = self.punctuation;
        let bits = if character < 64 { low } else { high };
        character < 128 && bits >> (character % 64) & 1 == 1
    }

    /// Takes in the punctuation of a value.
    pub fn learn(&mut self, field: &ObservedField) {
        let [low, high] = &mut self.punctuation;
        for (character, _) in &field.shape.punctuation {
            match character {
                0..64 => *low |= 1 << character,
                64..128 => *high |= 1 << (character - 64),
                _ => {}
            }
        }
    }
}
