//! What each host costs at other loads of the same shape, and where the cheapest one changes.
//!
//! By arithmetic, without queues and delays: a fleet has the instances that its target asks for at each moment, a
//! function pays for its seconds. It says where to look, not what a simulation would find to the cent.

use serde::Serialize;

use crate::cost::{Cost, MONTH};
use crate::model::{Fleet, Host, Model, Scaling};
use crate::simulation::{Options, Setup, Usage};
use crate::theory::billed_share;
use crate::traffic::Traffic;
use crate::workload::Workload;

/// Points of a curve for each factor of ten.
const PER_DECADE: usize = 12;

/// The loads that are looked at, in requests per second on average.
const LOADS: (f64, f64) = (1e-3, 1e5);

/// Costs over load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curves {
    /// Loads in requests per second on average, rising.
    pub loads: Vec<f64>,
    /// For each host its cost a month at each load; `None` where it cannot carry it.
    pub hosts: Vec<(String, Vec<Option<f64>>)>,
    /// Where the cheapest host changes.
    pub flips: Vec<Flip>,
}

/// A load at which the cheapest host changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flip {
    /// Requests per second, on average.
    pub load: f64,
    /// Requests a month.
    pub requests: f64,
    /// The cheapest host below it.
    pub below: String,
    /// The cheapest host above it.
    pub above: String,
    /// What both cost there, in US dollars a month.
    pub month: f64,
}

impl Curves {
    /// The curves of hosts for the shape of a traffic.
    #[must_use]
    pub fn new(hosts: &[&Host], workload: &Workload, traffic: &Traffic) -> Self {
        let shape = Shape::of(traffic);
        let models = hosts
            .iter()
            .filter_map(|host| Some((*host, Sketch::new(host, workload, traffic)?)))
            .collect::<Vec<_>>();
        let decades = (LOADS.1 / LOADS.0).log10().round() as usize;
        let loads = (0..=decades * PER_DECADE)
            .map(|step| LOADS.0 * 10_f64.powf(step as f64 / PER_DECADE as f64))
            .collect::<Vec<_>>();
        let cheapest = |load: f64| {
            let costs = models
                .iter()
                .filter_map(|(host, sketch)| Some((*host, sketch.month(host, &shape, load)?)));
            costs.min_by(|a, b| a.1.total_cmp(&b.1))
        };
        let mut flips = Vec::new();
        for pair in loads.windows(2) {
            let (mut low, mut high) = (pair[0], pair[1]);
            let (Some((below, _)), Some((above, _))) = (cheapest(low), cheapest(high)) else {
                continue;
            };
            if below.name == above.name {
                continue;
            }
            for _ in 0..40 {
                let middle = (low * high).sqrt();
                match cheapest(middle) {
                    Some((host, _)) if host.name == below.name => low = middle,
                    _ => high = middle,
                }
            }
            let (above, month) = cheapest(high).unwrap_or((above, 0.0));
            flips.push(Flip {
                load: high,
                requests: high * MONTH,
                below: below.name.clone(),
                above: above.name.clone(),
                month,
            });
        }
        let hosts = models
            .iter()
            .map(|(host, sketch)| {
                let costs = loads.iter().map(|load| sketch.month(host, &shape, *load));
                (host.name.clone(), costs.collect())
            })
            .collect();
        Self { loads, hosts, flips }
    }
}

