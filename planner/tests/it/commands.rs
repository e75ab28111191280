//! The program itself: what it prints, and how it fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhost_core::Paradigm;
use anyhost_planner::connections::Deployment;
use anyhost_planner::workload::Database;

fn anyhost(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_anyhost")).args(arguments).output().expect("it runs")
}

fn trace(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces").join(name);
    path.to_str().expect("a path of ours").to_owned()
}

/// One line on stderr, nothing on stdout, this exit code.
#[track_caller]
fn fails(arguments: &[&str], code: i32, line: &str) {
    let output = anyhost(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(stderr, format!("anyhost: {line}\n"));
    assert!(output.stdout.is_empty());
}

fn written(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("a file");
    path
}

#[test]
fn a_wrong_trace_is_one_line_with_file_row_and_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    for (text, reason) in [
        (
            "minute,requests\n0,5\n1,lots\n",
            "row 3: requests must be a whole number, found \"lots\"",
        ),
        ("minute,requests\n0,5\n1,-5\n", "row 3: requests must not be negative, found \"-5\""),
        (
            "minute,requests\n0,5\n1,6\n9,5\n",
            "row 4: a gap of 7 intervals after offset 1; say what it means with --gaps empty or --gaps repeat",
        ),
        ("minute,requests\n5,5\n4,5\n", "row 3: offset 4 does not come after 5"),
        (
            "minute,requests\n0,99999999999999999999\n",
            "row 2: requests is too large: \"99999999999999999999\"",
        ),
        ("second,requests\n0,0\n1,0\n", "has no requests at all"),
    ] {
        let path = written(&folder, "wrong.csv", text);
        let path = path.to_str().expect("a path of ours");
        let file = if reason.starts_with("row") { path } else { "wrong" };
        fails(&["plan", "--from", path], 65, &format!("{file}: {reason}"));
    }
    fails(
        &["plan", "--from", "/nowhere.csv"],
        65,
        "/nowhere.csv: No such file or directory (os error 2)",
    );
}

#[test]
fn a_price_without_a_date_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "[price.\"mine\"]\nusd = 5\nsource = \"me\"\n";
    let path = written(&folder, "hosts.toml", text);
    let path = path.to_str().expect("a path of ours");
    let line = format!("{path}: price mine has no valid_on: a price without a date is none");
    fails(&["plan", "steady:days=0.01", "--hosts", path], 65, &line);
}

