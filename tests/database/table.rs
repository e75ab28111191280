//! The table of rules names tests that exist, and every test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn every_test_that_the_table_names_exists_and_every_test_is_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("database");
    let table = fs::read_to_string(folder.join("README.md")).unwrap();
    let named: BTreeSet<String> = table
        .split('`')
        .filter(|text| text.contains("::") && !text.contains(' '))
        .map(Into::into)
        .collect();
    let mut written = BTreeSet::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "rs") || module == "table" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2) {
            let [attribute, function] = pair else { unreachable!() };
            if !(attribute.starts_with("#[test]") || attribute.starts_with("#[tokio::test")) {
                continue;
            }
            let name = function.trim_start_matches("async ").trim_start_matches("fn ");
            let (name, _) = name.split_once('(').unwrap();
            written.insert(format!("{module}::{name}"));
        }
    }
    let unwritten: Vec<_> = named.difference(&written).collect();
    assert!(unwritten.is_empty(), "named and not there: {unwritten:#?}");
    let unnamed: Vec<_> = written.difference(&named).collect();
    assert!(unnamed.is_empty(), "there and not named: {unnamed:#?}");
}
