//! A figure over several seeds.

use serde::Serialize;

/// A figure over several seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Range {
    /// The smallest.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The largest.
    pub high: f64,
}

impl Range {
    /// The range of values; all 0 without a value.
    #[must_use]
    pub fn spanning(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values = values.into_iter().collect::<Vec<_>>();
        values.sort_by(f64::total_cmp);
        let (Some(low), Some(high)) = (values.first(), values.last()) else {
            return Self::default();
        };
        Self { low: *low, median: values[values.len() / 2], high: *high }
    }

    /// As text: one value if all are written the same, else the smallest and the largest.
    #[must_use]
    pub fn text(&self, write: impl Fn(f64) -> String) -> String {
        let (low, high) = (write(self.low), write(self.high));
        if low == high {
            return low;
        }
        // The unit once, if both have the same.
        match (low.rsplit_once(' '), high.rsplit_once(' ')) {
            (Some((short, unit)), Some((_, other))) if unit == other => format!("{short}–{high}"),
            _ => match high.strip_prefix('$') {
                Some(high) => format!("{low}–{high}"),
                None => format!("{low}–{high}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{dollars, duration};

    #[test]
    fn a_range_is_written_short() {
        assert_eq!(Range::spanning([0.03, 0.02, 0.025]).text(duration), "20–30 ms");
        assert_eq!(Range::spanning([0.03, 0.03]).text(duration), "30 ms");
        assert_eq!(Range::spanning([0.9, 1.5]).text(duration), "900 ms–1.5 s");
        assert_eq!(Range::spanning([7.0, 9.0]).text(dollars), "$7.00–9.00");
    }
}
