//! A bundle with anything wrong about it never gets into use, and a good one gets into use on all workers.

mod e2e;

use apiward_detector::bundle::{NetworkKind, PublicKey, SecretKey, open, seal};
use apiward_detector::limits;
use apiward_e2e::harness::{Envoy, Secrets};
use serde_json::json;

use e2e::{
    EchoService, HostileTrainer, INTERVAL_MS, Learned, assert_judged_on_all_workers, capture, filter_configuration,
    honest_requests, learn, until, until_judged_on_all_workers,
};

const LEARNED_EXCHANGES: usize = 1500;
const FIRST_SERIAL: u64 = 10;
/// Of what is refused for anything but its serial.
const REFUSED_SERIAL: u64 = 11;
const LAST_SERIAL: u64 = 12;
const BODY_BYTES_MAX: usize = 4096;

const REFUSALS: &str = "apiward_bundle_refusals_total";
const SERIAL: &str = "apiward_bundle_serial";

/// Where the envelope has the key id.
const KEY_ID_BYTES: std::ops::Range<usize> = 10..18;
/// Of magic, version, key id and signature.
const ENVELOPE_BYTES: usize = 82;

/// Bytes that must not become a model.
struct Lie {
    what: &'static str,
    bytes: Vec<u8>,
    /// In the reported refusal, where the bundle could be read that far.
    serial: Option<u64>,
    /// Part of the reported reason.
    reason: &'static str,
}

fn flipped(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] ^= 1;
    bytes
}

/// An operator that ONNX has and the allowlist has not, under a name of the same length.
fn with_selu_for_relu(onnx: &[u8]) -> Vec<u8> {
    let at = onnx.windows(6).position(|bytes| bytes == b"\x22\x04Relu").expect("the network has a Relu");
    let mut changed = onnx.to_vec();
    changed[at + 2] = b'S';
    changed
}

/// `learned` with everything that can be wrong, `other` being another model on the same features.
fn lies(learned: &Learned, other: &Learned, trusted: &PublicKey) -> anyhow::Result<Vec<Lie>> {
    let good = learned.sealed(REFUSED_SERIAL)?;
    let (middle, length) = (good.len() / 2, good.len());
    let stranger = SecretKey::from_seed([7; 32]);
    let by_stranger = seal(&open(&good, std::slice::from_ref(trusted))?, &stranger)?;
    let mut under_trusted_name = by_stranger.clone();
    under_trusted_name[KEY_ID_BYTES].copy_from_slice(&trusted.id().0);
    let unread = |what, bytes, reason| Lie { what, bytes, serial: None, reason };
    let read = |what, bytes, reason| Lie { what, bytes, serial: Some(REFUSED_SERIAL), reason };
    let changed = |change: fn(&mut apiward_detector::bundle::Bundle)| learned.changed(REFUSED_SERIAL, change);
    let other_network = learned.changed(REFUSED_SERIAL, |bundle| bundle.networks = other.bundle.networks.clone())?;
    Ok(vec![
        unread("a flipped byte in the payload", flipped(good.clone(), middle), "signature does not match"),
        unread("a flipped last byte", flipped(good.clone(), length - 1), "signature does not match"),
        unread("a flipped byte in the signature", flipped(good.clone(), KEY_ID_BYTES.end), "signature does not match"),
        unread("a flipped byte in the key id", flipped(good.clone(), KEY_ID_BYTES.start), "not among the configured"),
        unread("a flipped byte in the magic", flipped(good.clone(), 0), "no apiward bundle"),
        unread("the signature of another key", under_trusted_name, "signature does not match"),
        unread("an unknown key id", by_stranger, "not among the configured"),
        unread("a truncated payload", good[..middle].to_vec(), "signature does not match"),
        unread("a truncated envelope", good[..ENVELOPE_BYTES - 1].to_vec(), "ends within the envelope"),
        unread("too many bytes", vec![0; limits::BUNDLE_BYTES_MAX + 1], "are accepted"),
        unread("an older schema", changed(|bundle| bundle.manifest.schema = 0)?, "bundle schema 0"),
        Lie {
            what: "a lower serial",
            bytes: learned.sealed(FIRST_SERIAL - 1)?,
            serial: Some(FIRST_SERIAL - 1),
            reason: "is below",
        },
        read("another scope", changed(|bundle| bundle.manifest.scope = "bank".to_owned())?, "made for scope"),
        read("an expired bundle", changed(|bundle| bundle.manifest.expires_ms = Some(1))?, "expired"),
        read(
            "another hash key",
            changed(|bundle| bundle.manifest.hash_key_id = "0000000000000000".to_owned())?,
            "made with hash key",
        ),
        read(
            "an operator outside the allowlist",
            changed(|bundle| {
                for network in &mut bundle.networks {
                    network.onnx = with_selu_for_relu(&network.onnx);
                }
            })?,
            "operator Selu is not allowed",
        ),
        read("a network that disagrees with its golden cases", other_network, "golden case"),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_and_reported_while_the_old_model_judges_on_all_workers() -> anyhow::Result<()> {
    let secrets = Secrets::random()?;
    let service = EchoService::start().await?;
    let trainer = HostileTrainer::start().await?;
    let envoy = Envoy::builder(service.address(), trainer.address(), &secrets)?
        .filter(&filter_configuration(&json!({
            // Whole uploads would fill the buffer for captures.
            "body_bytes_max": BODY_BYTES_MAX,
            // Bundles of 16 MiB take a while to come.
            "trainer": {"poll_interval_ms": INTERVAL_MS, "flush_interval_ms": INTERVAL_MS, "timeout_ms": 30_000},
        })))
        .start()
        .await?;
    let captures = capture(&envoy, &trainer, &honest_requests(1, LEARNED_EXCHANGES)).await?;
    let (learned, other) = (learn(&captures, &secrets, 1).await?, learn(&captures, &secrets, 2).await?);
    assert!(learned.bundle.networks.iter().any(|network| network.kind == NetworkKind::Autoencoder));

    trainer.hand_out(learned.sealed(FIRST_SERIAL)?);
    until_judged_on_all_workers(&envoy, &trainer, FIRST_SERIAL).await?;

    for lie in lies(&learned, &other, &secrets.signing.public())? {
        let what = lie.what;
        let (refusals, reported) = (envoy.metric(REFUSALS).await?, trainer.refusals().len());
        trainer.hand_out(lie.bytes);
        let refusal =
            until(&format!("the refusal of {what}"), async || Ok(trainer.refusals().get(reported).cloned())).await?;
        assert!(refusal.reason.contains(lie.reason), "{what} is refused because {}", refusal.reason);
        assert_eq!(refusal.serial, lie.serial, "{what}");
        assert!(envoy.metric(REFUSALS).await? > refusals, "{what} is not counted");
        assert_judged_on_all_workers(&envoy, &trainer, FIRST_SERIAL).await?;
        assert_eq!(envoy.metric(SERIAL).await?, FIRST_SERIAL, "{what}");
    }

    trainer.hand_out(other.sealed(LAST_SERIAL)?);
    until_judged_on_all_workers(&envoy, &trainer, LAST_SERIAL).await?;
    assert_eq!(envoy.metric(SERIAL).await?, LAST_SERIAL);
    assert_eq!(trainer.unreadable(), Vec::<String>::new());
    envoy.stop().await
}
