//! The linters of Dockerfiles and manifests find nothing, and do find a planted fault.

use std::fs;

use tempfile::TempDir;

use crate::tool::{deploy, outcome, python, words};

const MANIFESTS: [&str; 6] = [
    "kubernetes/deployment.yaml",
    "kubernetes/hpa.yaml",
    "kubernetes/migrate.yaml",
    "kubernetes/network-policy.yaml",
    "kubernetes/pdb.yaml",
    "kubernetes/service.yaml",
];

#[test]
fn every_manifest_fits_the_schemas_of_kubernetes() {
    let files = fs::read_dir(deploy("kubernetes")).expect("it is there").count();
    assert_eq!(files, MANIFESTS.len(), "a file is not in this list");
    for manifest in MANIFESTS {
        words(python("kubernetes-validate").arg("--strict").arg(deploy(manifest)));
    }
    // The control: a field that is misspelt is found.
    let folder = TempDir::new().unwrap();
    let misspelt = folder.path().join("deployment.yaml");
    let text = fs::read_to_string(deploy(MANIFESTS[0])).unwrap();
    fs::write(&misspelt, text.replace("terminationGracePeriodSeconds", "terminationGrace"))
        .unwrap();
    let (passed, said) = outcome(python("kubernetes-validate").arg("--strict").arg(&misspelt));
    assert!(!passed && said.contains("terminationGrace"), "{said}");
}

#[test]
fn checkov_finds_no_policy_broken() {
    for (target, framework) in [("Dockerfile", "dockerfile"), ("kubernetes", "kubernetes")] {
        let mut checkov = python("checkov");
        checkov.args(["--compact", "--skip-download", "--framework", framework]);
        let kind = if framework == "kubernetes" { "--directory" } else { "--file" };
        let said = words(checkov.arg(kind).arg(deploy(target)));
        let counts = said.lines().find(|line| line.starts_with("Passed checks: "));
        let counts = counts.unwrap_or_else(|| panic!("{said}"));
        println!("checkov, {target}: {counts}");
        assert!(counts.contains("Failed checks: 0"), "{said}");
        let passed = counts["Passed checks: ".len()..].split(',').next().unwrap();
        assert!(passed.parse::<usize>().unwrap() > 30, "{counts}");
    }
}

#[test]
fn hadolint_has_nothing_to_say_about_the_dockerfile() {
    let said = words(python("hadolint").arg("--failure-threshold=style").arg(deploy("Dockerfile")));
    assert_eq!(said, "");
}
