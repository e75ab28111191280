//! The table of environment variables names every variable that the code reads, and no other.

use std::collections::BTreeSet;

use crate::{File, files, none};

const TABLE: &str = "docs/src/variables.md";

/// The folders of the product whose code reads settings.
const PRODUCT: [&str; 6] = [
    "core/src/",
    "server/src/",
    "adapter-paas/src/",
    "adapter-vm/src/",
    "adapter-lambda/src/",
    "anyhost/src/",
];

/// Capitals with an underscore that are no setting: cargo's own, words of URLs and statements, and placeholders that are
/// refused as passwords.
const OTHERS: [&str; 7] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_PKG_VERSION",
    "DB_PASSWORD",
    "PG_TEMP",
    "VERIFY_CA",
    "YOUR_DB_PASSWORD",
    "YOUR_PASSWORD",
];

#[test]
fn every_variable_that_the_code_reads_is_in_the_table() {
    let table = table();
    let missing = read().into_iter().filter(|name| !table.contains(name));
    none(&format!("{TABLE} has a row for every variable"), missing.collect());
}

#[test]
fn every_variable_in_the_table_is_read_by_the_code() {
    let literals = literals();
    let missing = table().into_iter().filter(|name| !literals.contains(name));
    none(&format!("the code reads every variable of {TABLE}"), missing.collect());
}

/// The first column of every table on the page.
fn table() -> BTreeSet<String> {
    let page = files(".md").into_iter().find(|file| file.path == TABLE).expect("the page exists");
    let rows = page.text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect()
}

/// The variables that the code reads: names with an underscore, and those of one word that a call asks for.
fn read() -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        literals().into_iter().filter(|name| name.contains('_')).collect();
    for call in ["text(\"", "secret(\"", "get(\"", "require(\"", ">(\"", "port: \""] {
        for code in product() {
            names.extend(code.split(call).skip(1).filter_map(name).map(str::to_owned));
        }
    }
    names.into_iter().filter(|name| !OTHERS.contains(&name.as_str())).collect()
}

/// Every string literal of capitals in the product's code.
fn literals() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for code in product() {
        names.extend(code.split('"').skip(1).filter_map(|rest| whole(rest).map(str::to_owned)));
    }
    names
}

/// The name at the beginning of a text that a quote ends.
fn name(rest: &str) -> Option<&str> {
    whole(rest.split('"').next()?)
}

fn whole(text: &str) -> Option<&str> {
    let capital = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    (text.len() > 2
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(capital)
        && !text.ends_with('_'))
    .then_some(text)
}

/// The code of the product without comments and tests.
fn product() -> Vec<String> {
    let ours = |file: &File| {
        PRODUCT.iter().any(|folder| file.path.starts_with(folder))
            && !file.path.ends_with("/tests.rs")
            && !file.path.contains("/tests/")
    };
    let code = |file: File| {
        let code = file.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        code.lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    files(".rs").into_iter().filter(ours).map(code).collect()
}
