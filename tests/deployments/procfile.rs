//! The Procfile under honcho, as Heroku would run it.

use std::os::unix::fs::symlink;
use std::path::Path;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::Notebook;
use anyhost_tests::process::{PATIENCE, Process, Signal, binary};
use anyhost_tests::servers::port;
use anyhost_tests::wait::eventually;
use tempfile::TempDir;

use crate::tool::{deploy, part};

/// A folder as a buildpack leaves it.
fn slug() -> TempDir {
    let slug = TempDir::new().unwrap();
    std::fs::create_dir_all(slug.path().join("target/release")).unwrap();
    symlink(binary("notes-paas"), slug.path().join("target/release/notes-paas")).unwrap();
    std::fs::copy(deploy("Procfile"), slug.path().join("Procfile")).unwrap();
    slug
}

fn honcho(slug: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Process {
    let path = ("PATH", "/usr/bin:/bin");
    let environment = [environment, &[path, ("PYTHONUNBUFFERED", "1")]].concat();
    Process::start(&part("deployments/bin/honcho"), arguments, slug, &environment)
}

#[test]
fn web_gets_its_port_and_drains_and_release_migrates() {
    let notebook = Notebook::new(30, 24);
    let slug = slug();
    // Heroku's Postgres speaks TLS, and a URL without a mode demands it; this one does not.
    let url = format!("{}?sslmode=disable", notebook.url);
    let base = [("DATABASE_URL", url.as_str()), ("DYNO", "release.1")];
    let release = honcho(slug.path(), &["run", "target/release/notes-paas", "migrate"], &base);
    assert_eq!(release.wait_for_exit(PATIENCE).code(), Some(0), "{}", release.log().text());
    let released = honcho(slug.path(), &["start", "release"], &base);
    released.wait_for_line(&["release.1", "stopped", "rc=0"]);

    let (port, dyno) = (port(), ("DYNO", "web.1"));
    let text = port.to_string();
    let environment = [("DATABASE_URL", url.as_str()), dyno];
    let web = honcho(slug.path(), &["start", "-p", &text, "web"], &environment);
    eventually("web listens where it was told", || {
        let address = ([127, 0, 0, 1], port).into();
        (Wire::try_to(address).ok()?.get("/readyz").status == 200).then_some(())
    });
    // A request is in flight when the whole dyno gets SIGTERM.
    let mut upload = Wire::to(port);
    let note = r#"{"title":"in flight"}"#;
    let length = note.len();
    upload.write(format!(
        "POST /notes HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\nexpect: 100-continue\r\n\r\n"
    ));
    upload.until("HTTP/1.1 100 Continue\r\n\r\n");
    web.signal(Signal::TERM);
    web.wait_for_line(&["web.1", "draining"]);
    upload.write(note);
    assert_eq!(upload.answer().status, 201);
    web.wait_for_line(&["web.1", "drained", "\"aborted\":0"]);
    assert!(web.exit_within(PATIENCE).is_some());
}

#[test]
fn a_release_that_fails_says_so_with_its_exit_code() {
    let slug = slug();
    let environment = [("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")];
    let release = honcho(slug.path(), &["start", "release"], &environment);
    release.wait_for_line(&["error: "]);
    assert_ne!(release.wait_for_exit(PATIENCE).code(), Some(0), "{}", release.log().text());
}