#[test]
fn wrong_options_are_named() {
    let output = anyhost(&["plan", "steady:days=0.01", "--host", "mars"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64));
    assert!(
        text.starts_with("anyhost: --host: no host is called mars; there are lambda, "),
        "{text}"
    );
    fails(
        &["plan", "steady:days=0.01", "--db-share", "0.7", "--cpu-share", "0.7"],
        64,
        "--db-share and --cpu-share are more than 1 together",
    );
    fails(
        &["plan", "steady:days=0.01", "--region", "mars-1"],
        64,
        "--region: region mars-1: no price list; there are us-east-1, ap-northeast-2",
    );
    fails(&["plan", "--mean", "20", "--peak", "3"], 64, "--peak must not be below --mean");
    for arguments in [
        &["plan"][..],
        &["plan", "wave"],
        &["plan", "steady", "--service", "quick"],
        &["plan", "steady", "--no-database", "--pooler", "pgbouncer"],
        &["fly"],
    ] {
        let output = anyhost(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
    for asked in ["--help", "--version"] {
        assert_eq!(anyhost(&[asked]).status.code(), Some(0));
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let sparse = trace("azure2019_fn_sparse_9c80ba1d_minute.csv");
    let json = |seed: &str| {
        anyhost(&["plan", "--from", &sparse, "--json", "--seed", seed, "--no-flips"]).stdout
    };
    assert_eq!(json("7"), json("7"));
    assert_ne!(json("7"), json("8"));
    let value = serde_json::from_slice::<serde_json::Value>(&json("7")).expect("it is JSON");
    assert_eq!(value["statistics"]["requests"], 174);
    assert_eq!(value["host"], "lambda");
    for line in value["candidates"][0]["run"]["bill"]["lines"].as_array().expect("lines") {
        assert_eq!(line["valid_on"], "2026-10-01");
    }
}

#[test]
fn stdin_is_read_and_two_figures_are_a_traffic() {
    let file = std::fs::File::open(trace("azure2019_fn_sparse_9c80ba1d_minute.csv"));
    let output = Command::new(env!("CARGO_BIN_EXE_anyhost"))
        .args(["plan", "--from", "-", "--host", "lambda", "--no-flips"])
        .stdin(file.expect("a trace"))
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.starts_with("stdin: 174 requests"), "{text}");

    let output = anyhost(&[
        "plan",
        "--mean",
        "2",
        "--peak",
        "30",
        "--host",
        "lambda",
        "--json",
        "--no-flips",
    ]);
    let value = serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("it is JSON");
    let of = |name: &str| value["statistics"][name].as_f64().expect("a number");
    assert!((of("mean") / 2.0 - 1.0).abs() < 0.05, "{}", of("mean"));
    assert!((of("peak") / 30.0 - 1.0).abs() < 0.15, "{}", of("peak"));
}

#[test]
fn a_machine_at_a_price_of_ones_own_is_a_host() {
    let output = anyhost(&[
        "plan",
        "steady:mean=10,days=0.05",
        "--vm",
        "2,4,4.5",
        "--host",
        "own-vm",
        "--no-flips",
    ]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("Your virtual machine with systemd, $4.50 a month"), "{text}");
    // It stands outside of AWS: no price of AWS is on its bill, and RDS Proxy cannot be reached from it.
    let own = ["plan", "steady:mean=10,days=0.05", "--vm", "2,4,4.5", "--host", "own-vm", "--json"];
    let json = |more: &[&str]| {
        let output = anyhost(&[&own[..], &["--no-flips"], more].concat());
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("it is JSON")
    };
    let whole = json(&["--with", "database", "logs", "--response-bytes", "10000"]);
    assert_eq!(whole["candidates"][0]["run"]["bill"]["month"], 4.5);
    let said = json(&["--pooler", "rds-proxy"])["candidates"][0]["misses"].to_string();
    assert!(said.contains("outside the database's VPC"), "{said}");
}

#[test]
fn two_answers_are_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let answer = |name: &str, more: &[&str]| {
        let mut arguments = vec!["plan", "steady:mean=5,days=0.02", "--json", "--no-flips"];
        arguments.extend(["--host", "lambda", "--host", "fargate"]);
        arguments.extend(more);
        let text = String::from_utf8(anyhost(&arguments).stdout).expect("UTF-8");
        written(&folder, name, &text).to_str().expect("a path of ours").to_owned()
    };
    let (a, b) = (answer("a.json", &[]), answer("b.json", &["--service", "100ms"]));
    let output = anyhost(&["compare", &a, &b]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    for part in ["service.mean: 0.02", " | 0.1", "lambda ", "fargate ", "A sets memory: 512 MB"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let wrong = written(&folder, "c.json", "{}");
    let wrong = wrong.to_str().expect("a path of ours");
    let line = format!("{wrong}: is no answer of `anyhost plan --json`");
    fails(&["compare", &a, wrong], 65, &line);
}

#[test]
fn the_page_needs_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("page.html");
    let path = path.to_str().expect("a path of ours");
    let bursty = trace("azure2019_fn_bursty_444104e8_minute.csv");
    let output = anyhost(&["plan", "--from", &bursty, "--html", path, "--no-flips"]);
    assert!(output.status.success());
    let page = fs::read_to_string(path).expect("a page");
    // The one address is the name of SVG itself.
    let addresses = page.matches("http://").count() + page.matches("https://").count();
    assert_eq!(addresses, page.matches("http://www.w3.org/2000/svg").count());
    assert!(!page.contains("<script") && !page.contains("@import") && !page.contains("url("));
    for part in ["Traffic", "Processes", "Database connections", "Latency"] {
        assert!(page.contains(&format!("<figcaption><b>{part}</b>")), "{part}");
    }
    assert!(page.contains("What to set") && page.contains("The bill"));
    assert!(!page.contains("NaN") && !page.contains("inf<"));
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
}

#[test]
fn compare_says_which_and_why_for_each_trace() {
    let [sparse, bursty] = ["sparse_9c80ba1d", "bursty_444104e8"]
        .map(|name| trace(&format!("azure2019_fn_{name}_minute.csv")));
    let output = anyhost(&["compare", "--trace", &sparse, "--trace", &bursty]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches(": Serverless: AWS Lambda").count(), 2, "{text}");
    assert!(text.contains("84.2 % of the intervals are empty"), "{text}");
}

#[test]
fn explain_speaks_with_cores_own_words() {
    let output = anyhost(&["explain", "--instances", "3", "--cores", "8"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let deployment = Deployment {
        paradigm: Paradigm::LongRunning,
        cores: 8.0,
        concurrency: 1,
        instances: 3,
        overlap: 2.0,
        pool_size: None,
    };
    let pool = deployment.pool(&Database::default()).expect("it fits");
    assert_eq!(text, format!("{}.\n", pool.explanation));
    assert!(
        text.starts_with(
            "15 connections per process: the smaller of 2 × 8 processors + 1 = 17 and"
        ),
        "{text}"
    );
    let output = anyhost(&["explain", "--serverless", "--instances", "200"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(78));
    assert!(
        text.contains("200 environments × 1 connection = 200")
            && text.contains("The most that fit are 94"),
        "{text}"
    );
}

#[test]
fn check_manifests_fails_where_there_is_a_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    written(&folder, "web.service", "[Service]\nType=notify\nTimeoutStopSec=30s\n");
    let output = anyhost(&["check-manifests", folder.path().to_str().expect("a path of ours")]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.starts_with("FAULT web.service: web: the preset's drain of 80 s is not over"),
        "{text}"
    );
}
