//! Requests that nobody thought of, made by schemathesis from the description that notes gives of itself.

use std::fs;
use std::process::Command;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::{Instance, Notebook};
use tempfile::TempDir;

use crate::tool::{outcome, part, root};

#[test]
fn schemathesis_finds_no_answer_that_the_document_does_not_say() {
    let notebook = Notebook::new(30, 24);
    let instance = Instance::start("notes-paas", &[("DATABASE_URL", &notebook.url)]);
    let served = Wire::to(instance.port).get("/openapi.json");
    let written = fs::read_to_string(root().join("examples/notes/openapi.json")).unwrap();
    assert_eq!(served.body, written);

    let folder = TempDir::new().unwrap();
    let url = format!("http://127.0.0.1:{}/openapi.json", instance.port);
    let schemathesis = |words: &[&str]| {
        let mut schemathesis = Command::new(part("schemathesis/bin/schemathesis"));
        schemathesis.current_dir(folder.path()).env("NO_COLOR", "1").args(["run", &url]);
        // The same requests each time: a run that fails does so again.
        outcome(schemathesis.arg("--generation-deterministic").args(words))
    };
    // Every check it knows: no 5xx, and the status, media type, headers and body that the document says.
    let (succeeded, said) = schemathesis(&["--max-examples=100"]);
    println!("{said}");
    assert!(succeeded && said.contains("Tested: 5"), "{said}");
    let log = instance.process.log().text();
    assert!(!log.contains("panic"), "{log}");

    // The control: without its database it answers 5xx, which is found.
    notebook.server.stop();
    let (succeeded, said) = schemathesis(&["--phases=coverage", "--max-failures=1"]);
    assert!(!succeeded && said.contains("Server error"), "{said}");
}
