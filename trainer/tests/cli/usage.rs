use crate::program::run;

#[test]
fn a_misspelt_command_or_option_is_a_usage_error_with_a_suggestion() {
    run(["scor", "x.jsonl"]).failed(2, "score");
    run(["eval", "x.jsonl", "--bundel", "b"]).failed(2, "--bundle");
}

#[test]
fn what_is_missing_is_named() {
    run(["score", "x.jsonl"]).failed(2, "--bundle <BUNDLE>");
    run(["train", "--input", "x.jsonl"]).failed(2, "--output <BUNDLE>");
    run(["train", "--output", "x.bundle"]).failed(2, "--input <FILE>");
    run(["train", "--input", "x", "--output", "y", "--false-alarm-budget", "2"]).failed(2, "above 0 and below 0.5");
}

#[test]
fn every_command_has_help() {
    let all = run(["--help"]).succeeded();
    for command in [
        "serve",
        "discover",
        "import",
        "train",
        "score",
        "eval",
        "models",
        "endpoints",
        "detections",
        "payload-exceptions",
        "keygen",
    ] {
        assert!(all.stdout.contains(command), "{command} is not in:\n{}", all.stdout);
        let help = run([command, "--help"]).succeeded();
        assert!(help.stdout.contains(&format!("Usage: apiward {command}")), "{}", help.stdout);
    }
}

#[test]
fn commands_for_a_service_say_what_they_lack() {
    run(["models", "list"]).failed(1, "APIWARD_TOKEN");
    // A port that nothing can listen on.
    run(["models", "list", "--url", "http://127.0.0.1:1", "--token", "x"]).failed(1, "cannot be reached");
    run(["train", "--url", "http://127.0.0.1:1", "--token", "x"]).failed(1, "http://127.0.0.1:1");
}
