use std::ops::ControlFlow;

use super::{
    training::{ComponentData, TrainingOptions, fit_all, fit_divided, layout},
    *,
};
use crate::fit::Schedule;

fn probabilities(texts: &[&str]) -> Vec<ComponentProbabilities> {
    ComponentNetwork::open().unwrap().classify(texts).unwrap()
}

#[test]
fn obvious_components_are_told_apart() {
    let check = |class: ComponentClass, texts: &[&str]| {
        for (text, probabilities) in texts.iter().zip(probabilities(texts)) {
            assert_eq!(probabilities.most_likely(), class, "{text}: {probabilities:?}");
        }
    };
    check(
        ComponentClass::Word,
        &[
            "orders",
            "access-tokens",
            "installation_repositories",
            "getUserById",
            "chat.postMessage",
            "findByStatus",
            "oauth2",
            "v2beta",
            ".well-known",
        ],
    );
    check(ComponentClass::Slug, &["how-to-bake-bread", "hello-world", "my-app-2", "release-1.4", "ubuntu", "nyc3"]);
    check(ComponentClass::UserName, &["jsmith42", "anna.lee", "maria_garcia", "octocat", "acme-corp"]);
    check(ComponentClass::Token, &["xKfQpz", "cus_abcDEF", "dQw4w9WgXcQ", "JBSWY3DPEHPK3PXP", "eyJhbGciOiJIUzI1NiJ9"]);
}

#[test]
fn probabilities_sum_to_one_and_do_not_depend_on_what_is_classified_together() {
    let texts: Vec<String> = (0..70).map(|number| format!("thing-{number}")).collect();
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    texts.extend(["", "-", "ü", "日本語", "a b", "\u{0}"]);
    let together = probabilities(&texts);
    assert_eq!(together, probabilities(&texts));
    let mut network = ComponentNetwork::open().unwrap();
    for (text, together) in texts.iter().zip(&together) {
        let sum: f32 = together.to_array().iter().sum();
        assert!((sum - 1.0).abs() < 1e-5 && together.to_array().iter().all(|share| (0.0..=1.0).contains(share)));
        let alone = network.classify(&[text]).unwrap();
        assert_eq!(alone, [*together], "{text}");
    }
    assert_eq!(network.classify(&[]).unwrap(), []);
}

#[test]
fn long_texts_are_cut() {
    let long = "a-tale-of-two-cities-".repeat(10_000);
    let probabilities = probabilities(&[&long, &long[..TEXT_BYTES_MAX]]);
    assert_eq!(probabilities[0], probabilities[1]);
}

#[test]
fn a_network_of_another_layout_is_refused() {
    let other = apiward_models::Classifier::new(7, vec![4], 4).unwrap();
    let onnx = other.inference_onnx(&other.initial_parameters(1).unwrap(), 2, 1.0).unwrap();
    assert!(matches!(ComponentNetwork::from_onnx(&onnx, Part::All), Err(ComponentNetworkError::Layout)));
}

#[test]
fn the_shipped_network_is_small() {
    assert!(apiward_models::COMPONENT_NETWORK.len() < 400_000);
    assert!(layout().unwrap().cost().unwrap().multiply_adds < 100_000);
}

#[test]
fn the_same_seed_gives_the_same_network_bytes() {
    let fit = |seed| {
        let options = TrainingOptions {
            per_class: 300,
            held_out_per_class: 100,
            schedule: Schedule { seed, epochs_max: 2, ..TrainingOptions::default().schedule },
        };
        let data = ComponentData::divided(&options);
        let divided = fit_divided(&data, &options, &mut |_| ControlFlow::Continue(())).unwrap();
        let all = fit_all(&divided, &data, &options, &mut |_| ControlFlow::Continue(())).unwrap();
        (divided.onnx, all.onnx)
    };
    let first = fit(5);
    assert!(first.0 != first.1, "more words change nothing");
    assert!(first == fit(5), "two runs with one seed differ");
    assert!(first.0 != fit(6).0, "the seed changes nothing");
}
