//! Collects what happens in a simulation.

use hdrhistogram::Histogram;

use super::{Cause, Configuration, Latency, Mode, Nanos, Outcome, Point, Refusals, Setup, Usage};

/// How many points the course of a simulation has.
const POINTS: usize = 240;

/// The longest latency that is told apart: ten thousand seconds, in microseconds.
const LONGEST: u64 = 10_000_000_000;

/// Collects what happens in a simulation.
#[derive(Debug)]
pub(crate) struct Recorder {
    width: f64,
    span: f64,
    course: Vec<Stretch>,
    latencies: Histogram<u64>,
    waited: f64,
    served: u64,
    refusals: Refusals,
    cold_starts: u64,
    pub(crate) starts: u64,
    pub(crate) usage: Usage,
    instances: Gauge,
    connections: Gauge,
}

#[derive(Debug)]
struct Stretch {
    point: Point,
    requests: u64,
    latencies: Histogram<u64>,
}

/// A number of things over time.
#[derive(Clone, Copy, Debug, Default)]
struct Gauge {
    now: u64,
    most: u64,
    index: usize,
}

impl Recorder {
    pub(crate) fn new(setup: &Setup<'_>) -> Self {
        let span = setup.traffic.span();
        let Configuration { size, least, .. } = &setup.configuration;
        let width = span / POINTS as f64;
        let histogram =
            |digits| Histogram::new_with_bounds(1, LONGEST, digits).expect("the bounds are sound");
        let stretch = |index: usize| Stretch {
            point: Point { at: index as f64 * width, ..Point::default() },
            requests: 0,
            latencies: histogram(2),
        };
        Self {
            width,
            span,
            course: (0..POINTS).map(stretch).collect(),
            latencies: histogram(3),
            waited: 0.0,
            served: 0,
            refusals: Refusals::default(),
            cold_starts: 0,
            starts: 0,
            usage: Usage {
                seconds: span,
                provisioned_seconds: *least as f64 * span,
                cores: size.cores,
                memory_gb: size.memory_gb,
                ..Usage::default()
            },
            instances: Gauge::default(),
            connections: Gauge::default(),
        }
    }

    fn index(&self, at: Nanos) -> usize {
        // What ends after the last interval belongs to it.
        ((at.seconds() / self.width) as usize).min(POINTS - 1)
    }

    /// So many requests that came at a moment took so long, of which they waited a part.
    pub(crate) fn served(&mut self, came: Nanos, latency: f64, waited: f64, many: u64) {
        let micros = ((latency * 1e6).round() as u64).clamp(1, LONGEST);
        self.latencies.saturating_record_n(micros, many);
        self.waited += waited * many as f64;
        self.served += many;
        self.usage.requests += many as f64;
        let index = self.index(came);
        let stretch = &mut self.course[index];
        stretch.latencies.saturating_record_n(micros, many);
        stretch.requests += many;
    }

    /// So many requests that came at a moment were turned away.
    pub(crate) fn refused(&mut self, came: Nanos, cause: Cause, many: u64) {
        self.refusals.add(cause, many);
        let index = self.index(came);
        self.course[index].point.refused += many;
        self.course[index].requests += many;
    }

    pub(crate) fn cold(&mut self, came: Nanos, many: u64) {
        self.cold_starts += many;
        let index = self.index(came);
        self.course[index].point.cold_starts += many;
    }

    /// From this moment on there are so many processes.
    pub(crate) fn instances(&mut self, at: Nanos, many: u64) {
        let index = self.index(at);
        let course = &mut self.course;
        self.instances.set(index, many, |index, most| {
            let point = &mut course[index].point;
            point.instances = point.instances.max(most);
        });
    }

    /// From this moment on there are so many open connections.
    pub(crate) fn connections(&mut self, at: Nanos, many: u64) {
        let index = self.index(at);
        let course = &mut self.course;
        self.connections.set(index, many, |index, most| {
            let point = &mut course[index].point;
            point.connections = point.connections.max(most);
        });
    }

    pub(crate) fn finish(mut self, mode: Mode) -> Outcome {
        let end = Nanos::from_seconds(self.span);
        self.instances(end, self.instances.now);
        self.connections(end, self.connections.now);
        let seconds = |micros: u64| micros as f64 / 1e6;
        let width = self.width;
        let course = self.course.into_iter().map(|stretch| {
            let at = |quantile| match stretch.latencies.len() {
                0 => 0.0,
                _ => seconds(stretch.latencies.value_at_quantile(quantile)),
            };
            let rate = stretch.requests as f64 / width;
            Point { rate, p50: at(0.5), p99: at(0.99), ..stretch.point }
        });
        let at = |quantile| seconds(self.latencies.value_at_quantile(quantile));
        let latency = match self.served {
            0 => Latency::default(),
            _ => Latency {
                mean: self.latencies.mean() / 1e6,
                p50: at(0.5),
                p99: at(0.99),
                p999: at(0.999),
                max: seconds(self.latencies.max()),
            },
        };
        Outcome {
            mode,
            requests: self.served + self.refusals.total(),
            served: self.served,
            refused: self.refusals.total(),
            refusals: self.refusals,
            cold_starts: self.cold_starts,
            starts: self.starts,
            latency,
            mean_wait: if self.served == 0 { 0.0 } else { self.waited / self.served as f64 },
            mean_instances: self.usage.instance_seconds / self.usage.seconds,
            peak_instances: self.instances.most,
            peak_connections: self.connections.most,
            usage: self.usage,
            course: course.collect(),
        }
    }
}

impl Gauge {
    /// Tells every stretch that has passed the number that held in it.
    fn set(&mut self, index: usize, many: u64, mut tell: impl FnMut(usize, u64)) {
        for passed in self.index..=index {
            tell(passed, self.now);
        }
        tell(index, many);
        (self.index, self.now, self.most) = (index, many, self.most.max(many));
    }
}
