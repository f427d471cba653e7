//! A small character-level network for path components that no recogniser is sure of: is it a word of the API, or the
//! value of a parameter, and of which kind?
//!
//! Hashed character n-grams, the shape of a component and the word lists that it draws on go through two hidden layers. The network is trained on components
//! composed from word lists ([`generator`]); `make component-network` does it again and writes the model card, which has the
//! figures, `models/networks/component.md`.

pub mod baselines;
pub mod card;
pub mod evaluation;
mod features;
pub mod generator;
mod lexicon;
pub mod training;
pub mod vocabulary;

use apiward_models::classifier::{FEATURES as FEATURES_INPUT, PROBABILITIES};
use ort::{session::Session, value::TensorRef};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::fit::runtime::{self, RuntimeError, open_session};

pub use features::TEXT_BYTES_MAX;
use features::{FEATURES, SparseFeatures};
use lexicon::Lexicon;
use vocabulary::Part;

/// What a path component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentClass {
    /// A literal of the API: `orders`, `access-tokens`, `getUserById`, `chat.postMessage`, `oauth2`.
    Word,
    /// A content slug or the name of a thing: `how-to-bake-bread`, `my-app-2`, `release-1.4`, `ubuntu`, `nyc3`.
    Slug,
    /// The name of a person's or an organisation's account: `jsmith42`, `anna.lee`, `acme-corp`.
    UserName,
    /// An opaque identifier: `xKfQpz`, `cus_abcDEF`.
    Token,
}

impl ComponentClass {
    /// All classes, in the order of the network's outputs.
    pub const ALL: [Self; 4] = [Self::Word, Self::Slug, Self::UserName, Self::Token];

    /// The class in text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Slug => "slug",
            Self::UserName => "user_name",
            Self::Token => "token",
        }
    }

    /// The position among [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// How likely a component is of each class: 0..1 each, 1 together.
///
/// The classes were equally frequent in training, so who knows better how frequent they are multiplies by that and divides
/// by the sum.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ComponentProbabilities {
    pub word: f32,
    pub slug: f32,
    pub user_name: f32,
    pub token: f32,
}

impl ComponentProbabilities {
    /// From probabilities in the order of [`ComponentClass::ALL`].
    pub fn from_array([word, slug, user_name, token]: [f32; 4]) -> Self {
        Self { word, slug, user_name, token }
    }

    /// The probabilities in the order of [`ComponentClass::ALL`].
    pub fn to_array(self) -> [f32; 4] {
        [self.word, self.slug, self.user_name, self.token]
    }

    /// The probability of a class.
    pub fn of(self, class: ComponentClass) -> f32 {
        self.to_array()[class.index()]
    }

    /// The class with the highest probability; the first of several equal ones.
    pub fn most_likely(self) -> ComponentClass {
        let mut best = ComponentClass::Word;
        for class in ComponentClass::ALL {
            if self.of(class) > self.of(best) {
                best = class;
            }
        }
        best
    }
}

/// Why components cannot be classified.
#[derive(Debug, Error)]
pub enum ComponentNetworkError {
    /// ONNX Runtime is not available.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// ONNX Runtime refused or failed to run the network.
    #[error("onnx runtime failed to classify path components: {0}")]
    Ort(#[from] ort::Error),
    /// The network was made for other features or classes.
    #[error("the component network does not fit this program; train it again with `make component-network`")]
    Layout,
}

/// The network in ONNX Runtime, on one thread: the same texts give the same probabilities.
#[derive(Debug)]
pub struct ComponentNetwork {
    session: Session,
    batch_rows: usize,
    lexicon: Lexicon,
}

impl ComponentNetwork {
    /// The network that comes with the program; ONNX Runtime is loaded if it is not yet.
    pub fn open() -> Result<Self, ComponentNetworkError> {
        Self::from_onnx(apiward_models::COMPONENT_NETWORK, Part::All)
    }

    /// A network that was trained by this version of the program on words of `part`, which are those that it knows.
    pub fn from_onnx(onnx: &[u8], part: Part) -> Result<Self, ComponentNetworkError> {
        let session = open_session(runtime::load(None)?, onnx)?;
        let input = session.inputs().iter().find(|input| input.name() == FEATURES_INPUT);
        let shape = input.and_then(|input| input.dtype().tensor_shape()).map(|shape| shape.to_vec());
        match shape.as_deref() {
            Some(&[batch_rows, features]) if batch_rows > 0 && features == FEATURES as i64 => {
                Ok(Self { session, batch_rows: batch_rows as usize, lexicon: Lexicon::new(part) })
            }
            _ => Err(ComponentNetworkError::Layout),
        }
    }

    /// The probabilities of each text, in order. Texts are decoded path components without slashes; of longer ones than
    /// [`TEXT_BYTES_MAX`], the rest is not looked at.
    pub fn classify(&mut self, texts: &[&str]) -> Result<Vec<ComponentProbabilities>, ComponentNetworkError> {
        let mut probabilities = Vec::with_capacity(texts.len());
        let mut rows = vec![0.0; self.batch_rows * FEATURES];
        for texts in texts.chunks(self.batch_rows) {
            rows.fill(0.0);
            for (text, row) in texts.iter().zip(rows.chunks_mut(FEATURES)) {
                SparseFeatures::of(text, &mut |word| self.lexicon.find(word)).add_to(row);
            }
            let input = TensorRef::from_array_view(([self.batch_rows, FEATURES], rows.as_slice()))?;
            let outputs = self.session.run(ort::inputs! { FEATURES_INPUT => input })?;
            let output = outputs.get(PROBABILITIES).ok_or(ComponentNetworkError::Layout)?;
            let (_, values) = output.try_extract_tensor::<f32>()?;
            let (rows, rest) = values.as_chunks::<{ ComponentClass::ALL.len() }>();
            if rows.len() != self.batch_rows || !rest.is_empty() {
                return Err(ComponentNetworkError::Layout);
            }
            probabilities.extend(rows[..texts.len()].iter().copied().map(ComponentProbabilities::from_array));
        }
        Ok(probabilities)
    }
}

#[cfg(test)]
mod tests;
