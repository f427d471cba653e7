use apiward_models::NamedTensor;
use apiward_models::autoencoder::INFERENCE_OPERATORS;
use pb::tensor_proto::DataType;
use pb::tensor_shape_proto::dimension::Value as Dimension;
use pb::type_proto::Value as Type;

use super::*;

const FEATURE_COUNT: usize = 6;

fn parameters() -> Vec<NamedTensor> {
    apiward_models::Autoencoder::for_features(FEATURE_COUNT).unwrap().initial_parameters(7).unwrap()
}

fn exported() -> Vec<u8> {
    let network = apiward_models::Autoencoder::for_features(FEATURE_COUNT).unwrap();
    network.inference_onnx(&parameters(), 1).unwrap()
}

/// Loads the exported network after a change to it.
fn load_changed(change: impl FnOnce(&mut pb::ModelProto)) -> Result<Autoencoder, BundleError> {
    let mut model = pb::ModelProto::decode(exported().as_slice()).unwrap();
    change(&mut model);
    Autoencoder::load(&model.encode_to_vec(), FEATURE_COUNT)
}

fn refusal(change: impl FnOnce(&mut pb::ModelProto)) -> String {
    load_changed(change).unwrap_err().to_string()
}

#[track_caller]
fn check(change: impl FnOnce(&mut pb::ModelProto), expected: &str) {
    let refusal = refusal(change);
    assert!(refusal.contains(expected), "{refusal}");
}

fn graph(model: &mut pb::ModelProto) -> &mut pb::GraphProto {
    model.graph.as_mut().unwrap()
}

fn node<'a>(model: &'a mut pb::ModelProto, op_type: &str) -> &'a mut pb::NodeProto {
    graph(model).node.iter_mut().find(|node| node.op_type == op_type).unwrap()
}

fn parameter<'a>(model: &'a mut pb::ModelProto, name: &str) -> &'a mut pb::TensorProto {
    graph(model).initializer.iter_mut().find(|tensor| tensor.name == name).unwrap()
}

fn tensor_type(info: &mut pb::ValueInfoProto) -> &mut pb::type_proto::Tensor {
    match info.r#type.as_mut().unwrap().value.as_mut().unwrap() {
        Type::TensorType(tensor) => tensor,
    }
}

fn first_dimension(info: &mut pb::ValueInfoProto) -> &mut Option<Dimension> {
    &mut tensor_type(info).shape.as_mut().unwrap().dim[0].value
}

fn floats_of(name: &str, dims: &[i64], values: &[f32]) -> pb::TensorProto {
    pb::TensorProto {
        name: name.to_owned(),
        dims: dims.to_vec(),
        data_type: DataType::Float as i32,
        float_data: values.to_vec(),
        ..Default::default()
    }
}

fn node_of(op_type: &str, inputs: &[&str], output: &str) -> pb::NodeProto {
    pb::NodeProto {
        op_type: op_type.to_owned(),
        input: inputs.iter().map(|&input| input.to_owned()).collect(),
        output: vec![output.to_owned()],
        ..Default::default()
    }
}

