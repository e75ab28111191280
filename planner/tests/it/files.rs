//! Files that people have: each format is found out, and what cannot be true is refused.
//!
//! Long because each format has its sample here.

use std::io::Write;

use anyhost_planner::sources::{Source, SourceOptions, TimeUnit, Values, parse, read};

fn source(text: &str) -> Result<Source, String> {
    parse("log", "log", text.as_bytes(), &SourceOptions::default())
}

/// Durations of 200 requests, one a second, in milliseconds: 10 to 29, so the median is 20 and the mean 19.5.
fn requests() -> impl Iterator<Item = (usize, f64)> {
    (0..200).map(|index| (index, 10.0 + (index % 20) as f64))
}

fn clock(second: usize) -> String {
    format!("10:{:02}:{:02}", second / 60, second % 60)
}

/// Each format as a whole file.
fn formats() -> Vec<(&'static str, String)> {
    let lines = |line: &dyn Fn(usize, f64) -> String| {
        requests().map(|(index, ms)| line(index, ms) + "\n").collect::<String>()
    };
    let clf = |index: usize| {
        format!("10.0.0.1 - - [29/Nov/2026:{} +0000] \"GET /a?b=1 HTTP/1.1\" 200 512", clock(index))
    };
    let iso = |index: usize| format!("2026-11-29T{}.123456Z", clock(index));
    vec![
        (
            "our own",
            lines(&|i, ms| {
                format!(
                    r#"{{"time":"{}","level":"INFO","target":"access","method":"GET","path":"/a","status":200,"seconds":{},"client":"1.2.3.4","message":"answered"}}"#,
                    iso(i),
                    ms / 1e3
                )
            }),
        ),
        (
            "nginx with $request_time last",
            lines(&|i, ms| format!("{} \"-\" \"curl\" {:.3}", clf(i), ms / 1e3)),
        ),
        (
            "nginx rt= urt=",
            lines(&|i, ms| format!("{} \"-\" \"curl\" rt={:.3} urt=\"0.001\"", clf(i), ms / 1e3)),
        ),
        (
            "nginx request_time=\"\"",
            lines(&|i, ms| format!("{} \"-\" \"curl\" request_time=\"{:.3}\"", clf(i), ms / 1e3)),
        ),
        ("Apache %D last", lines(&|i, ms| format!("{} \"-\" \"curl\" {:.0}", clf(i), ms * 1e3))),
        (
            "Apache duration=%D",
            lines(&|i, ms| format!("{} \"-\" \"curl\" duration={:.0}", clf(i), ms * 1e3)),
        ),
        (
            "ingress-nginx",
            lines(&|i, ms| {
                format!(
                    "{} \"-\" \"curl\" 342 {:.3} [default-web-80] [] 10.1.2.3:8080 512 {:.3} 200 abc",
                    clf(i),
                    ms / 1e3,
                    ms / 1e3
                )
            }),
        ),
        (
            "ALB",
            lines(&|i, ms| {
                format!(
                    "https {} app/web/50dc 1.2.3.4:2817 10.0.0.1:80 0.000 {:.3} 0.000 200 200 34 512 \"GET https://www.example.com:443/a HTTP/1.1\" \"curl\" - -",
                    iso(i),
                    ms / 1e3
                )
            }),
        ),
        (
            "CloudFront",
            format!(
                "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status time-taken\n{}",
                lines(&|i, ms| format!(
                    "2026-11-29\t{}\tICN54\t512\t1.2.3.4\tGET\td1.cloudfront.net\t/a\t200\t{:.3}",
                    clock(i),
                    ms / 1e3
                ))
            ),
        ),
        (
            "Heroku router",
            lines(&|i, ms| {
                format!(
                    "{} heroku[router]: at=info method=GET path=\"/a\" host=x dyno=web.1 connect=0ms service={ms:.0}ms status=200 bytes=512 protocol=https",
                    iso(i)
                )
            }),
        ),
        (
            "lograge",
            lines(&|i, ms| {
                format!(
                    "{} app[web.1]: method=GET path=/a format=html controller=A action=b status=200 duration={ms:.2} view=1.2 db=0.4",
                    iso(i)
                )
            }),
        ),
        (
            "Envoy",
            lines(&|i, ms| {
                format!(
                    r#"{{"start_time":"{}","method":"GET","path":"/a","response_code":200,"bytes_sent":512,"duration":{ms:.0}}}"#,
                    iso(i)
                )
            }),
        ),
        (
            "Caddy",
            lines(&|i, ms| {
                format!(
                    r#"{{"level":"info","ts":{}.5,"logger":"http.log.access","request":{{"method":"GET","uri":"/a"}},"duration":{},"size":512,"status":200}}"#,
                    1_795_946_400 + i,
                    ms / 1e3
                )
            }),
        ),
        (
            "Traefik",
            lines(&|i, ms| {
                format!(
                    r#"{{"StartUTC":"{}","RouterName":"r","Duration":{:.0},"DownstreamStatus":200,"RequestPath":"/a"}}"#,
                    iso(i),
                    ms * 1e6
                )
            }),
        ),
        (
            "pino",
            lines(&|i, ms| {
                format!(
                    r#"{{"level":30,"time":{},"req":{{"method":"GET","url":"/a"}},"res":{{"statusCode":200}},"responseTime":{ms:.0}}}"#,
                    1_795_946_400_000_u64 + i as u64 * 1000
                )
            }),
        ),
        (
            "tower-http",
            lines(&|i, ms| {
                format!(
                    "{} INFO request: finished processing request latency={ms:.0} ms status=200",
                    iso(i)
                )
            }),
        ),
        (
            "Lambda REPORT",
            lines(&|i, ms| {
                format!(
                    "{} REPORT RequestId: 1-2-3 Duration: {ms:.2} ms Billed Duration: 30 ms Memory Size: 512 MB Max Memory Used: 18 MB",
                    iso(i)
                )
            }),
        ),
        (
            "Lambda platform.report",
            lines(&|i, ms| {
                format!(
                    r#"{{"time":"{}","type":"platform.report","record":{{"requestId":"1","metrics":{{"durationMs":{ms},"billedDurationMs":30}}}}}}"#,
                    iso(i)
                )
            }),
        ),
    ]
}

