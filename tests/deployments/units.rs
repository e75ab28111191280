//! The units, read by systemd's own tools without a systemd that runs.

use std::fs;

use tempfile::TempDir;

use crate::tool::{deploy, outcome, program, words};

/// The most that `systemd-analyze security` may say, of ten.
const MOST_EXPOSED: f64 = 2.0;

/// The units with an existing program, so that they can be verified.
fn verified(change: impl Fn(String) -> String) -> String {
    let folder = TempDir::new().unwrap();
    for unit in ["notes.service", "notes.socket"] {
        let text = fs::read_to_string(deploy("vm").join(unit)).unwrap();
        fs::write(
            folder.path().join(unit),
            change(text.replace("/usr/local/bin/notes-vm", "/bin/true")),
        )
        .unwrap();
    }
    let mut analyze = program("/usr/bin/systemd-analyze");
    analyze.args(["verify", "--man=no"]);
    analyze.args(["notes.service", "notes.socket"].map(|unit| folder.path().join(unit)));
    outcome(&mut analyze).1
}

#[test]
fn systemd_has_nothing_to_say_about_the_units() {
    assert_eq!(verified(|text| text), "");
    // The control: it exits with 0 whatever it finds, and says what.
    let said = verified(|text| text.replace("WatchdogSec", "WatchdogSecs"));
    assert!(said.contains("WatchdogSecs"), "{said}");
}

#[test]
fn the_service_is_hardly_exposed() {
    let mut analyze = program("/usr/bin/systemd-analyze");
    analyze.args(["security", "--offline=true", "--no-pager"]).arg(deploy("vm/notes.service"));
    let said = words(&mut analyze);
    let line = said.lines().find(|line| line.contains("Overall exposure level")).unwrap();
    println!("{line}");
    let level = line.split(':').nth(1).unwrap().split_whitespace().next().unwrap();
    assert!(level.parse::<f64>().unwrap() <= MOST_EXPOSED, "{line}");
}