fn concat_of(inputs: &[&str], output: &str) -> pb::NodeProto {
    let axis = pb::AttributeProto { name: "axis".to_owned(), i: 1, r#type: 2, ..Default::default() };
    pb::NodeProto { attribute: vec![axis], ..node_of("Concat", inputs, output) }
}

/// The network written out by hand in 64-bit floats.
fn expected_error(features: &[f32], visible: &[f32]) -> f64 {
    let parameters = parameters();
    let values = |name: String| &parameters.iter().find(|tensor| tensor.name == name).unwrap().values;
    let mut row: Vec<f64> = features.iter().zip(visible).map(|(f, v)| f64::from(f * v)).collect();
    row.extend(visible.iter().map(|&visible| f64::from(visible)));
    for layer in ["hidden0", "hidden1", "hidden2", "output"] {
        let (weights, bias) = (values(format!("{layer}.weight")), values(format!("{layer}.bias")));
        row = (0..bias.len())
            .map(|column| {
                let product: f64 = (0..row.len()).map(|k| row[k] * f64::from(weights[k * bias.len() + column])).sum();
                let sum = product + f64::from(bias[column]);
                if layer == "output" { sum } else { sum.max(0.0) }
            })
            .collect();
    }
    let squares =
        row.iter().zip(features).zip(visible).map(|((r, &f), &v)| ((r - f64::from(f)) * f64::from(v)).powi(2));
    squares.sum::<f64>() / visible.iter().map(|&v| f64::from(v)).sum::<f64>().max(1.0)
}

#[test]
fn the_operators_are_those_that_exported_networks_use() {
    assert_eq!(OPERATORS, INFERENCE_OPERATORS);
}

#[test]
fn the_error_is_the_mean_over_visible_features() {
    let network = Autoencoder::load(&exported(), FEATURE_COUNT).unwrap();
    let features = [0.5, -1.25, 3.0, 0.0, 2.0, -0.75];
    for visible in [[1.0; 6], [1.0, 0.0, 1.0, 1.0, 0.0, 0.0], [0.0; 6]] {
        let result = network.reconstruct(&features, &visible).unwrap();
        let expected = expected_error(&features, &visible);
        assert!((f64::from(result.error) - expected).abs() <= 1e-5 * (1.0 + expected), "{} {expected}", result.error);
        let mean = result.squared_error.iter().sum::<f32>() / visible.iter().sum::<f32>().max(1.0);
        assert!((result.error - mean).abs() <= 1e-5 * (1.0 + mean));
        for (squared_error, visible) in result.squared_error.iter().zip(visible) {
            assert!(visible == 1.0 || *squared_error == 0.0);
        }
    }
}

#[test]
fn inputs_of_another_length_are_refused() {
    let network = Autoencoder::load(&exported(), FEATURE_COUNT).unwrap();
    assert_eq!(network.reconstruct(&[0.0; 5], &[1.0; 6]), Err("5 features given, 6 expected".to_owned()));
    assert_eq!(network.reconstruct(&[0.0; 6], &[1.0; 7]), Err("7 features given, 6 expected".to_owned()));
}

#[test]
fn a_result_that_is_no_finite_number_is_an_error() {
    let network = Autoencoder::load(&exported(), FEATURE_COUNT).unwrap();
    for value in [f32::NAN, f32::INFINITY, f32::MAX] {
        let refusal = network.reconstruct(&[value; 6], &[1.0; 6]).unwrap_err();
        assert!(refusal.contains("no finite number"), "{refusal}");
    }
}

#[test]
fn parameters_may_be_stored_as_floats_instead_of_bytes() {
    let network = load_changed(|model| {
        for tensor in &mut graph(model).initializer {
            let raw = std::mem::take(&mut tensor.raw_data);
            if tensor.data_type == DataType::Float as i32 {
                tensor.float_data = raw.as_chunks().0.iter().copied().map(f32::from_le_bytes).collect();
            } else {
                tensor.int64_data = raw.as_chunks().0.iter().copied().map(i64::from_le_bytes).collect();
            }
        }
    });
    let (features, visible) = ([0.3; FEATURE_COUNT], [1.0; FEATURE_COUNT]);
    let original = Autoencoder::load(&exported(), FEATURE_COUNT).unwrap();
    assert_eq!(network.unwrap().reconstruct(&features, &visible), original.reconstruct(&features, &visible));
}

#[test]
fn layers_that_cannot_be_fused_give_the_same() {
    let (features, visible) = ([0.3; FEATURE_COUNT], [1.0; FEATURE_COUNT]);
    let expected = Autoencoder::load(&exported(), FEATURE_COUNT).unwrap().reconstruct(&features, &visible).unwrap();
    // Something else that the error needs uses a product and a sum, each of which a dense layer would swallow.
    let used_twice = load_changed(|model| {
        let zero = floats_of("zero", &[1, 1], &[0.0]);
        graph(model).initializer.push(zero);
        let layers: Vec<String> = ["MatMul", "Add"].iter().map(|op| node(model, op).output[0].clone()).collect();
        let error = graph(model).node.iter_mut().find(|node| node.output[0] == ERROR).unwrap();
        error.output[0] = "plain_error".to_owned();
        let added = [
            concat_of(&[&layers[0], &layers[1]], "layers"),
            node_of("Mul", &["layers", "zero"], "zeros"),
            pb::NodeProto { input: vec!["zeros".to_owned(), node(model, "ReduceSum").input[1].clone()], ..sum_node() },
            node_of("Add", &["plain_error", "nothing"], ERROR),
        ];
        graph(model).node.extend(added);
    });
    assert_eq!(used_twice.unwrap().reconstruct(&features, &visible).unwrap(), expected);
}

fn sum_node() -> pb::NodeProto {
    let keep = pb::AttributeProto { name: "keepdims".to_owned(), i: 0, r#type: 2, ..Default::default() };
    pb::NodeProto { attribute: vec![keep], ..node_of("ReduceSum", &[], "nothing") }
}

#[test]
fn an_operator_outside_the_allowlist_is_named() {
    for operator in ["Sub", "Max", "Conv", "Loop", ""] {
        let refused = load_changed(|model| node(model, "Relu").op_type = operator.to_owned()).unwrap_err();
        let expected = BundleError::Operator { network: "autoencoder".to_owned(), operator: operator.to_owned() };
        assert_eq!(refused, expected);
    }
    check(|model| node(model, "Relu").domain = "com.microsoft".to_owned(), "operator Relu of com.microsoft");
}

#[test]
fn other_versions_are_refused() {
    check(|model| model.ir_version = 6, "format version 6");
    check(|model| model.ir_version = i64::MAX, "format version");
    check(|model| model.opset_import[0].version = 12, "operator set 12");
    check(|model| model.opset_import[0].version = 18, "operator set 18");
    check(|model| model.opset_import[0].domain = "ai.onnx.ml".to_owned(), "ai.onnx.ml");
    check(|model| model.opset_import.clear(), "0 operator sets");
    check(|model| model.opset_import.push(model.opset_import[0].clone()), "2 operator sets");
}

#[test]
fn names_must_be_unique_and_defined_before_use() {
    check(|model| node(model, "Relu").output[0] = FEATURES.to_owned(), "used twice");
    check(|model| node(model, "Relu").output[0].clear(), "empty");
    check(|model| graph(model).initializer.push(floats_of(VISIBLE, &[1], &[1.0])), "used twice");
    check(|model| node(model, "Relu").input[0] = "nowhere".to_owned(), "\"nowhere\" is not defined");
    check(|model| node(model, "Relu").input[0] = node(model, "Relu").output[0].clone(), "only after it is needed");
    check(|model| graph(model).node.reverse(), "only after it is needed");
    check(|model| graph(model).output.extend_from_within(..1), "declared twice");
    check(|model| node(model, "Relu").output.push("mask".to_owned()), "one output");
}

#[test]
fn inputs_and_outputs_are_found_by_name() {
    let network = load_changed(|model| {
        graph(model).input.reverse();
        graph(model).output.reverse();
    });
    let (features, visible) = ([0.3, 1.0, -2.0, 0.1, 0.2, 0.5], [1.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
    let original = Autoencoder::load(&exported(), FEATURE_COUNT).unwrap();
    assert_eq!(network.unwrap().reconstruct(&features, &visible), original.reconstruct(&features, &visible));
    check(|model| graph(model).output.retain(|output| output.name != ERROR), "no output \"error\"");
    check(|model| graph(model).output.retain(|output| output.name != SQUARED_ERROR), "no output \"squared_error\"");
    let with_third_input = |model: &mut pb::ModelProto| {
        graph(model).input.extend_from_within(..1);
        graph(model).input[2].name = "third".to_owned();
    };
    check(with_third_input, "3 inputs");
    let with_other_name = |model: &mut pb::ModelProto| {
        for name in graph(model).node.iter_mut().flat_map(|node| &mut node.input).filter(|name| *name == VISIBLE) {
            "mask".clone_into(name);
        }
        graph(model).input.iter_mut().find(|input| input.name == VISIBLE).unwrap().name = "mask".to_owned();
    };
    check(with_other_name, "no input \"visible\"");
}

#[test]
fn another_width_is_refused() {
    let refused = Autoencoder::load(&exported(), FEATURE_COUNT + 1).unwrap_err().to_string();
    assert!(refused.contains("[1, 6], [1, 7] is expected"), "{refused}");
}

#[test]
fn the_batch_must_be_one() {
    let network = apiward_models::Autoencoder::for_features(FEATURE_COUNT).unwrap();
    let pair = network.inference_onnx(&parameters(), 2).unwrap();
    let refused = Autoencoder::load(&pair, FEATURE_COUNT).unwrap_err().to_string();
    assert!(refused.contains("the batch must be 1"), "{refused}");
}

#[test]
fn shapes_must_be_static_small_and_right() {
    let batch = |dimension| move |model: &mut pb::ModelProto| *first_dimension(&mut graph(model).input[0]) = dimension;
    check(batch(Some(Dimension::DimParam("N".to_owned()))), "not static");
    check(batch(None), "not static");
    check(batch(Some(Dimension::DimValue(0))), "below 1");
    check(batch(Some(Dimension::DimValue(-1))), "below 1");
    check(batch(Some(Dimension::DimValue(3))), "the batch must be 1");
    check(|model| *first_dimension(&mut graph(model).output[0]) = Some(Dimension::DimValue(2)), "is declared as [2]");
    check(|model| tensor_type(&mut graph(model).input[0]).shape = None, "no shape");
    check(|model| tensor_type(&mut graph(model).input[0]).elem_type = DataType::Double as i32, "32-bit floats");
    check(|model| graph(model).input[0].r#type = None, "no type");
    check(|model| parameter(model, "hidden0.weight").dims.push(1), "3 dimensions");
    check(|model| parameter(model, "hidden0.weight").dims.reverse(), "cannot take inputs");
    check(|model| parameter(model, "hidden0.weight").dims[0] = -12, "below 1");
}

#[test]
fn operands_must_fit_their_operator() {
    check(|model| node(model, "MatMul").input.reverse(), "MatMul cannot take inputs");
    check(|model| node(model, "MatMul").input[1] = FEATURES.to_owned(), "MatMul cannot take inputs");
    check(|model| node(model, "Relu").input.push(FEATURES.to_owned()), "Relu cannot take inputs");
    check(|model| node(model, "Add").input.truncate(1), "cannot take inputs");
    check(|model| node(model, "Div").input.clear(), "cannot take inputs");
    check(|model| node(model, "Mul").input[1] = "hidden0.bias".to_owned(), "cannot take inputs");
    check(|model| node(model, "Concat").input.clear(), "Concat cannot take inputs");
    check(|model| node(model, "Concat").input[0] = "hidden0.weight".to_owned(), "Concat cannot take inputs");
    check(|model| node(model, "Relu").input[0] = "hidden0.weight".to_owned(), "the batch must be 1");
}

#[test]
fn axes_must_be_that_of_the_row() {
    let axes = |axis: i64| {
        move |model: &mut pb::ModelProto| {
            let name = node(model, "ReduceSum").input[1].clone();
            parameter(model, &name).raw_data = axis.to_le_bytes().to_vec();
        }
    };
    check(axes(0), "ReduceSum has axes Some([0])");
    check(axes(2), "ReduceSum has axes");
    check(axes(i64::MIN), "ReduceSum has axes");
    load_changed(axes(-1)).unwrap();
    check(|model| node(model, "ReduceSum").input.truncate(1), "ReduceSum has axes None");
    check(|model| node(model, "ReduceSum").input.reverse(), "integers where it takes none");
    check(
        |model| {
            let axes = node(model, "ReduceSum").input[1].clone();
            node(model, "Relu").input.push(axes);
        },
        "Relu is given integers",
    );
    check(|model| node(model, "Concat").attribute[0].i = 0, "Concat has axis Some(0)");
    check(|model| node(model, "Concat").attribute.clear(), "Concat has axis None");
    check(|model| node(model, "ReduceSum").attribute[0].i = 2, "keepdims 2");
}

#[test]
fn attributes_must_belong_to_their_operator() {
    check(|model| node(model, "Concat").attribute[0].r#type = 1, "one integer as its axis");
    check(
        |model| {
            let concat = node(model, "Concat");
            concat.attribute.push(concat.attribute[0].clone());
        },
        "one integer as its axis",
    );
    check(|model| node(model, "Relu").attribute.push(pb::AttributeProto::default()), "does not take");
}

#[test]
fn parameters_must_be_finite_and_complete() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        check(
            |model| parameter(model, "hidden1.bias").raw_data[4..8].copy_from_slice(&value.to_le_bytes()),
            "\"hidden1.bias\" holds a value that is no finite number",
        );
    }
    check(|model| parameter(model, "hidden0.weight").raw_data.truncate(8), "as many values as its shape says");
    check(|model| parameter(model, "hidden0.weight").raw_data.push(0), "as many values as its shape says");
    check(|model| parameter(model, "hidden0.bias").float_data.push(1.0), "as many values as its shape says");
    check(|model| parameter(model, "hidden0.bias").int64_data.push(1), "as many values as its shape says");
    check(|model| parameter(model, "hidden0.bias").data_type = DataType::Float16 as i32, "neither 32-bit floats");
    check(|model| parameter(model, "hidden0.bias").data_type = 99, "neither 32-bit floats");
}

#[test]
fn caps_hold_before_anything_is_built() {
    let limit = |change: fn(&mut pb::ModelProto)| match load_changed(change).unwrap_err() {
        BundleError::Limit { limit } => limit,
        other => panic!("{other}"),
    };
    assert_eq!(
        limit(|model| {
            let many = limits::NETWORK_NODES_MAX + 1;
            graph(model).node = (0..many).map(|index| node_of("Relu", &[FEATURES], &index.to_string())).collect();
        }),
        "operations of a network"
    );
    // Only claims to be large.
    assert_eq!(limit(|model| parameter(model, "hidden0.weight").dims[0] = i64::MAX), "parameters of a network");
    assert_eq!(limit(|model| parameter(model, "hidden0.weight").dims[0] = 1_000_000), "parameters of a network");
    // Each twice as wide as the one before.
    assert_eq!(
        limit(|model| {
            let name = |index: usize| if index == 0 { FEATURES.to_owned() } else { format!("wide{index}") };
            let wide = (0..64).map(|index| concat_of(&[&name(index), &name(index)], &name(index + 1))).collect();
            graph(model).node = wide;
        }),
        "multiply-adds of a network"
    );
    let too_long = vec![0; limits::NETWORK_BYTES_MAX + 1];
    assert_eq!(
        Autoencoder::load(&too_long, FEATURE_COUNT).unwrap_err(),
        BundleError::Limit { limit: "bytes of a network" }
    );
    let empty_nodes = pb::GraphProto { node: vec![pb::NodeProto::default(); 10_000], ..Default::default() };
    let bomb = pb::ModelProto { graph: Some(empty_nodes), ..Default::default() }.encode_to_vec();
    assert_eq!(
        Autoencoder::load(&bomb, FEATURE_COUNT).unwrap_err(),
        BundleError::Limit { limit: "protobuf fields of a network" }
    );
}

#[test]
fn what_no_network_needs_is_refused_before_decoding() {
    check(|model| model.functions.push(pb::FunctionProto::default()), "field 25 of ModelProto");
    check(|model| model.training_info.push(pb::TrainingInfoProto::default()), "field 20 of ModelProto");
    check(|model| graph(model).sparse_initializer.push(pb::SparseTensorProto::default()), "field 15 of GraphProto");
    check(|model| node(model, "Concat").attribute[0].g = Some(pb::GraphProto::default()), "field 6 of AttributeProto");
    check(|model| parameter(model, "hidden0.bias").data_location = Some(1), "field 14 of TensorProto");
    check(|model| parameter(model, "hidden0.bias").double_data.push(1.0), "field 10 of TensorProto");
    check(|model| node(model, "Relu").name = "x".repeat(limits::NETWORK_NAME_BYTES_MAX + 1), "field 3 of NodeProto");
    check(|model| parameter(model, "hidden0.bias").dims = vec![1; 100], "field 1 of TensorProto");
    check(|model| model.graph = None, "no graph");
}

#[test]
fn bytes_that_are_no_protobuf_are_refused() {
    let onnx = exported();
    for bytes in [&b"\xff\xff"[..], b"\x07", b"\x3a\x05", b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", &onnx[..50]]
    {
        let refused = Autoencoder::load(bytes, FEATURE_COUNT).unwrap_err().to_string();
        assert!(refused.contains("no valid protobuf"), "{refused}");
    }
}
