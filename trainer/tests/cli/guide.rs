//! The commands of the guide do what it says.

use std::process::Stdio;

use crate::discover::traffic;
use crate::program::apiward;

const GUIDE: &str = include_str!("../../../docs/discovery.md");

/// The lines of its shell examples.
fn commands() -> Vec<&'static str> {
    let mut commands = Vec::new();
    for block in GUIDE.split("```sh\n").skip(1) {
        commands.extend(block.split("```").next().unwrap().lines());
    }
    commands
}

#[test]
fn every_command_of_the_discovery_guide_works() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(traffic("shop.jsonl"), folder.path().join("traffic.jsonl")).unwrap();
    let specification = "openapi: 3.1.0\ninfo: { title: Shop, version: '1' }\npaths: { /api/cart: { post: { responses: { '201': { description: ok } } } } }\n";
    std::fs::write(folder.path().join("openapi.yaml"), specification).unwrap();
    assert!(commands().len() >= 6, "{:?}", commands());
    for command in commands() {
        let (program, arguments) = command.split_once(' ').unwrap();
        assert_eq!(program, "apiward", "{command}");
        let output = apiward()
            .args(arguments.split_whitespace())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}:\n{}", String::from_utf8_lossy(&output.stderr));
        let written = arguments.split_once("--output ").map(|(_, name)| folder.path().join(name.trim()));
        let length = written.map_or(output.stdout.len() as u64, |file| std::fs::metadata(file).unwrap().len());
        assert!(length > 100, "{command} wrote {length} bytes");
    }
}
