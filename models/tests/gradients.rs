//! The gradient of every operator against finite differences of what ONNX Runtime computes.

mod onnx_runtime;

use Values::{Any, Positive};
use apiward_models::{Graph, GraphError, Initializer, ParameterSource, Shape, Tensor};
use onnx_runtime::{Given, open, run};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Half the distance of the two points of a central difference.
const DIFFERENCE: f32 = 1e-2;
/// Allowed deviation, absolute and relative; far above the rounding of `f32`, far below a wrong gradient.
const TOLERANCE: f32 = 2e-3;
/// Values keep this far away from 0, where `Relu` and `Sign` have kinks.
const ZERO_MARGIN: f32 = 0.2;

#[derive(Clone, Copy)]
enum Values {
    Any,
    Positive,
}

/// Compares the gradients of a weighted sum of what `build` makes of inputs of these shapes.
fn check(inputs: &[(&[usize], Values)], build: impl Fn(&mut Graph, &[Tensor]) -> Result<Tensor, GraphError>) {
    let mut generator = ChaCha8Rng::seed_from_u64(17);
    let mut graph = Graph::new();
    let mut targets = Vec::new();
    let mut given = Vec::new();
    for (index, &(shape, range)) in inputs.iter().enumerate() {
        let name = format!("input{index}");
        targets.push(graph.parameter(&name, shape, Initializer::Zeros).unwrap());
        given.push(Given::new(name, shape, random_values(&mut generator, shape, range)));
    }
    let result = build(&mut graph, &targets).unwrap();
    let loss = weighted_sum(&mut graph, &mut generator, result);
    let gradients = graph.gradients(loss, &targets).unwrap();

    // Inputs may share a gradient, and an output must be computed for itself alone.
    let one = graph.scalar(1.0).unwrap();
    let names: Vec<String> = (0..gradients.len()).map(|index| format!("gradient{index}")).collect();
    let mut outputs = vec![("loss", loss)];
    for ((name, &gradient), &target) in names.iter().zip(&gradients).zip(&targets) {
        assert_eq!(graph.shape(gradient), graph.shape(target));
        outputs.push((name, graph.mul(gradient, one).unwrap()));
    }
    let onnx = graph.to_onnx("gradients", &outputs, ParameterSource::Inputs).unwrap();
    let mut session = open(&onnx);
    let output_names: Vec<&str> = outputs.iter().map(|&(name, _)| name).collect();
    let analytic = run(&mut session, &given, &output_names);

    for (input, gradient) in analytic[1..].iter().enumerate() {
        for (position, &derived) in gradient.iter().enumerate() {
            let value = given[input].values[position];
            let mut loss_at = |moved: f32| {
                given[input].values[position] = moved;
                run(&mut session, &given, &["loss"])[0][0]
            };
            let numeric = (loss_at(value + DIFFERENCE) - loss_at(value - DIFFERENCE)) / (2.0 * DIFFERENCE);
            given[input].values[position] = value;
            assert!(
                (derived - numeric).abs() <= TOLERANCE * (1.0 + numeric.abs()),
                "input {input}, value {position}: gradient {derived}, finite difference {numeric}"
            );
        }
    }
}

fn random_values(generator: &mut ChaCha8Rng, shape: &[usize], range: Values) -> Vec<f32> {
    let count = shape.iter().product();
    let mut value = || {
        let size = generator.random_range(ZERO_MARGIN..1.5);
        let negative = generator.random::<bool>() && matches!(range, Values::Any);
        if negative { -size } else { size }
    };
    (0..count).map(|_| value()).collect()
}

/// A scalar to which every value contributes differently.
fn weighted_sum(graph: &mut Graph, generator: &mut ChaCha8Rng, tensor: Tensor) -> Tensor {
    let shape: Shape = graph.shape(tensor).clone();
    let weights = graph.constant(&shape, random_values(generator, &shape, Values::Any)).unwrap();
    let weighted = graph.mul(tensor, weights).unwrap();
    if shape.is_empty() {
        return weighted;
    }
    let axes: Vec<usize> = (0..shape.len()).collect();
    graph.reduce_sum(weighted, &axes, false).unwrap()
}

