//! Promises about time: no test asserts how long something takes, or waits by sleeping.

use std::fmt::Write;

use crate::{File, files, none};

/// Calls inside an assertion that measure elapsed time.
const MEASURED: [&str; 6] =
    [".elapsed()", ".duration_since(", "took", "taken", "slowest", "waited"];

/// Comparison operators.
const COMPARED: [&str; 4] = [" < ", " <= ", " > ", " >= "];

/// Where a test says how long it waits for an end. That is the same everywhere: `PATIENCE`.
const ENDS: [&str; 4] = ["exit_code(", "wait_for_exit(", ".exit(", "exit_within("];

/// What lets time pass that is itself what a test is about: a setting of the product.
const OWN_TIME: &str = "plan()";

/// How a test says why time itself must pass.
const PASSES: &str = "// Time passes: ";

#[test]
fn no_test_asserts_how_long_something_takes() {
    let mut found = Vec::new();
    for file in files(".rs") {
        for (line, text) in assertions(&file) {
            let measured = MEASURED.iter().any(|word| has_word(&text, word));
            if measured && COMPARED.iter().any(|sign| text.contains(sign)) {
                found.push(format!("{}:{line}: {text}", file.path));
            }
        }
        for (line, text) in tests(&file) {
            if ENDS.iter().any(|end| text.contains(&format!("{end}Duration::from_"))) {
                found.push(format!("{}:{line}: {}", file.path, text.trim()));
            }
        }
    }
    none(
        "a test asserts an order, a count or a ratio against a control, or takes paused time; it waits for \
         PATIENCE",
        found,
    );
}

#[test]
fn no_test_waits_by_sleeping() {
    let mut found = Vec::new();
    for file in files(".rs") {
        let mut before = "";
        for (line, text) in tests(&file) {
            let sleeps = has_word(text, "sleep(") && !text.contains("fn sleep(");
            let is_said = text.contains(OWN_TIME) || before.trim().starts_with(PASSES);
            if sleeps && !is_said && !text.trim().starts_with("//") {
                found.push(format!("{}:{line}: {}", file.path, text.trim()));
            }
            before = text;
        }
    }
    none("a test waits for a condition; where time itself must pass, a comment says why", found);
}

/// Whether a text has this where a name can begin.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let ends_open = word.ends_with(['(', ')']);
        (word.starts_with('.') || !inside(before)) && (ends_open || !inside(after))
    })
}

/// The lines of a file that belong to tests: all of a file of tests, the tests of another; without the
/// functions whose time is paused, in which a measured time is exact.
fn tests(file: &File) -> Vec<(usize, &str)> {
    let is_test = |line: &str| line.trim() == "#[test]" || line.trim().starts_with("#[tokio::test");
    // This file quotes what it forbids.
    if file.path == "tests/tidy/durations.rs" || !file.text.lines().any(is_test) {
        return Vec::new();
    }
    let of_tests = file.path.contains("tests/") && !file.text.contains("#[cfg(test)]");
    let mut inside = of_tests;
    let mut paused = false;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        inside |= line.trim() == "#[cfg(test)]";
        if is_test(line) {
            paused = line.contains("start_paused");
        }
        if inside && !paused {
            lines.push((number, line));
        }
    }
    lines
}

/// The assertions of a file's tests, each with the line where it begins; without what they print. As rustfmt
/// writes it, one of several lines ends with a line that is indented as its first and closes it.
fn assertions(file: &File) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, String)> = Vec::new();
    let mut open = None;
    for (number, line) in tests(file) {
        let indent = line.len() - line.trim_start().len();
        let begins = open.is_none()
            && ["assert!(", "assert_eq!(", "assert_ne!("].iter().any(|call| line.contains(call));
        if begins {
            all.push((number, String::new()));
            open = Some(indent);
        }
        let Some(first) = open else { continue };
        let (_, text) = all.last_mut().expect("one has begun");
        let line = without_texts(line.trim());
        write!(text, "{line} ").expect("a string takes it");
        let balanced = line.matches('(').count() == line.matches(')').count();
        let closes = line.starts_with(')') && indent <= first;
        if (begins && (balanced || line.ends_with(';'))) || (!begins && closes) {
            open = None;
        }
    }
    all
}

/// A line without what stands between quotation marks.
fn without_texts(line: &str) -> String {
    line.split('"').step_by(2).collect::<Vec<_>>().join("\"")
}

#[test]
fn what_is_looked_for_is_found() {
    let text = |body: &str| File {
        path: "tests/x.rs".into(),
        text: format!("#[test]\nfn a() {{\n{body}\n}}\n"),
    };
    for body in [
        "assert!(begun.elapsed() < SOON);",
        "assert!(\n    ours < 200 * MS && begun.elapsed() > MS,\n    \"no\"\n);",
        "assert!(took >= patience, \"{took:?}\");",
    ] {
        let file = text(body);
        let found = assertions(&file);
        assert!(found.iter().any(|(_, text)| MEASURED.iter().any(|word| has_word(text, word))));
    }
    let paused = File { path: "tests/x.rs".into(), text: "#[tokio::test(start_paused = true)]\nasync fn a() {\nassert!(begun.elapsed() < SOON);\n}\n".into() };
    assert!(assertions(&paused).is_empty());
    assert!(
        has_word("tokio::time::sleep(MS)", "sleep(") && !has_word("SELECT pg_sleep(1)", "sleep(")
    );
}
