//! Odd and hostile input: one line that says what is wrong, the right exit code, and no figure that cannot be true.

use std::fs;
use std::io::Write;
use std::process::{Command, Output};

fn anyhost(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_anyhost")).args(arguments).output().expect("it runs")
}

/// One line on stderr that holds these words, nothing on stdout, this exit code.
#[track_caller]
fn refused(arguments: &[&str], code: i32, words: &str) {
    let output = anyhost(arguments);
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {line}");
    assert!(line.starts_with("anyhost: ") && line.contains(words), "{arguments:?}: {line}");
    assert_eq!(line.lines().count(), 1, "{arguments:?}: {line}");
    assert!(line.len() < 500 && output.stdout.is_empty(), "{arguments:?}: {line}");
}

#[test]
fn options_that_cannot_be_meant_are_refused() {
    for (option, words) in [
        ("--max-connections=18446744073709551615", "expected a whole number up to 1000000"),
        ("--max-connections=-1", "expected a whole number"),
        ("--reserved=99999999999", "expected a whole number"),
        ("--pooler-size=0", "from 1 to 1000000"),
        ("--db-cpus=4294967295", "4294967295"),
        ("--max-instances=0", "from 1 to 1000000"),
        ("--deploys-per-day=1e9", "from 0 to 1000"),
        ("--spare=18446744073709551615", "expected a whole number"),
        ("--service=-5ms", "-5ms"),
        ("--service=NaN", "NaN"),
        ("--service=1e400s", "1e400s"),
        ("--service=20", "expected"),
        ("--p99=nan", "expected a time"),
        ("--p99=inf", "expected a time"),
        ("--max-used=0", "from 0.01 to 1"),
        ("--max-used=NaN", "from 0.01 to 1"),
        ("--max-cold=2", "a share from 0 to 1"),
        ("--memory=-512", "a number above 0"),
        ("--memory=1e300", "a number above 0"),
        ("--vm=2,4", "PROCESSORS,GB,DOLLARS-A-MONTH"),
        ("--vm=nan,4,5", "PROCESSORS,GB,DOLLARS-A-MONTH"),
        ("--response-bytes=-1", "0 or more"),
        ("--max-conections=20", "unexpected argument '--max-conections'"),
    ] {
        refused(&["plan", "steady:days=0.01", option], 64, words);
    }
    for pattern in
        ["steady:mean=1e12", "steady:mean=-1", "steady:mean=nan", "steady:days=1e9", "steady:mean"]
    {
        refused(&["plan", pattern], 64, pattern);
    }
    refused(&["plan", "--mean", "1e9"], 64, "up to 1000000");
    refused(&["plan", "--mean", "1", "--peak", "1e6"], 64, "more than 5000 times");
    refused(&["plan", "spikes:length=10s,days=365"], 64, "31 days at most");
    refused(&["explain", "--cores", "nan"], 64, "--cores");
    refused(&["explain", "--pool-size", "18446744073709551615"], 64, "1000000");
}

/// A line of nginx at a second since 1970-01-01T10:00:00 of a day.
fn nginx(day: &str, second: usize, took: &str) -> String {
    let (minute, second) = (second / 60 % 60, second % 60);
    format!(
        "10.0.0.1 - - [{day}:10:{minute:02}:{second:02} +0000] \"GET /a HTTP/1.1\" 200 512 \"-\" \"curl\" {took}\n"
    )
}

fn log() -> String {
    (0..600).map(|second| nginx("29/Nov/2026", second, "0.020")).collect()
}