#[test]
fn matmul() {
    check(&[(&[3, 4], Any), (&[4, 2], Any)], |graph, inputs| graph.matmul(inputs[0], inputs[1]));
}

#[test]
fn matmul_of_a_matrix_with_itself() {
    check(&[(&[3, 3], Any)], |graph, inputs| graph.matmul(inputs[0], inputs[0]));
}

#[test]
fn add_sub_and_mul_with_equal_shapes() {
    let shapes: [(&[usize], Values); 2] = [(&[2, 3], Any), (&[2, 3], Any)];
    check(&shapes, |graph, inputs| graph.add(inputs[0], inputs[1]));
    check(&shapes, |graph, inputs| graph.sub(inputs[0], inputs[1]));
    check(&shapes, |graph, inputs| graph.mul(inputs[0], inputs[1]));
}

#[test]
fn add_sub_and_mul_with_broadcasting_on_either_side() {
    let pairs: [[(&[usize], Values); 2]; 4] = [
        [(&[2, 3], Any), (&[3], Any)],
        [(&[], Any), (&[2, 3], Any)],
        [(&[2, 1], Any), (&[1, 3], Any)],
        [(&[4, 1, 3], Any), (&[2, 1], Any)],
    ];
    for shapes in pairs {
        check(&shapes, |graph, inputs| graph.add(inputs[0], inputs[1]));
        check(&shapes, |graph, inputs| graph.sub(inputs[0], inputs[1]));
        check(&shapes, |graph, inputs| graph.mul(inputs[0], inputs[1]));
    }
}

#[test]
fn mul_of_a_value_with_itself() {
    check(&[(&[5], Any)], |graph, inputs| graph.mul(inputs[0], inputs[0]));
}

#[test]
fn div_also_with_broadcasting() {
    check(&[(&[2, 3], Any), (&[2, 3], Positive)], |graph, inputs| {
        let one = graph.scalar(1.0)?;
        let divisor = graph.add(inputs[1], one)?;
        graph.div(inputs[0], divisor)
    });
    check(&[(&[2, 3], Any), (&[2, 1], Positive)], |graph, inputs| {
        let one = graph.scalar(1.0)?;
        let divisor = graph.add(inputs[1], one)?;
        graph.div(inputs[0], divisor)
    });
}

#[test]
fn relu() {
    check(&[(&[4, 4], Any)], |graph, inputs| graph.relu(inputs[0]));
}

#[test]
fn sign_passes_no_gradient_of_its_own() {
    check(&[(&[8], Any)], |graph, inputs| {
        let sign = graph.sign(inputs[0])?;
        graph.mul(sign, inputs[0])
    });
}

#[test]
fn sqrt() {
    check(&[(&[6], Positive)], |graph, inputs| {
        let one = graph.scalar(1.0)?;
        let shifted = graph.add(inputs[0], one)?;
        graph.sqrt(shifted)
    });
}

#[test]
fn exp() {
    check(&[(&[6], Any)], |graph, inputs| graph.exp(inputs[0]));
}

#[test]
fn log() {
    check(&[(&[6], Positive)], |graph, inputs| {
        let one = graph.scalar(1.0)?;
        let shifted = graph.add(inputs[0], one)?;
        graph.log(shifted)
    });
}

#[test]
fn transpose() {
    check(&[(&[2, 3], Any)], |graph, inputs| graph.transpose(inputs[0]));
}

#[test]
fn reshape() {
    check(&[(&[2, 6], Any)], |graph, inputs| graph.reshape(inputs[0], &[3, 1, 4]));
    check(&[(&[1, 1], Any)], |graph, inputs| graph.reshape(inputs[0], &[]));
}

#[test]
fn expand() {
    check(&[(&[2, 1], Any)], |graph, inputs| graph.expand(inputs[0], &[3, 2, 4]));
    check(&[(&[], Any)], |graph, inputs| graph.expand(inputs[0], &[2, 2]));
}