/// The load at which two hosts cost the same for a shape, by bisection between two loads; `None` where they do not.
#[must_use]
pub fn crossing(
    a: &Host,
    b: &Host,
    workload: &Workload,
    traffic: &Traffic,
    (mut low, mut high): (f64, f64),
) -> Option<f64> {
    let shape = Shape::of(traffic);
    let (first, second) = (Sketch::new(a, workload, traffic)?, Sketch::new(b, workload, traffic)?);
    let dearer = |load| Some(first.month(a, &shape, load)? > second.month(b, &shape, load)?);
    let begin = dearer(low)?;
    if dearer(high)? == begin {
        return None;
    }
    for _ in 0..80 {
        let middle = (low * high).sqrt();
        if dearer(middle)? == begin {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high)
}

/// Rates relative to the mean, with the share of time that each holds.
struct Shape {
    rates: Vec<(f64, f64)>,
    peak: f64,
}

impl Shape {
    fn of(traffic: &Traffic) -> Self {
        let mut counts = traffic.counts().to_vec();
        counts.sort_unstable();
        let mean = (traffic.requests() as f64 / counts.len() as f64).max(1e-12);
        let bin = counts.len().div_ceil(200);
        let rates = counts.chunks(bin).map(|chunk| {
            let sum = chunk.iter().sum::<u64>() as f64;
            (sum / chunk.len() as f64 / mean, chunk.len() as f64 / counts.len() as f64)
        });
        let peak = counts.last().copied().unwrap_or(0) as f64 / mean;
        Self { rates: rates.collect(), peak }
    }
}

/// A host as arithmetic knows it.
struct Sketch {
    usage: Usage,
    kind: Kind,
    /// Seconds of a request without a queue.
    whole: f64,
}

enum Kind {
    Functions { step: f64, most: f64 },
    Fleet { each: f64, least: f64, most: f64, fixed: bool, per_node: f64, spare: f64, step: f64 },
}

impl Sketch {
    fn new(host: &Host, workload: &Workload, traffic: &Traffic) -> Option<Self> {
        let options = Options::default();
        let setup = Setup::new(host, workload, traffic, &options).ok()?;
        let size = setup.size;
        let usage = Usage {
            seconds: MONTH,
            cores: size.cores,
            memory_gb: size.memory_gb,
            ..Usage::default()
        };
        let kind = match &host.model {
            Model::Functions(functions) => Kind::Functions {
                step: functions.parameters.billing_step_ms.value / 1000.0,
                most: functions.parameters.max_environments.value,
            },
            Model::Fleet(fleet) => Self::fleet(fleet, &setup),
        };
        Some(Self { usage, kind, whole: setup.parts().service * setup.parts().whole() })
    }

    fn fleet(fleet: &Fleet, setup: &Setup<'_>) -> Kind {
        let parameters = &fleet.parameters;
        let parts = setup.parts();
        let value = |sourced: &Option<crate::model::Sourced>| sourced.as_ref().map(|s| s.value);
        let target = fleet.scaling.utilisation();
        let by_use = parts.servers as f64 * target / (parts.processor * parts.service).max(1e-12);
        let places = value(&parameters.concurrency_per_core).map_or(f64::INFINITY, |per_core| {
            per_core * setup.size.cores * target / (parts.service * parts.whole())
        });
        Kind::Fleet {
            each: by_use.min(places),
            least: parameters.min_instances.value,
            most: parameters.max_instances.value,
            fixed: matches!(fleet.scaling, Scaling::Fixed { .. }),
            per_node: value(&parameters.node_cores)
                .map_or(0.0, |cores| (cores / setup.size.cores).floor().max(1.0)),
            spare: value(&parameters.spare_nodes).unwrap_or(0.0),
            step: value(&parameters.active_step_seconds).unwrap_or(0.0),
        }
    }

    /// US dollars a month at a load; `None` where it is more than the host carries.
    fn month(&self, host: &Host, shape: &Shape, load: f64) -> Option<f64> {
        let mut usage = Usage { requests: load * MONTH, ..self.usage };
        match self.kind {
            Kind::Functions { step, most } => {
                if load * shape.peak * self.whole > most {
                    return None;
                }
                usage.function_seconds = usage.requests * (self.whole / step).ceil() * step;
            }
            Kind::Fleet { each, least, most, fixed, per_node, spare, step } => {
                let needed = |rate: f64| (rate / each).ceil().max(least);
                let peak = needed(load * shape.peak).max(1.0);
                if peak > most {
                    return None;
                }
                for (relative, share) in &shape.rates {
                    let rate = load * relative;
                    let many = if fixed { peak } else { needed(rate) };
                    let seconds = share * MONTH;
                    usage.instance_seconds += many * seconds;
                    if per_node > 0.0 {
                        usage.node_seconds += ((many / per_node).ceil() + spare).max(1.0) * seconds;
                    }
                    let spread = many.max(1.0);
                    let active = billed_share(rate / spread, self.whole, step);
                    usage.active_seconds += active * spread * seconds;
                }
            }
        }
        Some(Cost::of(host, &usage).month)
    }
}
