//! The number of requests in the system, stretch by stretch.

/// The most stages that a request goes through one after the other.
const STAGES: usize = 16;

/// The number of requests in the system. A stretch may be shorter than a request: then earlier requests are still there, and
/// Little's law does not hold with the rate of this stretch alone.
///
/// The time in the system is a sum of as many exponential stages as have its variability (Erlang's distribution): one if it
/// varies as much as an exponential time or more, sixteen if it hardly varies. Little's law then holds for each.
#[derive(Debug)]
pub(crate) struct Occupancy {
    stages: Vec<f64>,
}

impl Occupancy {
    /// `variability` is the squared coefficient of variation of the time in the system.
    pub(crate) fn new(variability: f64) -> Self {
        let stages = (1.0 / variability.max(1e-3)).round() as usize;
        Self { stages: vec![0.0; stages.clamp(1, STAGES)] }
    }

    /// Returns the number at this moment.
    pub(crate) fn now(&self) -> f64 {
        self.stages.iter().sum()
    }

    /// Removes the requests beyond this number.
    pub(crate) fn limit(&mut self, most: f64) {
        let now = self.now();
        if now > most {
            self.stages.iter_mut().for_each(|inside| *inside *= most / now);
        }
    }

    /// Passes a stretch in which requests come at `rate` and stay for `time` on average; returns the mean number of requests
    /// in the system. Times are in seconds.
    pub(crate) fn pass(&mut self, rate: f64, time: f64, length: f64) -> f64 {
        let each = time / self.stages.len() as f64;
        if each <= 0.0 || length <= 0.0 {
            self.stages.fill(0.0);
            return 0.0;
        }
        let left = (-length / each).exp();
        let (mut incoming, mut mean) = (rate, 0.0);
        for inside in &mut self.stages {
            // Little's law once it has settled; until then what is missing shrinks exponentially.
            let settled = incoming * each;
            let missing = *inside - settled;
            mean += settled + missing * each / length * (1.0 - left);
            let before = std::mem::replace(inside, settled + missing * left);
            // The requests that came and are no longer in this stage are in the next.
            incoming -= (*inside - before) / length;
        }
        mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_settles_at_littles_law() {
        for variability in [0.0, 0.3, 1.0, 4.0] {
            let mut occupancy = Occupancy::new(variability);
            let mut mean = 0.0;
            for _ in 0..1000 {
                mean = occupancy.pass(5.0, 100.0, 1.0);
            }
            // 5 a second, 100 s each.
            assert!((mean / 500.0 - 1.0).abs() < 1e-3, "{variability}: {mean}");
        }
        // Far longer than a request it is settled at once.
        assert!((Occupancy::new(1.0).pass(5.0, 0.1, 60.0) - 0.5).abs() < 1e-3);
    }

    #[test]
    fn no_more_are_inside_than_have_come_and_each_stays_for_its_time() {
        for variability in [0.0, 0.3, 1.0] {
            let mut occupancy = Occupancy::new(variability);
            // 50 requests within 10 s, each for 100 s: Little's law with the rate of these 10 s would be 500.
            let (mut stayed, mut most) = (0.0, 0.0_f64);
            for second in 0..2000 {
                let mean = occupancy.pass(if second < 10 { 5.0 } else { 0.0 }, 100.0, 1.0);
                (stayed, most) = (stayed + mean, most.max(mean));
            }
            assert!(most > 45.0 && most <= 50.0, "{variability}: {most}");
            // Little's law over all of the time: 50 requests × 100 s.
            assert!((stayed / 5000.0 - 1.0).abs() < 1e-3, "{variability}: {stayed}");
        }
    }
}
