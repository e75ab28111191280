//! Promises about source files.

use crate::{File, files, none};

/// The most lines a file has before its tests, unless it says why it has more.
const MOST_LINES: usize = 300;

/// How a longer file says why, in a comment.
const LONG_BECAUSE: &str = "Long because ";

#[test]
fn every_source_file_begins_with_what_it_is() {
    let silent = files(".rs").into_iter().filter(|file| {
        let first = file.text.lines().next().unwrap_or_default();
        !first.starts_with("//! ") && !first.starts_with("#![doc = include_str!(")
    });
    none("the first line is a `//!` sentence", silent.map(|file| file.path).collect());
}

#[test]
fn a_long_file_says_why_it_is_long() {
    let long = files(".rs").into_iter().filter_map(|file| {
        let lines = code(&file).lines().count();
        let argued = file.text.contains(&format!("//! {LONG_BECAUSE}"));
        (lines > MOST_LINES && !argued).then(|| format!("{}: {lines} lines", file.path))
    });
    none(
        &format!("more than {MOST_LINES} lines need a line `//! {LONG_BECAUSE}…`"),
        long.collect(),
    );
}

#[test]
fn a_module_is_named_for_what_it_holds() {
    let empty = ["util", "utils", "common", "helper", "helpers", "misc", "shared_code", "stuff"];
    let vague = files(".rs")
        .into_iter()
        .map(|file| file.path)
        .filter(|path| path.split(['/', '.']).any(|part| empty.contains(&part)));
    none("no module has a name that fits anything", vague.collect());
}

#[test]
fn one_file_for_each_adapter_reads_the_environment() {
    let readers = ["env::var", "env::vars", "env::set_var", "env::remove_var"];
    let elsewhere = files(".rs").into_iter().filter(|file| {
        let is_the_one = (file.path.starts_with("adapter-")
            && file.path.ends_with("/environment.rs"))
            || file.path == "anyhost/src/environment.rs";
        let statements = file.text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        let reads = |line: &str| readers.iter().any(|reader| line.contains(reader));
        // This list itself is text, not code.
        !is_the_one && file.path != "tests/tidy/sources.rs" && statements.clone().any(reads)
    });
    none(
        "the environment is read in `environment.rs` of an adapter alone",
        elsewhere.map(|f| f.path).collect(),
    );

    let adapters = ["adapter-paas", "adapter-vm", "adapter-lambda"];
    let several = adapters.into_iter().filter(|adapter| {
        let own =
            |file: &File| file.path.starts_with(adapter) && file.path.ends_with("/environment.rs");
        files(".rs").iter().filter(|file| own(file)).count() > 1
    });
    none("an adapter has one such file", several.map(str::to_owned).collect());
}

#[test]
fn every_package_has_the_lints_of_the_workspace() {
    let without = files("Cargo.toml").into_iter().filter(|file| {
        file.text.contains("[package]") && !file.text.contains("[lints]\nworkspace = true")
    });
    none("`[lints] workspace = true` stands in every manifest", without.map(|f| f.path).collect());
}

/// The part of a file before its tests; nothing of a file that is the tests of its folder.
fn code(file: &File) -> &str {
    if file.path.ends_with("/tests.rs") {
        return "";
    }
    file.text.split_once("#[cfg(test)]\nmod tests {").map_or(file.text.as_str(), |(code, _)| code)
}