#[test]
fn every_log_gives_the_same_traffic_and_service_time() {
    for (name, text) in formats() {
        let found = source(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let service = found.service.unwrap_or_else(|| panic!("{name}: {:?}", found.coverage));
        let (median, mean) = (service.median(), service.mean());
        assert!((median - 0.020).abs() < 0.0015, "{name}: median {median}");
        assert!((mean - 0.0195).abs() < 0.0007, "{name}: mean {mean}");
        let traffic = found.traffic.unwrap_or_else(|| panic!("{name}: {:?}", found.coverage));
        assert_eq!((traffic.requests(), traffic.counts().len()), (200, 200), "{name}");
        assert!(found.coverage[0].contains("200 of 20"), "{name}: {:?}", found.coverage);
    }
}

#[test]
fn a_packed_file_is_unpacked() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.log.gz");
    let file = std::fs::File::create(&path).expect("a file");
    let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    packed.write_all(formats()[1].1.as_bytes()).expect("written");
    packed.finish().expect("written");
    let found = read(&path, &SourceOptions::default()).expect("a log");
    assert_eq!(found.traffic.expect("timestamps").requests(), 200);
}

#[test]
fn what_a_log_does_not_say_is_not_made_up() {
    // 2 of 200 lines have a time: the traffic counts, the times do not.
    let clf = |index: usize| {
        format!(
            "1.2.3.4 - - [29/Nov/2026:{} +0000] \"GET / HTTP/1.1\" 200 512 \"-\" \"curl\"",
            clock(index)
        )
    };
    let mixed =
        (0..200).map(|i| clf(i) + if i < 2 { " 4.046\n" } else { "\n" }).collect::<String>();
    let found = source(&mixed).expect("a log");
    assert_eq!(found.service, None);
    assert_eq!(found.traffic.expect("timestamps").requests(), 200);
    assert!(found.coverage[1].starts_with("Only 2 of 200 requests (1 %)"), "{:?}", found.coverage);

    // A unit that cannot be told is asked for.
    let text = (0..200)
        .map(|i| format!("2026-11-29T{}Z took={}\n", clock(i), 3 + i % 5))
        .collect::<String>();
    let error = source(&text).expect_err("ambiguous");
    assert!(error.contains("--time-unit"), "{error}");
    let options = SourceOptions { time_unit: Some(TimeUnit::Ms), ..SourceOptions::default() };
    let found = parse("log", "log", text.as_bytes(), &options).expect("a log");
    assert!((found.service.expect("times").median() - 0.005).abs() < 1e-6);

    // Days for a request are no service time.
    let absurd = (0..200).map(|i| format!("{} 8661525.0\n", clf(i))).collect::<String>();
    assert!(source(&absurd).expect_err("absurd").contains("no service times"));
    let error = source("a\nb\n").expect_err("no log");
    assert!(error.starts_with("log: no known format") && !error.contains('\n'), "{error}");
}

