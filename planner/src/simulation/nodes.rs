//! Machines under the instances, if a host has them, and the pace at which instances start.

use super::Nanos;
use crate::hosts::FleetParameters;

/// Says when an instance that is asked for will be there, and what machines that takes.
#[derive(Debug)]
pub(crate) struct Starts {
    start: f64,
    /// Seconds between two starts.
    apart: f64,
    next: Nanos,
    nodes: Option<Nodes>,
}

#[derive(Debug)]
struct Nodes {
    per_node: usize,
    start: f64,
    keep: f64,
    spare: usize,
    /// Machines, and when each is there.
    ready: Vec<Nanos>,
    unneeded_since: Option<Nanos>,
}

impl Starts {
    pub(crate) fn new(parameters: &FleetParameters, cores: f64, app_start: f64) -> Self {
        let value = |sourced: &Option<crate::hosts::Sourced>| sourced.as_ref().map(|s| s.value);
        let nodes = value(&parameters.node_cores).map(|node_cores| Nodes {
            per_node: ((node_cores / cores) as usize).max(1),
            start: value(&parameters.node_start_seconds).unwrap_or(0.0),
            keep: value(&parameters.node_keep_seconds).unwrap_or(0.0),
            spare: value(&parameters.spare_nodes).unwrap_or(0.0) as usize,
            ready: Vec::new(),
            unneeded_since: None,
        });
        Self {
            start: parameters.start_seconds.value + app_start,
            apart: value(&parameters.starts_per_second).map_or(0.0, |pace| 1.0 / pace),
            next: Nanos(0),
            nodes,
        }
    }

    /// The machines that so many instances need are there from the start.
    pub(crate) fn begin(&mut self, instances: usize) {
        if let Some(nodes) = &mut self.nodes {
            nodes.ready = vec![Nanos(0); nodes.needed(instances)];
        }
    }

    /// When the instance that makes `instances` of them will be ready.
    pub(crate) fn ask(&mut self, now: Nanos, instances: usize) -> Nanos {
        let begin = now.max(self.next);
        self.next = begin.after(self.apart);
        let machine = self.nodes.as_mut().map_or(begin, |nodes| nodes.grow(begin, instances));
        machine.max(begin).after(self.start)
    }

    /// Sets how many instances are left: machines that were idle for long enough are removed.
    pub(crate) fn shrink(&mut self, now: Nanos, instances: usize) {
        if let Some(nodes) = &mut self.nodes {
            nodes.shrink(now, instances);
        }
    }

    /// Machines that are paid for.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes.as_ref().map_or(0, |nodes| nodes.ready.len())
    }
}

impl Nodes {
    fn needed(&self, instances: usize) -> usize {
        (instances.div_ceil(self.per_node) + self.spare).max(1)
    }

    fn grow(&mut self, now: Nanos, instances: usize) -> Nanos {
        while self.ready.len() < self.needed(instances) {
            self.ready.push(now.after(self.start));
        }
        self.unneeded_since = None;
        // The machine that this instance goes to, those before it being full.
        let index = instances.saturating_sub(1) / self.per_node;
        self.ready.get(index).copied().unwrap_or(now)
    }

    fn shrink(&mut self, now: Nanos, instances: usize) {
        let needed = self.needed(instances);
        if needed >= self.ready.len() {
            self.unneeded_since = None;
            return;
        }
        let since = *self.unneeded_since.get_or_insert(now);
        if now.since(since) >= self.keep {
            self.ready.truncate(needed);
            self.unneeded_since = None;
        }
    }
}
