//! Promises about the guide in `docs`.

use std::collections::BTreeSet;

use crate::{File, files, none};

const SUMMARY: &str = "docs/src/SUMMARY.md";

fn pages() -> Vec<File> {
    files(".md").into_iter().filter(|file| file.path.starts_with("docs/src/")).collect()
}

#[test]
fn the_summary_lists_every_page() {
    let pages = pages();
    let summary = pages.iter().find(|page| page.path == SUMMARY).expect("there is a summary");
    let listed: BTreeSet<&str> =
        summary.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    let missing = pages.iter().filter(|page| page.path != SUMMARY).filter(|page| {
        page.path.strip_prefix("docs/src/").is_none_or(|path| !listed.contains(path))
    });
    none(
        "every page of the guide is in its summary",
        missing.map(|page| page.path.clone()).collect(),
    );
}

#[test]
fn tests_that_the_guide_quotes_are_those_of_the_examples() {
    let page = pages().into_iter().find(|page| page.path == "docs/src/testing.md");
    let page = page.expect("there is such a page").text;
    let tests: Vec<File> = files(".rs")
        .into_iter()
        .filter(|file| file.path.starts_with("examples/") && file.path.contains("/tests/"))
        .collect();
    let quotes = page.split("```rust,ignore\n").skip(1).filter_map(|rest| rest.split("```").next());
    let wrong = quotes.filter(|quote| !tests.iter().any(|file| file.text.contains(quote)));
    none("a quoted test stands in an example", wrong.map(str::to_owned).collect());
}

#[test]
fn every_page_with_rust_code_is_compiled() {
    let compiled = files(".rs").into_iter().find(|file| file.path == "docs/lib.rs");
    let compiled = compiled.expect("the package of the guide").text;
    let missing = pages().into_iter().filter(|page| page.text.contains("```rust")).filter(|page| {
        let path = page.path.trim_start_matches("docs/");
        !compiled.contains(&format!("include_str!(\"{path}\")"))
    });
    none("docs/lib.rs includes every page with Rust code", missing.map(|page| page.path).collect());
}
