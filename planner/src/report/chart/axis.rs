//! An axis: from values to places, and the values that are written beside it.

use crate::text::{count, duration};

/// How values of an axis are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Count,
    /// Seconds as a short time.
    Duration,
    /// Seconds since the start, as hours or days.
    Clock,
}

/// An axis.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    log: bool,
    format: Format,
}

impl Axis {
    /// From 0 to a little above the largest value.
    pub(crate) fn from_zero(most: f64, format: Format) -> Self {
        let high = if most > 0.0 { most * 1.08 } else { 1.0 };
        Self { low: 0.0, high, log: false, format }
    }

    /// From one value to another.
    pub(crate) fn between(low: f64, high: f64, format: Format) -> Self {
        Self { low, high: high.max(low + 1e-9), log: false, format }
    }

    /// Over factors of ten.
    pub(crate) fn logarithmic(low: f64, high: f64, format: Format) -> Self {
        let low = low.max(1e-9);
        Self { low, high: high.max(low * 1.5), log: true, format }
    }

    /// Where a value lies, from 0 to 1; what lies outside is brought to the edge.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let place = if self.log {
            (value.max(1e-300) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        place.clamp(0.0, 1.0)
    }

    /// Values to be written, at most about so many.
    pub(crate) fn ticks(&self, many: usize) -> Vec<(f64, String)> {
        let values = if self.log { self.decades(many) } else { self.round(many) };
        values.into_iter().map(|value| (value, self.write(value))).collect()
    }

    fn decades(&self, many: usize) -> Vec<f64> {
        let (first, last) = (self.low.log10().ceil() as i32, self.high.log10().floor() as i32);
        let step = ((last - first).max(0) as usize / many.max(1) + 1) as i32;
        let mut values = (first..=last)
            .filter(|power| power.rem_euclid(step) == 0)
            .map(|p| 10_f64.powi(p))
            .collect::<Vec<_>>();
        if last - first < 2 {
            let fine = (first - 1..=last).flat_map(|p| [1.0, 2.0, 5.0].map(|f| f * 10_f64.powi(p)));
            values = fine.filter(|v| (self.low..=self.high).contains(v)).collect();
        }
        values
    }

    fn round(&self, many: usize) -> Vec<f64> {
        let span = self.high - self.low;
        let rough = span / many.max(1) as f64;
        let step = match self.format {
            Format::Clock => {
                const STEPS: [f64; 17] = [
                    1.0,
                    10.0,
                    60.0,
                    300.0,
                    600.0,
                    1800.0,
                    3600.0,
                    7200.0,
                    14_400.0,
                    21_600.0,
                    43_200.0,
                    86_400.0,
                    172_800.0,
                    604_800.0,
                    2_592_000.0,
                    7_776_000.0,
                    31_536_000.0,
                ];
                let fits = |step: &f64| *step >= rough;
                STEPS.into_iter().find(fits).unwrap_or(5.0 * 31_536_000.0)
            }
            Format::Count | Format::Duration => {
                let power = 10_f64.powf(rough.log10().floor());
                let fits = |factor: &f64| factor * power >= rough * 0.999;
                [1.0, 2.0, 5.0, 10.0].into_iter().find(fits).unwrap_or(10.0) * power
            }
        };
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        (first..=last).map(|index| index as f64 * step).collect()
    }

    fn write(&self, value: f64) -> String {
        match self.format {
            Format::Count => count(value),
            Format::Duration => duration(value),
            Format::Clock => match self.high - self.low {
                span if span > 200.0 * 86_400.0 => format!("month {:.0}", value / 2_628_000.0),
                span if span > 2.5 * 86_400.0 => format!("day {:.0}", value / 86_400.0),
                span if span > 7200.0 => format!("{:.0} h", value / 3600.0),
                _ => format!("{:.0} min", value / 60.0),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let texts =
            |axis: Axis, many| axis.ticks(many).into_iter().map(|(_, t)| t).collect::<Vec<_>>();
        assert_eq!(texts(Axis::from_zero(92.0, Format::Count), 5), ["0", "20", "40", "60", "80"]);
        assert_eq!(
            texts(Axis::between(0.0, 86_400.0, Format::Clock), 4),
            ["0 h", "6 h", "12 h", "18 h", "24 h"]
        );
        assert_eq!(
            texts(Axis::logarithmic(0.01, 120.0, Format::Count), 6),
            ["0.01", "0.1", "1", "10", "100"]
        );
        assert_eq!(texts(Axis::logarithmic(0.011, 0.09, Format::Duration), 6), ["20 ms", "50 ms"]);
    }

    #[test]
    fn a_place_is_within_the_axis() {
        let axis = Axis::logarithmic(1.0, 100.0, Format::Count);
        assert_eq!(
            [0.0, 1.0, 10.0, 100.0, 1e9].map(|value| axis.place(value)),
            [0.0, 0.0, 0.5, 1.0, 1.0]
        );
    }
}