#[test]
fn files_that_cannot_be_true_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let points = |value: &str| {
        let points = (0..20).map(|index| format!("[{},\"{value}\"]", 1_795_946_400 + 15 * index));
        let points = points.collect::<Vec<_>>().join(",");
        format!(r#"{{"status":"success","data":{{"result":[{{"values":[{points}]}}]}}}}"#)
    };
    let mut cut = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    cut.write_all(log().as_bytes()).expect("memory");
    let mut cut = cut.finish().expect("memory");
    cut.truncate(cut.len() / 2);
    let files: [(&str, Vec<u8>, &str); 12] = [
        ("empty", Vec::new(), "is empty"),
        ("blank", b"\n \r\n\n".to_vec(), "is empty"),
        ("mark", b"\xef\xbb\xbf".to_vec(), "is empty"),
        ("zeros", vec![0; 4000], "no known format"),
        ("cut", cut, "gzip"),
        ("wide", b"second,requests\n0,1\n18446744073709551615,1\n".to_vec(), "more than a day"),
        ("nan", b"minute,requests\n0,NaN\n1,3\n".to_vec(), "must be a whole number"),
        ("huge", points("1e300").into_bytes(), "are not believed"),
        ("nothing", points("NaN").into_bytes(), "has 0 points"),
        ("below", points("-3.5").into_bytes(), "negative"),
        ("clock", (nginx("01/Jan/2000", 0, "0.020") + &log()).into_bytes(), "apart"),
        ("late", (log() + &nginx("29/Nov/2027", 0, "0.020")).into_bytes(), "another clock"),
    ];
    for (name, bytes, words) in files {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("a file");
        refused(&["plan", "--from", path.to_str().expect("a path of ours")], 65, words);
    }
    refused(&["plan", "--from", folder.path().to_str().expect("a path of ours")], 65, "directory");
}

#[test]
fn the_largest_seed_and_a_peak_of_seconds_are_simulated() {
    let json = |arguments: &[&str]| {
        let output = anyhost(&[arguments, &["--host", "lambda", "--no-flips", "--json"]].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(0 | 2)), "{error}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("it is JSON")
    };
    json(&["plan", "steady:days=0.01", "--seed", "18446744073709551615"]);
    // Half of the mean comes in spikes: 6 h × 1 / 1000 / 2 = 10.8 s long, which intervals of a minute would hide.
    let value = json(&["plan", "--mean", "1", "--peak", "1000"]);
    let of = |name: &str| value["statistics"][name].as_f64().expect("a number");
    assert!((of("mean") - 1.0).abs() < 0.05, "{}", of("mean"));
    assert!((900.0..1200.0).contains(&of("peak")), "{}", of("peak"));
    // None is warm when a spike begins: 1,000 a second × 0.215 s of start are 215 at once, and 94 fit, which no other seed
    // may hide.
    let fault = &value["candidates"][0]["fault"];
    assert_eq!(fault["kind"], "connections", "{fault}");
    assert!(fault["needed"].as_u64().is_some_and(|needed| (180..300).contains(&needed)), "{fault}");
}

#[test]
fn what_is_only_odd_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = log();
    let read = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        let path = path.to_str().expect("a path of ours");
        let output =
            anyhost(&["plan", "--from", path, "--host", "heroku-basic", "--no-flips", "--json"]);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("it is JSON")
    };
    let wanted = read("plain", plain.as_bytes());
    let same = |what: &str, value: &serde_json::Value| {
        for name in ["requests", "mean", "peak"] {
            assert_eq!(value["statistics"][name], wanted["statistics"][name], "{what}");
        }
        assert_eq!(value["inputs"]["service"], wanted["inputs"]["service"], "{what}");
    };
    same("CRLF", &read("crlf", plain.replace('\n', "\r\n").as_bytes()));
    same("no last line end", &read("end", plain.trim_end().as_bytes()));
    same("Latin-1", &read("latin", &[plain.as_bytes(), b"caf\xe9 \xff\n"].concat()));
    // Ten minutes on another day are no other clock, if they are not a few lines.
    let month = plain.clone() + &plain.replace("29/Nov", "29/Oct");
    assert_eq!(read("two days", month.as_bytes())["statistics"]["requests"], 1200);
    // One duration that cannot be true is left out, and said.
    let wrong = plain + &nginx("29/Nov/2026", 600, "99999999999.5");
    let value = read("wrong", wrong.as_bytes());
    assert!(value["inputs"]["service"]["mean"].as_f64().is_some_and(|mean| mean < 0.03));
    assert!(value["warnings"].to_string().contains("without 1 of more than a day"));
}
