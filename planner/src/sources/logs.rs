//! Access logs: one line for each request.

mod columns;
mod combined;
mod json;
mod pairs;
mod report;

use std::collections::BTreeMap;
use std::time::Duration;

use super::service::{Took, distribution};
use super::{Source, SourceOptions};
use crate::text::{count, duration, percent};
use crate::traffic::Traffic;

/// What a line says of one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Request {
    /// Seconds since 1970.
    at: Option<f64>,
    took: Option<Took>,
    bytes: Option<f64>,
    status: Option<u64>,
    path: Option<String>,
}

/// A format: its name, and what it makes of a line. `None`: the line is not of this format.
struct Format {
    name: &'static str,
    parse: fn(&str, &mut columns::Header) -> Option<Request>,
}

/// The formats, the narrower before the wider: of two that read as many lines the first is taken.
const FORMATS: [Format; 8] = [
    Format { name: "CloudFront standard log", parse: columns::cloudfront },
    Format { name: "load balancer log (ALB)", parse: columns::alb },
    Format { name: "Lambda REPORT lines", parse: report::parse },
    Format { name: "Heroku router log", parse: pairs::heroku },
    Format { name: "JSON access log", parse: json::parse },
    Format { name: "nginx or Apache access log", parse: combined::parse },
    Format { name: "lograge", parse: pairs::lograge },
    Format { name: "name=value log", parse: pairs::any },
];

/// Lines from which the format is found out.
const SAMPLE: usize = 2000;

/// Requests of these paths are checks of the platform, not of a user.
const CHECKS: [&str; 9] = [
    "/livez",
    "/readyz",
    "/healthz",
    "/health",
    "/healthcheck",
    "/ping",
    "/status",
    "/up",
    "/startupz",
];

/// Spans that are counted by the second, in seconds; longer ones by the minute.
const BY_SECOND: f64 = 2.0 * 86_400.0;

/// The largest response that is believed, in bytes: a terabyte.
const MOST_BYTES: f64 = 1e12;

/// The longest span of a log, in seconds: two years.
const LONGEST: f64 = 2.0 * 366.0 * 86_400.0;

pub(super) fn parse(name: &str, text: &str, options: &SourceOptions) -> Result<Source, String> {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let many = lines().count();
    if many == 0 {
        return Err("is empty".into());
    }
    let best = FORMATS.iter().map(|format| {
        let mut header = columns::Header::default();
        let read = lines().take(SAMPLE).filter(|line| (format.parse)(line, &mut header).is_some());
        (read.count(), format)
    });
    // The first of the best: later ones must be better.
    let best = best.reduce(|best, next| if next.0 > best.0 { next } else { best });
    let sample = many.min(SAMPLE);
    let Some((read, format)) = best.filter(|(read, _)| *read > 0) else {
        return Err(unknown(text));
    };
    // A log may hold other lines than those of requests, but not nearly nothing else.
    if (read as f64) < 0.02 * sample as f64 {
        return Err(format!(
            "{read} of {sample} lines look like a {}, too few to be one",
            format.name
        ));
    }
    let mut tally = Tally::default();
    let mut header = columns::Header::default();
    for line in lines() {
        match (format.parse)(line, &mut header) {
            Some(request) => tally.add(request),
            None => tally.other(format, line),
        }
    }
    tally.finish(name, format.name, many, options)
}

fn unknown(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let short = line.chars().filter(|char| !char.is_control()).take(60).collect::<String>();
    format!(
        "no known format; a trace has the header minute,requests or second,requests; logs: nginx, Apache, ingress-nginx, ALB, \
         CloudFront, Heroku router, Envoy, Caddy, lograge, Lambda REPORT, JSON or name=value lines; metrics: CloudWatch, \
         Prometheus, Grafana, Azure Monitor; found \"{short}\""
    )
}

#[derive(Default)]
struct Tally {
    requests: usize,
    others: usize,
    /// Lines of another kind that are requests in another format, by its name.
    foreign: BTreeMap<&'static str, usize>,
    checks: usize,
    upgrades: usize,
    times: Vec<Took>,
    bytes: (f64, usize),
    seconds: BTreeMap<i64, u64>,
    without_time: usize,
    /// Durations that are negative or not a number.
    invalid: usize,
}

impl Tally {
    fn other(&mut self, format: &Format, line: &str) {
        self.others += 1;
        // The last one reads any line with names and values, which need not be a request.
        let known = &FORMATS[..FORMATS.len() - 1];
        let mut header = columns::Header::default();
        let mut reads = |other: &&Format| {
            other.name != format.name && (other.parse)(line, &mut header).is_some()
        };
        if let Some(other) = known.iter().find(|other| reads(other)) {
            *self.foreign.entry(other.name).or_default() += 1;
        }
    }

