//! Without a trainer, requests pass as if the filter were not there; and a model that was loaded goes on judging, also after the
//! module trapped.

mod e2e;

use apiward_e2e::harness::{Envoy, Secrets, filter_module, free_address};
use serde_json::json;

use e2e::{
    Client, EchoService, HostileTrainer, NoteRequest, Reply, VERDICT_HEADER, capture, filter_configuration,
    honest_requests, learn, serial_of, trapping_module, until, until_judged_on_all_workers,
};

const LEARNED_EXCHANGES: usize = 600;
const PASSED_EXCHANGES: usize = 200;
const SERIAL: u64 = 3;
/// Connections after which both workers had some, but for chance below one in a million.
const CONNECTIONS: usize = 24;
/// Past what the filter reads, and past Envoy's buffers.
const LARGE_BODY_BYTES: usize = 3 * 1024 * 1024;

/// A request with more headers makes the module trap here.
const HEADERS_MAX: u8 = 60;

const POLLS_FAILED: &str = "apiward_bundle_polls_total.result.failed";
const BATCHES_RETRIED: &str = "apiward_telemetry_batches_total.result.retried";

fn verdict_of(reply: &Reply) -> &str {
    reply.headers.get(VERDICT_HEADER).and_then(|verdict| verdict.to_str().ok()).unwrap_or_default()
}

/// Bytes that differ wherever something is lost, repeated or moved.
fn large_body() -> Vec<u8> {
    (0_u32..).flat_map(u32::to_le_bytes).take(LARGE_BODY_BYTES).collect()
}

async fn assert_untouched(client: &Client, request: &NoteRequest) -> anyhow::Result<Reply> {
    let reply = client.send(request).await?;
    assert_eq!(reply.status, 200, "{} {}", request.method, request.path);
    assert!(reply.body == request.body, "{} bytes of {} came back", reply.body.len(), request.body.len());
    Ok(reply)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_trainer_from_the_start_envoy_serves_and_requests_pass_untouched() -> anyhow::Result<()> {
    let secrets = Secrets::random()?;
    let service = EchoService::start().await?;
    let envoy = Envoy::builder(service.address(), free_address()?, &secrets)?
        .filter(&filter_configuration(&json!({"mode": "enforce"})))
        .start()
        .await?;
    let client = Client::new(&envoy);
    let large = NoteRequest::post("/api/uploads", "application/octet-stream", large_body());
    let json = NoteRequest::post("/api/notes", "application/json", large_body());
    let mut requests = honest_requests(4, PASSED_EXCHANGES);
    requests.extend([large.again(), large.chunked(), json.again(), json.chunked()]);
    for request in &requests {
        let reply = assert_untouched(&client, request).await?;
        assert_eq!(verdict_of(&reply), "unjudged");
    }
    assert_eq!(service.received().whole.len(), requests.len());
    envoy.until_metric(POLLS_FAILED, 1, e2e::PATIENCE).await?;
    envoy.until_metric(BATCHES_RETRIED, 1, e2e::PATIENCE).await?;
    envoy.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_trainer_dies_or_the_module_traps_the_model_that_was_loaded_goes_on_judging() -> anyhow::Result<()> {
    let secrets = Secrets::random()?;
    let service = EchoService::start().await?;
    let trainer = HostileTrainer::start().await?;
    let folder = tempfile::tempdir()?;
    let module = folder.path().join("trapping.wasm");
    std::fs::write(&module, trapping_module(&std::fs::read(filter_module()?)?, HEADERS_MAX)?)?;
    let envoy = Envoy::builder(service.address(), trainer.address(), &secrets)?
        .module(module)
        .filter(&filter_configuration(&json!({})))
        .start()
        .await?;
    let captures = capture(&envoy, &trainer, &honest_requests(1, LEARNED_EXCHANGES)).await?;
    trainer.hand_out(learn(&captures, &secrets, 1).await?.sealed(SERIAL)?);
    until_judged_on_all_workers(&envoy, &trainer, SERIAL).await?;

    let failed_before = envoy.metric(POLLS_FAILED).await?;
    trainer.stop().await?;
    envoy.until_metric(POLLS_FAILED, failed_before + 1, e2e::PATIENCE).await?;
    let client = Client::with_new_connections(&envoy);
    for request in honest_requests(5, CONNECTIONS) {
        let reply = assert_untouched(&client, &request).await?;
        assert_eq!(serial_of(&reply.headers), Some(SERIAL), "{:?}", verdict_of(&reply));
        let attack = client.send(&NoteRequest::get("/api/backup/database")).await?;
        assert!(verdict_of(&attack).starts_with("anomalous;"), "{:?}", verdict_of(&attack));
        assert_eq!(serial_of(&attack.headers), Some(SERIAL));
    }

    let many = (0..HEADERS_MAX).fold(NoteRequest::get("/api/notes/7"), |many, _| many.with_header("x-many", "1"));
    let received = service.received().begun.len();
    assert_eq!(client.send(&many).await?.status, 503, "the request that the module trapped on");
    assert_eq!(service.received().begun.len(), received, "the service got it");
    // The next request on that worker starts the module anew, which finds the model in shared data.
    until("the model on all workers again", async || {
        for _ in 0..CONNECTIONS {
            let reply = client.send(&NoteRequest::get("/api/backup/database")).await?;
            if serial_of(&reply.headers) != Some(SERIAL) || !verdict_of(&reply).starts_with("anomalous;") {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .await?;
    envoy.stop().await
}
