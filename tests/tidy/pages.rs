//! Promises about the pages beside the code.

use std::fs;

use crate::borders::{Metadata, metadata};
use crate::{files, none, root};

#[test]
fn the_changelog_has_the_current_version() {
    let text = fs::read_to_string(root().join("CHANGELOG.md")).expect("there is a changelog");
    let Metadata { packages, .. } = metadata();
    let heading = |version: &str| format!("## [{version}]");
    let missing = packages.iter().filter(|package| !text.contains(&heading(&package.version)));
    none("a heading for the version of every package", missing.map(|p| p.name.clone()).collect());
}

#[test]
fn the_readme_names_every_package() {
    let text = fs::read_to_string(root().join("README.md")).expect("there is a README");
    let Metadata { packages, .. } = metadata();
    let missing = packages.iter().filter(|package| !text.contains(&format!("`{}`", package.name)));
    none("the README's table has every package", missing.map(|p| p.name.clone()).collect());
}

#[test]
fn the_first_program_is_the_same_on_every_page() {
    let program = |page: &str| {
        let text = fs::read_to_string(root().join(page)).expect("the page exists");
        let (_, rest) = text.split_once("```rust,no_run\n").expect("it has a program");
        rest.split("```").next().map(str::to_owned)
    };
    let first = program("README.md");
    for page in ["anyhost/README.md", "docs/src/first-service.md"] {
        assert!(program(page) == first, "{page} has another program than README.md");
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut dead = Vec::new();
    for page in files(".md") {
        let folder = root().join(&page.path);
        let folder = folder.parent().expect("a page lies in a folder");
        for target in page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (path, section) = target.split_once('#').unwrap_or((target, ""));
            let elsewhere = path.contains("://") || path.starts_with("mailto:");
            // A link to an item is rustdoc's, which checks it itself.
            let item = path.contains("::") || path.contains(' ');
            if elsewhere || item {
                continue;
            }
            let file = if path.is_empty() { root().join(&page.path) } else { folder.join(path) };
            let text = || fs::read_to_string(&file).unwrap_or_default();
            if !file.exists()
                || !(section.is_empty() || sections(&text()).any(|name| name == section))
            {
                dead.push(format!("{}: {target}", page.path));
            }
        }
    }
    none("every relative link has its file and its heading", dead);
}

/// The names of a page's headings in links: in lower case, spaces as hyphens, without other punctuation.
fn sections(page: &str) -> impl Iterator<Item = String> {
    let headings = page.lines().filter_map(|line| {
        line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
    });
    let letter = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    headings.map(move |heading| heading.chars().filter_map(letter).collect())
}

#[test]
fn every_file_and_folder_that_the_architecture_names_exists() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("there is such a page");
    // Every second piece stands between backticks.
    let named = text.split('`').skip(1).step_by(2);
    let named = named.filter(|name| name.ends_with(".rs") || name.ends_with('/'));
    let sources = files(".rs");
    let missing = named.filter(|name| {
        // A table names a file by the end of its path.
        let inside = format!("/{name}");
        !sources.iter().any(|file| match name.ends_with('/') {
            true => file.path.contains(&inside),
            false => file.path == *name || file.path.ends_with(&inside),
        })
    });
    none("what ARCHITECTURE.md names exists", missing.map(str::to_owned).collect());
}

#[test]
fn the_architecture_fits_in_150_lines() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("there is such a page");
    assert!(text.lines().count() <= 150, "{} lines", text.lines().count());
}
