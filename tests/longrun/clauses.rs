//! The table of clauses beside this file: every clause stands in it, and every test that it names is there.

use std::fs;
use std::path::Path;

const CLAUSES: [&str; 34] = [
    "P1", "P2", "P3", "P4", "P5", "P6", "S1", "S2", "S3", "S4", "S5", "S6", "S7", "R1", "R2", "R3",
    "R4", "R5", "R6", "C1", "C2", "C3", "D1", "L1", "G1", "F1", "V1", "V2", "V3", "V4", "V5", "V6",
    "V7", "Z1",
];

#[test]
fn every_clause_is_shown_by_a_test_that_is_there_or_called_a_gap() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies in it");
    let table = fs::read_to_string(root.join("tests/longrun/README.md")).expect("it is there");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| clause "))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), CLAUSES);
    let mut gaps = Vec::new();
    for row in &rows {
        if row[2].starts_with("gap: ") {
            gaps.push(row[0]);
            continue;
        }
        let named: Vec<&str> = row[2].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty() && named.len().is_multiple_of(2), "{row:?}");
        for pair in named.chunks(2) {
            let text = fs::read_to_string(root.join(pair[0]));
            let text = text.unwrap_or_else(|error| panic!("{}: {}: {error}", row[0], pair[0]));
            let (before, _) = text
                .split_once(&format!("fn {}(", pair[1]))
                .unwrap_or_else(|| panic!("{}: {} has no {}", row[0], pair[0], pair[1]));
            let attributes = before.rsplit("}\n").next().unwrap_or_default();
            let marked = ["#[test]", "#[tokio::test"].iter().any(|mark| attributes.contains(mark));
            assert!(marked, "{}: {} is no test", row[0], pair[1]);
            assert!(!attributes.contains("#[ignore"), "{}: {} is not run", row[0], pair[1]);
        }
    }
    println!("{} clauses, {} of them gaps: {}", rows.len(), gaps.len(), gaps.join(", "));
}