    fn add(&mut self, request: Request) {
        let Request { at, took, bytes, status, path } = request;
        let path = path.as_deref().and_then(|path| path.split(['?', '#']).next());
        if path.is_some_and(|path| CHECKS.contains(&path)) {
            self.checks += 1;
            return;
        }
        self.requests += 1;
        match at {
            Some(at) => *self.seconds.entry(at as i64).or_default() += 1,
            None => self.without_time += 1,
        }
        // A WebSocket lasts as long as its client wants: that is no service time.
        if status == Some(101) {
            self.upgrades += 1;
        } else {
            let sound = |took: &Took| took.number.is_finite() && took.number >= 0.0;
            self.invalid += usize::from(took.is_some_and(|took| !sound(&took)));
            self.times.extend(took.filter(sound));
        }
        if let Some(bytes) = bytes.filter(|bytes| (0.0..=MOST_BYTES).contains(bytes)) {
            self.bytes = (self.bytes.0 + bytes, self.bytes.1 + 1);
        }
    }

    fn finish(
        self,
        name: &str,
        format: &str,
        lines: usize,
        options: &SourceOptions,
    ) -> Result<Source, String> {
        let mut said = format!("{format}: {} of {lines} lines used", self.requests);
        for (many, what) in [
            (self.checks, "health checks left out"),
            (self.others, "lines of another kind skipped"),
            (self.upgrades, "WebSockets not counted as service time"),
            (self.invalid, "durations below 0 left out"),
        ] {
            if many > 0 {
                said.push_str(&format!(", {many} {what}"));
            }
        }
        said.push('.');
        let mut coverage = vec![said];
        for (name, many) in &self.foreign {
            if *many as f64 > 0.01 * self.requests as f64 {
                coverage.push(format!(
                    "{many} of the skipped lines are requests of another format ({name}): if they are not the same \
                     requests once more, the traffic is larger; give each format as a file of its own."
                ));
            }
        }
        let timed = self.requests - self.upgrades;
        let (service, said) = distribution(&self.times, timed, options.time_unit)?;
        coverage.push(said);
        let traffic = self.traffic(name)?;
        if let Some(traffic) = &traffic {
            coverage.push(format!(
                "Traffic: {} requests in {}, by the {}.",
                count(traffic.requests() as f64),
                duration(traffic.span()),
                if traffic.interval() == Duration::from_secs(1) { "second" } else { "minute" }
            ));
        }
        let (sum, many) = self.bytes;
        let response_bytes = (many > 0).then(|| sum / many as f64);
        Ok(Source { traffic, service, response_bytes, coverage })
    }

    /// The requests of each second or minute; `None` if lines have no timestamps.
    fn traffic(&self, name: &str) -> Result<Option<Traffic>, String> {
        if (self.without_time as f64) > 0.1 * self.requests as f64 {
            if self.seconds.is_empty() {
                return Ok(None);
            }
            return Err(format!(
                "{} of the requests have no timestamp",
                percent(self.without_time as f64 / self.requests as f64)
            ));
        }
        let (Some((first, _)), Some((last, _))) =
            (self.seconds.first_key_value(), self.seconds.last_key_value())
        else {
            return Ok(None);
        };
        let span = (last - first + 1) as f64;
        if span > LONGEST {
            return Err(format!("its timestamps are {} apart", duration(span)));
        }
        if let Some((inner, few)) = self.without_strays().filter(|(inner, _)| inner * 100.0 < span)
        {
            return Err(format!(
                "its timestamps are {} apart, but all except {few} are within {}: lines of another clock? Take them out",
                duration(span),
                duration(inner)
            ));
        }
        let step = if span <= BY_SECOND { 1 } else { 60 };
        let mut counts = vec![0; ((last - first) / step + 1) as usize];
        for (at, many) in &self.seconds {
            counts[((at - first) / step) as usize] += many;
        }
        Ok(Some(Traffic::new(name, Duration::from_secs(step as u64), counts)))
    }

    /// The span of the requests without the outermost thousandth at each end, one of them at least, and how many those are.
    fn without_strays(&self) -> Option<(f64, u64)> {
        let requests = self.seconds.values().sum::<u64>();
        let few = (requests / 1000).max(1);
        let (mut before, mut after) = (0, 0);
        let first = self.seconds.iter().find(|(_, many)| {
            before += **many;
            before > few
        });
        let last = self.seconds.iter().rev().find(|(_, many)| {
            after += **many;
            after > few
        });
        let (first, last) = (*first?.0, *last?.0);
        (requests > 20).then_some(((last - first + 1).max(1) as f64, few))
    }
}