#[test]
fn health_checks_and_websockets_are_left_out_and_said() {
    let mut text = formats()[0].1.clone();
    for i in 0..30 {
        text.push_str(&format!("{{\"time\":\"2026-11-29T{}Z\",\"path\":\"/readyz\",\"status\":200,\"seconds\":0.0001}}\n", clock(i)));
        text.push_str(&format!(
            "{{\"time\":\"2026-11-29T{}Z\",\"path\":\"/ws\",\"status\":101,\"seconds\":3600.0}}\n",
            clock(i)
        ));
        text.push_str("{\"level\":\"INFO\",\"message\":\"started\"}\n");
    }
    let found = source(&text).expect("a log");
    assert!((found.service.expect("times").mean() - 0.0195).abs() < 0.0007);
    let said = &found.coverage[0];
    for part in
        ["230 of 290 lines used", "30 health checks", "30 lines of another kind", "30 WebSockets"]
    {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn exported_metrics_give_traffic() {
    let cases = [
        (
            "CloudWatch statistics",
            r#"{"Label":"RequestCount","Datapoints":[{"Timestamp":"2026-11-29T10:02:00Z","Sum":30.0,"Unit":"Count"},{"Timestamp":"2026-11-29T10:00:00Z","Sum":10.0,"Unit":"Count"},{"Timestamp":"2026-11-29T10:01:00Z","Sum":20.0,"Unit":"Count"}]}"#,
        ),
        (
            "CloudWatch data",
            r#"{"MetricDataResults":[{"Id":"m","Timestamps":["2026-11-29T10:01:00+00:00","2026-11-29T10:00:00+00:00","2026-11-29T10:02:00+00:00"],"Values":[20,10,30]}]}"#,
        ),
        (
            "CloudWatch CSV",
            "Full label,AWS/ApplicationELB RequestCount\nLabel,RequestCount\n2026/11/29 10:00:00,10\n2026/11/29 10:01:00,20\n2026/11/29 10:02:00,30\n",
        ),
        (
            "Prometheus",
            r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1795946400,"0.16666667"],[1795946460,"0.3333333"],[1795946520,"0.5"]]}]}}"#,
        ),
        (
            "Grafana",
            "\"Time\",\"requests/s\"\n2026-11-29 10:00:00,0.1666667\n2026-11-29 10:01:00,0.3333333\n2026-11-29 10:02:00,0.5\n",
        ),
        (
            "Azure Monitor",
            r#"{"value":[{"name":{"value":"Requests"},"timeseries":[{"data":[{"timeStamp":"2026-11-29T10:00:00Z","total":10.0},{"timeStamp":"2026-11-29T10:01:00Z","total":20.0},{"timeStamp":"2026-11-29T10:02:00Z","total":30.0}]}]}]}"#,
        ),
        (
            "a table",
            "when;Requests;errors\n2026-11-29T10:00:00Z;10.0;1\n2026-11-29T10:01:00Z;20.0;0\n2026-11-29T10:02:00Z;30.0;0\n",
        ),
        ("a trace", "Minute,Requests\n0,10\n1,20.0\n2,30\n"),
    ];
    for (name, text) in cases {
        let found = source(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let traffic = found.traffic.expect("traffic");
        assert_eq!(traffic.counts(), [10, 20, 30], "{name}: {:?}", found.coverage);
        assert_eq!(traffic.interval().as_secs(), 60, "{name}");
    }
    // Whole numbers without a name may be rates or counts.
    let text = "Time,Value\n2026-11-29 10:00:00,10\n2026-11-29 10:01:00,20\n";
    assert!(source(text).expect_err("ambiguous").contains("--values"));
    let options = SourceOptions { values: Some(Values::Rate), ..SourceOptions::default() };
    let found = parse("m", "m", text.as_bytes(), &options).expect("rates");
    assert_eq!(found.traffic.expect("traffic").counts(), [600, 1200]);
    let averages =
        r#"{"Label":"x","Datapoints":[{"Timestamp":"2026-11-29T10:02:00Z","Average":1.0}]}"#;
    assert!(source(averages).expect_err("no sums").contains("--statistics Sum"));
}

