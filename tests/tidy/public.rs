//! The public names that users meet stand in a list, so that a change of them is seen.

use std::collections::BTreeSet;
use std::fs;

use crate::root;

/// The most names in the root of `anyhost`.
const MOST: usize = 30;

#[test]
fn the_list_of_public_names_is_true() {
    let mut expected = String::from(
        "# Public names\n\nThe items of the crate `anyhost` and of the room for authors of hosts, \
         `anyhost_core::adapter`. A test compares this list with the sources.\n",
    );
    for (heading, file) in
        [("anyhost", "anyhost/src/lib.rs"), ("anyhost_core::adapter", "core/src/adapter.rs")]
    {
        expected.push_str(&format!("\n## {heading}\n\n"));
        for name in names(file) {
            expected.push_str(&format!("- `{name}`\n"));
        }
    }
    let page = root().join("docs/public-names.md");
    let found = fs::read_to_string(&page).unwrap_or_default();
    assert!(found == expected, "{} should be:\n{expected}", page.display());
}

#[test]
fn the_root_of_anyhost_is_small() {
    let names = names("anyhost/src/lib.rs");
    assert!(names.len() <= MOST, "{} names, at most {MOST}: {names:?}", names.len());
}

/// The names that a file exports: those of `pub use`, `pub fn` and `pub mod`.
fn names(path: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(path)).expect("the file exists");
    let mut names = BTreeSet::new();
    for part in text.split("pub use ").skip(1) {
        let list = part.split(';').next().unwrap_or_default();
        let list = list.split_once('{').map_or(list, |(_, list)| list);
        for item in list.trim_end_matches(['}', '\n']).split(',') {
            let name = item.rsplit("::").next().unwrap_or_default().trim().trim_end_matches('}');
            let name = name.split_once(" as ").map_or(name, |(_, name)| name).trim();
            if !name.is_empty() {
                names.insert(name.to_owned());
            }
        }
    }
    for word in ["\npub fn ", "\npub mod "] {
        for part in text.split(word).skip(1) {
            names.extend(part.split(['(', '<', ';', ' ']).next().map(str::to_owned));
        }
    }
    names
}
