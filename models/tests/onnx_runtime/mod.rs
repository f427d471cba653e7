//! Runs exported models in ONNX Runtime.

use std::sync::OnceLock;

use apiward_models::Shape;
use ort::{environment::Environment, session::Session, value::Tensor};

/// A value for a model's input.
pub struct Given {
    pub name: String,
    pub shape: Shape,
    pub values: Vec<f32>,
}

impl Given {
    pub fn new(name: impl Into<String>, shape: &[usize], values: Vec<f32>) -> Self {
        Self { name: name.into(), shape: shape.to_vec(), values }
    }
}

/// Opens a model on one thread; the test fails with what to do when there is no ONNX Runtime.
pub fn open(onnx: &[u8]) -> Session {
    let builder = Session::builder(environment()).unwrap().with_intra_threads(1).unwrap();
    builder.with_inter_threads(1).unwrap().commit_from_memory(onnx).unwrap()
}

/// Runs a model and returns the values of the outputs asked for.
pub fn run(session: &mut Session, given: &[Given], outputs: &[&str]) -> Vec<Vec<f32>> {
    let inputs: Vec<_> = given
        .iter()
        .map(|input| {
            let tensor = Tensor::from_array((input.shape.as_slice(), input.values.clone())).unwrap();
            (input.name.as_str(), tensor)
        })
        .collect();
    let results = session.run(inputs).unwrap();
    outputs.iter().map(|&name| results[name].try_extract_tensor::<f32>().unwrap().1.to_vec()).collect()
}

fn environment() -> &'static Environment {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let library = std::env::var("ORT_DYLIB_PATH")
            .expect("ORT_DYLIB_PATH must name libonnxruntime's shared library; `make test` sets it");
        ort::init_from(library).unwrap().with_telemetry(false).build().unwrap()
    })
}
