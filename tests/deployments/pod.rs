//! The manifest of Kubernetes, really started: by podman, which reads the same files.

use std::fs;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::Notebook;
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::port;
use anyhost_tests::wait::within;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use crate::image::{IMAGE, containers};
use crate::tool::{deploy, outcome, words, yaml};

/// Removes the pod however the test ends.
struct PlayedPod(String);

impl Drop for PlayedPod {
    fn drop(&mut self) {
        let _ = outcome(containers().args(["kube", "down", &self.0]));
        let _ = outcome(containers().args(["secret", "rm", "notes-database"]));
    }
}

#[test]
fn the_deployment_runs_and_ends_as_written() {
    let notebook = Notebook::new(30, 24);
    let (mut deployment, port) = (yaml(&deploy("kubernetes/deployment.yaml")).remove(0), port());
    // The differences of this machine: the image's location, the network, one pod, another port.
    let pod = &mut deployment["spec"]["template"]["spec"];
    pod["hostNetwork"] = true.into();
    let container = &mut pod["containers"][0];
    container["image"] = IMAGE.into();
    container["imagePullPolicy"] = "Never".into();
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        // They would need a program for HTTP inside the image, and timers of a systemd.
        container.as_object_mut().unwrap().remove(probe);
    }
    container.as_object_mut().unwrap().remove("ports");
    let told = serde_json::json!({"name": "PORT", "value": port.to_string()});
    container["env"].as_array_mut().unwrap().push(told);
    deployment["spec"]["replicas"] = 1.into();
    let folder = TempDir::new().unwrap();
    let (file, secret) = (folder.path().join("pod.yaml"), folder.path().join("secret"));
    // JSON is YAML too. podman reads a Secret of Kubernetes from a secret of its own that holds the Secret's data.
    fs::write(&file, deployment.to_string()).unwrap();
    fs::write(&secret, serde_json::json!({"url": STANDARD.encode(&notebook.url)}).to_string())
        .unwrap();
    let file = file.display().to_string();
    let _ = outcome(containers().args(["kube", "down", &file]));
    let _ = outcome(containers().args(["secret", "rm", "notes-database"]));
    words(containers().args(["secret", "create", "notes-database"]).arg(&secret));
    words(containers().args(["kube", "play", "--network=host", &file]));
    let played = PlayedPod(file.clone());
    let names = words(containers().args(["ps", "--all", "--format={{.Names}}"]));
    let name = names.lines().find(|name| name.starts_with("notes-pod") && name.ends_with("-notes"));
    let name = name.unwrap_or_else(|| panic!("{names}")).to_owned();
    within(PATIENCE, "the pod is ready", || {
        let ready = Wire::try_to(([127, 0, 0, 1], port).into()).ok()?.get("/readyz").status == 200;
        ready.then_some(())
    });
    let mut writer = Wire::to(port);
    let note = r#"{"title":"from a pod"}"#;
    let length = note.len();
    writer.write(format!(
        "POST /notes HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n{note}"
    ));
    assert_eq!(writer.answer().status, 201);
    // The kubelet's stop: SIGTERM, and its grace.
    words(containers().args(["stop", "--time=30", &name]));
    let exit = words(containers().args(["inspect", "--format={{.State.ExitCode}}", &name]));
    let log = words(containers().args(["logs", &name]));
    assert_eq!(exit.trim(), "0", "{log}");
    assert!(log.contains("drained"), "{log}");
    drop(played);
    assert_eq!(notebook.sql("SELECT count(*) FROM notes"), "1");
    assert_eq!(notebook.connections(), 0);
}
