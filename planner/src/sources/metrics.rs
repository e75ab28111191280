//! Exported metrics: requests of each interval, or their rate.

mod json;
mod table;

use std::time::Duration;

use super::{Source, SourceOptions, Values};
use crate::text::{count, duration};
use crate::traffic::{Gaps, LONGEST_INTERVAL, MOST_PER_SECOND, Traffic};

/// The most intervals of an export: a year by the minute.
const MOST: usize = 600_000;

/// Points of a metric, in any order.
#[derive(Clone, Debug)]
pub(super) struct Series {
    /// What wrote it.
    format: &'static str,
    /// Moments in seconds since 1970, with values.
    points: Vec<(f64, f64)>,
    /// What the values are, if the format or a name says it.
    values: Option<Values>,
    /// Whether a missing point means that there was no request.
    missing_is_none: bool,
}

/// `None` if the text is no metric.
pub(super) fn parse(
    name: &str,
    text: &str,
    options: &SourceOptions,
) -> Option<Result<Source, String>> {
    let series = match text.trim_start().as_bytes().first()? {
        b'{' | b'[' => json::parse(text)?,
        _ => table::parse(text).map(Ok)?,
    };
    Some(series.and_then(|series| series.source(name, options)))
}

impl Series {
    fn source(mut self, name: &str, options: &SourceOptions) -> Result<Source, String> {
        self.points.retain(|(_, value)| value.is_finite());
        self.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Several series of the same moment are parts of one traffic.
        self.points.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        if self.points.len() < 2 {
            return Err(format!(
                "{}: has {} points, expected at least 2",
                self.format,
                self.points.len()
            ));
        }
        if let Some((_, value)) = self.points.iter().find(|(_, value)| *value < 0.0) {
            return Err(format!("{}: has a negative value, {value}", self.format));
        }
        let counter = self.is_counter();
        if counter {
            let rises = self.points.windows(2).map(|pair| (pair[1].0, pair[1].1 - pair[0].1));
            self.points = rises.collect();
            self.values = Some(Values::Count);
        }
        let step = self.step();
        self.believed(1.0 / step)?;
        let values = options.values.or(self.values).or_else(|| self.by_fractions());
        let Some(values) = values else {
            return Err(format!(
                "{}: the values are whole numbers, so they may be requests a second or requests of each {}; say it with \
                 --values rate or --values count",
                self.format,
                duration(step)
            ));
        };
        let factor = if values == Values::Rate { step } else { 1.0 };
        self.believed(factor / step)?;
        let gaps = if self.missing_is_none { Gaps::Empty } else { options.gaps };
        if step > LONGEST_INTERVAL as f64 {
            return Err(format!(
                "{}: its points are {} apart: an interval of more than a day tells nothing of a peak",
                self.format,
                duration(step)
            ));
        }
        let (counts, missing) = self.counts(step, factor, gaps)?;
        let interval = Duration::try_from_secs_f64(step).map_err(|error| error.to_string())?;
        let traffic = Traffic::new(name, interval, counts);
        let mut said = format!(
            "{}: {} intervals of {}, {}{}.",
            self.format,
            traffic.counts().len(),
            duration(step),
            count(traffic.requests() as f64),
            match (counter, values) {
                (true, _) => " requests, from a counter that only rises",
                (_, Values::Rate) => " requests, from rates a second",
                (_, Values::Count) => " requests",
            }
        );
        if missing > 0 {
            let meaning =
                if gaps == Gaps::Repeat { "as the one before" } else { "without requests" };
            said.push_str(&format!(" {missing} intervals are missing and taken as {meaning}."));
        }
        Ok(Source {
            traffic: Some(traffic),
            service: None,
            response_bytes: None,
            coverage: vec![said],
        })
    }

    /// Refuses values that would be more requests a second than there can be.
    fn believed(&self, a_second: f64) -> Result<(), String> {
        let most = self.points.iter().map(|(_, value)| value * a_second).fold(0.0, f64::max);
        if most <= MOST_PER_SECOND as f64 {
            return Ok(());
        }
        let format = self.format;
        Err(format!(
            "{format}: {most:.0e} requests a second are not believed, at most {MOST_PER_SECOND}"
        ))
    }

    /// The most frequent distance of two points.
    fn step(&self) -> f64 {
        let mut apart =
            self.points.windows(2).map(|pair| pair[1].0 - pair[0].0).collect::<Vec<_>>();
        apart.sort_by(f64::total_cmp);
        apart.get(apart.len() / 2).copied().unwrap_or(60.0).max(1e-3)
    }

    /// A counter only rises, and far beyond what one step adds.
    fn is_counter(&self) -> bool {
        let rises = self.points.windows(2).all(|pair| pair[1].1 >= pair[0].1);
        let (first, last) = (self.points[0].1, self.points[self.points.len() - 1].1);
        let mean = (last - first) / (self.points.len() - 1) as f64;
        self.values.is_none() && rises && self.points.len() > 4 && mean > 0.0 && first > 3.0 * mean
    }

    /// Fractions of a request are rates.
    fn by_fractions(&self) -> Option<Values> {
        let fractions = self.points.iter().filter(|(_, value)| value.fract().abs() > 1e-6).count();
        (fractions * 10 > self.points.len()).then_some(Values::Rate)
    }

    fn counts(&self, step: f64, factor: f64, gaps: Gaps) -> Result<(Vec<u64>, usize), String> {
        let first = self.points[0].0;
        let (mut counts, mut missing) = (Vec::new(), 0);
        for (at, value) in &self.points {
            // Moments are rounded to steps; exports are off by a second at times.
            let index = ((at - first) / step).round().max(0.0);
            if index >= MOST as f64 {
                return Err(format!("{}: has more than {MOST} intervals", self.format));
            }
            let (index, now) = (index as usize, (value * factor).round().max(0.0) as u64);
            if index < counts.len() {
                counts[index] += now;
                continue;
            }
            let gap = index - counts.len();
            if gap > 0 && gaps == Gaps::Refuse {
                return Err(format!(
                    "{}: {gap} intervals of {} are missing; say what that means with --gaps empty or --gaps repeat",
                    self.format,
                    duration(step)
                ));
            }
            missing += gap;
            let fill = if gaps == Gaps::Repeat { counts.last().copied().unwrap_or(0) } else { 0 };
            counts.extend(std::iter::repeat_n(fill, gap));
            counts.push(now);
        }
        Ok((counts, missing))
    }
}
