//! The deployed artefacts: the zips and the template.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::artefact::{bootstrap, zip};
use crate::install::{part, run, workspace};

#[test]
fn the_zip_is_at_most_five_megabytes() {
    for program in ["notes-lambda", "echo-lambda"] {
        let size = fs::metadata(zip(program)).unwrap().len();
        assert!(size <= 5_000_000, "{program}: {size} bytes");
    }
}

/// Amazon Linux 2023, which `provided.al2023` is, has glibc 2.34.
#[test]
fn the_program_asks_for_no_newer_c_library_than_lambda_has() {
    for program in ["notes-lambda", "echo-lambda"] {
        let bytes = fs::read(bootstrap(program)).unwrap();
        let versions = bytes.windows(8).enumerate().filter(|(_, window)| *window == b"GLIBC_2.");
        let minors = versions.map(|(at, _)| {
            let digits = bytes[at + 8..].iter().take_while(|byte| byte.is_ascii_digit());
            digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
        });
        let newest = minors.max();
        assert!(newest.is_some_and(|minor| minor <= 34), "{program}: glibc 2.{newest:?}");
    }
}

#[test]
fn the_template_has_nothing_that_cfn_lint_minds() {
    let mut lint = Command::new(part("venv/bin/cfn-lint"));
    // The linter's informational rules are included.
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