#[test]
fn concat() {
    let shapes: [(&[usize], Values); 3] = [(&[2, 3], Any), (&[2, 1], Any), (&[2, 2], Any)];
    check(&shapes, |graph, inputs| graph.concat(inputs, 1));
    check(&[(&[1, 3], Any), (&[2, 3], Any)], |graph, inputs| graph.concat(inputs, 0));
}

#[test]
fn slice() {
    check(&[(&[2, 5], Any)], |graph, inputs| graph.slice(inputs[0], 1, 1, 4));
    check(&[(&[4, 2], Any)], |graph, inputs| graph.slice(inputs[0], 0, 0, 3));
    check(&[(&[4, 2], Any)], |graph, inputs| graph.slice(inputs[0], 0, 3, 4));
}

#[test]
fn reduce_sum() {
    check(&[(&[2, 3, 2], Any)], |graph, inputs| graph.reduce_sum(inputs[0], &[1], false));
    check(&[(&[2, 3, 2], Any)], |graph, inputs| graph.reduce_sum(inputs[0], &[0, 2], true));
}

#[test]
fn reduce_max() {
    check(&[(&[2, 3, 2], Any)], |graph, inputs| graph.reduce_max(inputs[0], &[1], false));
    check(&[(&[2, 3, 2], Any)], |graph, inputs| graph.reduce_max(inputs[0], &[0, 2], true));
}

#[test]
fn log_sum_exp_and_softmax() {
    check(&[(&[3, 4], Any)], |graph, inputs| graph.log_sum_exp(inputs[0], 1));
    check(&[(&[3, 4], Any)], |graph, inputs| graph.softmax(inputs[0], 1));
    check(&[(&[3, 4], Any)], |graph, inputs| graph.softmax(inputs[0], 0));
}

#[test]
fn log_sum_exp_and_softmax_do_not_overflow() {
    let mut graph = Graph::new();
    let input = graph.input("x", &[2, 3]).unwrap();
    let outputs =
        [("log_sum_exp", graph.log_sum_exp(input, 1).unwrap()), ("softmax", graph.softmax(input, 1).unwrap())];
    let onnx = graph.to_onnx("extremes", &outputs, ParameterSource::Inputs).unwrap();
    let given = [Given::new("x", &[2, 3], vec![1000.0, 1000.0, -1000.0, -1000.0, -1001.0, -3000.0])];
    let results = run(&mut open(&onnx), &given, &["log_sum_exp", "softmax"]);
    let expected_sums = [1000.0 + 2.0f32.ln(), -1000.0 + (1.0 + (-1.0f32).exp()).ln()];
    let larger = 1.0 / (1.0 + (-1.0f32).exp());
    let expected_shares = [0.5, 0.5, 0.0, larger, 1.0 - larger, 0.0];
    for (actual, expected) in results.concat().iter().zip(expected_sums.iter().chain(&expected_shares)) {
        assert!((actual - expected).abs() <= 1e-4, "{results:?}");
    }
}

#[test]
fn mean() {
    check(&[(&[3, 4], Any)], |graph, inputs| graph.mean(inputs[0]));
}

#[test]
fn a_value_that_is_used_twice_gets_both_gradients() {
    check(&[(&[2, 3], Any), (&[3, 2], Any)], |graph, inputs| {
        let product = graph.matmul(inputs[0], inputs[1])?;
        let rectified = graph.relu(product)?;
        let again = graph.matmul(rectified, inputs[0])?;
        graph.mul(again, inputs[0])
    });
}

#[test]
fn a_loss_must_be_a_scalar_that_depends_on_its_targets() {
    let mut graph = Graph::new();
    let used = graph.parameter("used", &[2], Initializer::Zeros).unwrap();
    let unused = graph.parameter("unused", &[2], Initializer::Zeros).unwrap();
    let doubled = graph.add(used, used).unwrap();
    assert_eq!(graph.gradients(doubled, &[used]), Err(GraphError::LossNotScalar { shape: vec![2] }));
    let loss = graph.mean(doubled).unwrap();
    assert_eq!(graph.gradients(loss, &[used, unused]), Err(GraphError::NoGradient { name: "unused".to_owned() }));
}
