//! What is deployed: the zips and the template.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::artefact::zip;
use crate::install::{part, run, workspace};

#[test]
fn the_zip_is_at_most_five_megabytes() {
    for program in ["notes-lambda", "echo-lambda"] {
        let size = fs::metadata(zip(program)).unwrap().len();
        assert!(size <= 5_000_000, "{program}: {size} bytes");
    }
}

#[test]
fn the_template_has_nothing_that_cfn_lint_minds() {
    let mut lint = Command::new(part("venv/bin/cfn-lint"));
    // Its informational rules among them.
    lint.args(["--include-checks", "I", "--", "template.yaml"]);
    run(lint.current_dir(template()));
}

#[test]
fn the_template_is_valid_to_sam() {
    let home = TempDir::new().unwrap();
    let mut sam = Command::new(part("venv/bin/sam"));
    sam.args(["validate", "--lint", "--template", "template.yaml"]).current_dir(template());
    sam.envs([("SAM_CLI_TELEMETRY", "0"), ("AWS_DEFAULT_REGION", "eu-central-1")]);
    run(sam.env("HOME", home.path()));
}

fn template() -> std::path::PathBuf {
    workspace().join("examples/notes/deploy/lambda")
}
