//! Deployment files with faults, and those of the example without.

use std::fs;
use std::path::Path;

use anyhost_planner::manifests::check;

/// What is found in a folder with one file.
#[track_caller]
fn faults(name: &str, text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(name), text).expect("a file");
    let report = check(folder.path(), 100).expect("a known deployment");
    let lines = report.to_string();
    let faults = lines.lines().filter_map(|line| line.strip_prefix("FAULT ")).map(str::to_owned);
    let faults = faults.collect::<Vec<_>>();
    assert_eq!(faults.len(), report.faults());
    faults
}

fn deployment(replicas: usize, kill: usize, variables: &[(&str, &str)]) -> String {
    let variables = variables
        .iter()
        .map(|(name, value)| format!("            - {{ name: {name}, value: \"{value}\" }}\n"))
        .collect::<String>();
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: {replicas}\n  template:\n    \
         spec:\n      terminationGracePeriodSeconds: {kill}\n      containers:\n        - name: web\n          env:\n\
         {variables}"
    )
}

fn function(properties: &str) -> String {
    format!(
        "Parameters:\n  Most: {{ Type: Number, Default: 10 }}\nResources:\n  Web:\n    Type: AWS::Serverless::Function\n    \
         Properties:\n{properties}"
    )
}

#[test]
fn the_examples_own_files_are_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/notes/deploy");
    let report = check(&folder, 100).expect("known deployments");
    assert_eq!(report.faults(), 0, "{report}");
    let text = report.to_string();
    for file in [
        "kubernetes/deployment.yaml",
        "cloud-run.yaml",
        "lambda/template.yaml",
        "fly.toml",
        "notes.service",
        "render.yaml",
    ] {
        assert!(text.contains(file), "{file} is not in\n{text}");
    }
    assert!(text.contains("APP_INSTANCES is 6, as many as maxReplicas (6)"), "{text}");
    assert!(text.contains("10 environments × 1 = 10 within a budget of 94"), "{text}");
}

#[test]
fn a_drain_longer_than_the_grace_is_a_fault() {
    let told = ("APP_INSTANCES", "2");
    assert_eq!(faults("a.yaml", &deployment(2, 30, &[told])), Vec::<String>::new());
    let found = faults("a.yaml", &deployment(2, 20, &[told]));
    assert!(
        found[0].starts_with("a.yaml: web: the preset's drain of 25 s is not over when"),
        "{found:?}"
    );
    let found = faults("a.yaml", &deployment(2, 30, &[told, ("SHUTDOWN_GRACE", "30s")]));
    assert!(found[0].contains("SHUTDOWN_GRACE of 30 s is not over"), "{found:?}");
    let found = faults(
        "a.yaml",
        &deployment(2, 30, &[told, ("SHUTDOWN_GRACE", "10s"), ("LAME_DUCK", "10s")]),
    );
    assert!(found[0].contains("LAME_DUCK of 10 s takes all of the 10 s"), "{found:?}");
}

#[test]
fn pools_times_replicas_beyond_the_server_are_a_fault() {
    let found = faults(
        "a.yaml",
        &deployment(10, 30, &[("APP_INSTANCES", "10"), ("DATABASE_POOL_SIZE", "5")]),
    );
    assert!(found[0].contains("5 connections per process were set, but only 4 fit"), "{found:?}");
    let found = faults("a.yaml", &deployment(10, 30, &[("APP_INSTANCES", "4")]));
    assert!(found[0].contains("APP_INSTANCES is 4, but there may be 10 (replicas)"), "{found:?}");
    let found = faults("a.yaml", &deployment(60, 30, &[("APP_INSTANCES", "60")]));
    assert!(found[0].contains("no connection is left for a process"), "{found:?}");
}

#[test]
fn reserved_concurrency_beyond_the_budget_is_a_fault() {
    let none = function("      MemorySize: 256\n");
    let found = faults("t.yaml", &none);
    assert!(
        found.iter().any(|line| line.contains("1000 environments × 1 connection = 1000")),
        "{found:?}"
    );
    let fits = function(
        "      ReservedConcurrentExecutions: !Ref Most\n      Environment:\n        Variables:\n          APP_INSTANCES: !Ref Most\n",
    );
    assert_eq!(faults("t.yaml", &fits), Vec::<String>::new());
    let found = faults("t.yaml", &fits.replace("Default: 10", "Default: 95"));
    assert!(
        found[0].contains("95 environments × 1 connection = 95, but the budget is 94"),
        "{found:?}"
    );
}

#[test]
fn streams_through_a_door_that_takes_none_are_a_fault() {
    let with = |mode: &str, door: &str| {
        function(&format!(
            "      ReservedConcurrentExecutions: 5\n      Environment:\n        Variables: {{ APP_INSTANCES: 5, RESPONSE_MODE: {mode} }}\n{door}"
        ))
    };
    let url =
        |mode: &str| format!("      FunctionUrlConfig: {{ AuthType: NONE, InvokeMode: {mode} }}\n");
    let api = "      Events:\n        Api: { Type: HttpApi }\n";
    for (mode, door, fault) in [
        ("buffered", url("BUFFERED"), None),
        ("streaming", url("RESPONSE_STREAM"), None),
        ("buffered", api.to_owned(), None),
        (
            "streaming",
            url("BUFFERED"),
            Some("the Function URL's InvokeMode is not RESPONSE_STREAM"),
        ),
        ("buffered", url("RESPONSE_STREAM"), Some("set it to streaming")),
        ("streaming", api.to_owned(), Some("no door takes streams (HttpApi Api)")),
    ] {
        let found = faults("t.yaml", &with(mode, &door));
        match fault {
            None => assert_eq!(found, Vec::<String>::new(), "{mode} {door}"),
            Some(fault) => assert!(found[0].contains(fault), "{mode} {door}: {found:?}"),
        }
    }
}

#[test]
fn what_is_no_manifest_is_told_in_one_line() {
    let found = faults("a.yaml", "a: [1\nb: }");
    assert!(found[0].starts_with("a.yaml: is no YAML: "), "{found:?}");
    let found = faults("fly.toml", "app = ");
    assert!(found[0].starts_with("fly.toml: is no TOML: "), "{found:?}");
    let empty = tempfile::tempdir().expect("a folder");
    let error = check(empty.path(), 100).expect_err("nothing there");
    assert!(error.ends_with("no deployment file that is known"), "{error}");
}
