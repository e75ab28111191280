//! Rules about the workspace itself: a test for each rule; a failure lists the places that break it.

mod borders;
mod durations;
mod guide;
mod layers;
mod pages;
mod public;
mod sources;
mod variables;

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies in it").to_owned()
}

/// A file of ours: its path from the root, and its text.
struct File {
    path: String,
    text: String,
}

/// All files of ours with an ending, but for what is built and what is hidden.
fn files(ending: &str) -> Vec<File> {
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder can be read") {
            let path = entry.expect("an entry can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                let text = fs::read_to_string(&path).expect("a file of ours is text");
                let path = path.strip_prefix(root()).expect("found below it").display().to_string();
                files.push(File { path, text });
            }
        }
    }
    assert!(!files.is_empty(), "no {ending} found: the test looks in the wrong place");
    files
}

/// Fails with all violations at once.
#[track_caller]
fn none(rule: &str, violations: Vec<String>) {
    assert!(violations.is_empty(), "{rule}:\n  {}", violations.join("\n  "));
}