#[test]
fn no_bytes_make_a_reader_panic() {
    let mut random = anyhost_planner::Random::new(11);
    let seeds = formats().into_iter().map(|(_, text)| text.into_bytes()).collect::<Vec<_>>();
    for round in 0..2000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        bytes.truncate(400 + random.below(400));
        for _ in 0..random.below(12) {
            let place = random.below(bytes.len());
            bytes[place] = random.below(256) as u8;
        }
        if let Err(error) = parse("f", "f", &bytes, &SourceOptions::default()) {
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
}

#[test]
fn a_trace_is_read_as_spreadsheets_and_shells_write_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = "second,requests\n0,5\n1,6\n2,7\n";
    let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
    let little =
        |text: &str| units(text).into_iter().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let big = |text: &str| units(text).into_iter().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
    let files = [
        ("semicolons", plain.replace(',', ";").into_bytes()),
        ("tabs", plain.replace(',', "\t").into_bytes()),
        ("capitals", plain.replace("second,requests", "Second,Requests").into_bytes()),
        ("little endian", little(&format!("\u{feff}{plain}"))),
        ("big endian", big(&format!("\u{feff}{plain}"))),
    ];
    for (name, bytes) in files {
        let path = folder.path().join(format!("{name}.csv"));
        std::fs::write(&path, bytes).expect("a file");
        let found = read(&path, &SourceOptions::default());
        let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found.traffic.expect("a traffic").counts(), [5, 6, 7], "{name}");
    }
}

#[test]
fn requests_of_a_second_format_are_not_lost_without_a_word() {
    let logs = formats();
    let log = |wanted: &str| {
        logs.iter().find(|(name, _)| *name == wanted).map(|(_, text)| text.clone()).expect("a log")
    };
    let both = log("our own") + &log("nginx with $request_time last");
    let said = source(&both).expect("a source").coverage.join(" ");
    assert!(said.contains("200 of the skipped lines are requests of another format"), "{said}");
    // The negative control: other lines are no requests.
    let other = log("our own") + &"connected to the database\n".repeat(200);
    let said = source(&other).expect("a source").coverage.join(" ");
    assert!(!said.contains("another format"), "{said}");
}

#[test]
fn an_error_of_prometheus_and_a_senseless_duration_are_one_short_line() {
    let error = source(r#"{"status":"error","errorType":"bad_data","error":"invalid query"}"#);
    assert!(error.expect_err("no values").contains("invalid query"));
    let log = formats().into_iter().find(|(name, _)| *name == "Apache %D last").expect("a log").1;
    let huge = log.lines().map(|line| {
        let (line, _) = line.rsplit_once(' ').expect("a duration");
        format!("{line} 1e300\n")
    });
    let error = source(&huge.collect::<String>()).expect_err("no duration");
    assert!(error.len() < 200 && error.contains("1e300"), "{error}");
}
