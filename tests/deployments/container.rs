//! The image in containers: small, unprivileged, limited, and drained by `podman stop`.

use std::fs;
use std::process::Stdio;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::{Notebook, port_of};
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::port;
use anyhost_tests::wait::{eventually, within};

use crate::image::{Container, IMAGE, containers};
use crate::tool::{outcome, output};

#[test]
fn the_image_holds_the_program_and_its_libraries_alone() {
    let inspected = output(containers().args(["image", "inspect", IMAGE]));
    let image: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    let config = &image[0]["Config"];
    assert_eq!(config["User"], "10001:10001");
    // The exec form: no shell stands between the signal and the program.
    assert_eq!(config["Entrypoint"], serde_json::json!(["/notes"]));
    assert_eq!(config["Cmd"], serde_json::json!(["serve"]));
    let created = output(containers().args(["create", "--pull=never", IMAGE]));
    let mut export = containers();
    let mut export =
        export.args(["export", &created]).stdout(Stdio::piped()).spawn().expect("podman runs");
    let mut tar = std::process::Command::new("tar");
    let listed = tar.arg("-t").stdin(export.stdout.take().unwrap()).output().unwrap();
    export.wait().unwrap();
    let _ = outcome(containers().args(["rm", &created]));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<_> = listed.lines().filter(|line| !line.ends_with('/')).collect();
    println!("files in the image: {files:?}");
    assert!(files.contains(&"notes"), "{files:?}");
    // The engine itself adds a few empty files for what it mounts.
    let mounted = ["etc/", "dev/", "proc/", "sys/", "run/"];
    let own = files.iter().filter(|file| !mounted.iter().any(|folder| file.starts_with(folder)));
    let strange: Vec<_> = own.filter(|file| !file.contains("lib") && **file != "notes").collect();
    assert!(strange.is_empty(), "{strange:?}");
    assert!(!files.iter().any(|file| file.ends_with("/sh") || file.ends_with("/bash")));
}

#[test]
fn it_sees_its_limits() {
    let check = Container::run("check", &["--env=PLATFORM=kubernetes", "--tmpfs=/tmp"], "check");
    assert_eq!(check.exit_code(), 0, "{}", check.process.log().text());
    check.process.wait_for_line(&["platform:", "kubernetes"]);
    check.process.wait_for_line(&["processors:", "0.5"]);
    check.process.wait_for_line(&["memory:", "128 MiB"]);
    check.process.wait_for_line(&["grace:", "25 s"]);
}

#[test]
fn it_migrates_serves_and_drains_as_process_1_of_an_unprivileged_container() {
    let notebook = Notebook::new(30, 24);
    let url = format!("--env=DATABASE_URL={}", notebook.url);
    let migration = Container::run("migrate", &[&url], "migrate");
    assert_eq!(migration.exit_code(), 0, "{}", migration.process.log().text());

    let container = Container::run("serve", &[&url, "--env=PORT=0", "--tmpfs=/tmp"], "serve");
    let port = port_of(&container.process);
    eventually("it is ready", || (Wire::to(port).get("/readyz").status == 200).then_some(()));
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).unwrap();
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert_eq!(line("NSpid:").split_whitespace().last(), Some("1"));
    assert_eq!(line("Uid:").split_whitespace().nth(1), Some("1000"));
    assert_eq!(line("CapEff:").split_whitespace().last(), Some("0000000000000000"));
    assert_eq!(line("NoNewPrivs:").split_whitespace().last(), Some("1"));

    let mut upload = Wire::to(port);
    let note = r#"{"title":"in flight"}"#;
    let length = note.len();
    upload.write(format!(
        "POST /notes HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\nexpect: 100-continue\r\n\r\n"
    ));
    upload.until("HTTP/1.1 100 Continue\r\n\r\n");
    let mut stop = containers();
    let mut stop =
        stop.args(["stop", "--time=10", &container.name]).stdout(Stdio::null()).spawn().unwrap();
    container.process.wait_for_line(&["draining"]);
    upload.write(note);
    assert_eq!(upload.answer().status, 201);
    assert_eq!(container.exit_code(), 0, "{}", container.process.log().text());
    assert!(stop.wait().unwrap().success());
    container.process.wait_for_line(&["drained", "\"aborted\":0"]);
    assert_eq!(notebook.connections(), 0);
    assert_eq!(notebook.sql("SELECT count(*) FROM notes"), "1");
}

/// A disk that is full or read-only is one clear line, not a process that half works.
#[test]
fn without_a_folder_to_write_sqlite_is_one_clear_line() {
    let container =
        Container::run("readonly", &["--env=PORT=0", "--read-only-tmpfs=false"], "serve");
    container.process.wait_for_line(&["error: "]);
    assert_ne!(container.exit_code(), 0);
}

/// Killed for its memory it comes back by the policy of its platform, and nothing is half done.
#[test]
fn beyond_its_memory_it_is_killed_and_comes_back() {
    let (notebook, port) = (Notebook::new(30, 24), port());
    let url = format!("--env=DATABASE_URL={}", notebook.url);
    let listen = format!("--env=PORT={port}");
    let more = ["--detach", "--restart=always", &url, &listen, "--env=MAX_BODY=1G", "--tmpfs=/tmp"];
    let container = Container::run("memory", &more, "serve");
    let is_ready = || {
        let mut wire = Wire::try_to(([127, 0, 0, 1], port).into()).ok()?;
        (wire.get("/readyz").status == 200).then_some(())
    };
    eventually("it is ready", is_ready);
    let before = container.pid();
    let mut upload = Wire::to(port);
    upload.write("POST /notes HTTP/1.1\r\nhost: test\r\ncontent-length: 400000000\r\n\r\n");
    let piece = vec![b' '; 1 << 20];
    (0..400).for_each(|_| upload.offer(&piece));
    within(3 * PATIENCE, "it is another process", || {
        let now = container.pid();
        (now != before && now != "0").then_some(())
    });
    eventually("it is ready again", is_ready);
    let restarts =
        output(containers().args(["inspect", "--format={{.RestartCount}}", &container.name]));
    assert_eq!(restarts, "1");
    let note = r#"{"title":"after it was too large"}"#;
    let length = note.len();
    let mut writer = Wire::to(port);
    writer.write(format!(
        "POST /notes HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n{note}"
    ));
    assert_eq!(writer.answer().status, 201);
    assert_eq!(notebook.sql("SELECT count(*) FROM notes"), "1");
}
