//! Metrics as OTLP sends them, <https://opentelemetry.io/docs/specs/otel/metrics/data-model/>.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram, HistogramDataPoint, Metric as ProtoMetric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_sdk::Resource;

use super::temporality::{Period, PeriodCount};
use crate::databases::{Metric, Reading};

/// The metrics of what the resource describes, read at this moment and counted in this period.
pub(super) fn request(
    resource: &Resource,
    metrics: &[Metric],
    period: &Period,
    now: SystemTime,
) -> ExportMetricsServiceRequest {
    // All points of one name stand together, whichever route or pool they are of.
    let mut families: BTreeMap<&str, ProtoMetric> = BTreeMap::new();
    for metric in metrics {
        let family = families.entry(metric.name).or_insert_with(|| ProtoMetric {
            name: metric.name.to_owned(),
            description: metric.description.to_owned(),
            unit: metric.unit.to_owned(),
            data: None,
            metadata: Vec::new(),
        });
        add(&mut family.data, metric, period.count(metric), nanoseconds(now));
    }
    let scope = InstrumentationScope { name: "anyhost".to_owned(), ..Default::default() };
    let metrics = ScopeMetrics {
        scope: Some(scope),
        metrics: families.into_values().collect(),
        schema_url: String::new(),
    };
    let resource = ResourceMetrics {
        resource: Some(resource.into()),
        scope_metrics: vec![metrics],
        schema_url: String::new(),
    };
    ExportMetricsServiceRequest { resource_metrics: vec![resource] }
}

/// Adds a metric to the data of its family.
fn add(data: &mut Option<Data>, metric: &Metric, counted: PeriodCount, now: u64) {
    let since = nanoseconds(counted.since);
    let aggregation_temporality = if counted.is_delta {
        AggregationTemporality::Delta.into()
    } else {
        AggregationTemporality::Cumulative.into()
    };
    let attributes = metric.attributes.iter();
    let attributes = attributes.map(|(name, value)| (&KeyValue::new(*name, value.clone())).into());
    let mut point = NumberDataPoint {
        attributes: attributes.collect(),
        start_time_unix_nano: since,
        time_unix_nano: now,
        ..Default::default()
    };
    let integer = |number| Value::AsInt(i64::try_from(number).unwrap_or(i64::MAX));
    let (value, is_monotonic) = match counted.reading {
        Reading::Level(number) => (integer(number), false),
        Reading::Count(number) => (integer(number), true),
        Reading::Seconds(time) => (Value::AsDouble(time.as_secs_f64()), true),
        Reading::Times(times) => {
            let empty = Histogram { data_points: Vec::new(), aggregation_temporality };
            let (bounds, counts) = times.ranges();
            if let Data::Histogram(histogram) = data.get_or_insert(Data::Histogram(empty)) {
                histogram.data_points.push(HistogramDataPoint {
                    attributes: point.attributes,
                    start_time_unix_nano: since,
                    time_unix_nano: now,
                    count: times.count(),
                    sum: Some(times.sum().as_secs_f64()),
                    bucket_counts: counts.to_vec(),
                    explicit_bounds: bounds.iter().map(|bound| bound.as_secs_f64()).collect(),
                    ..Default::default()
                });
            }
            return;
        }
    };
    point.value = Some(value);
    let empty = Sum { data_points: Vec::new(), aggregation_temporality, is_monotonic };
    if let Data::Sum(sum) = data.get_or_insert(Data::Sum(empty)) {
        sum.data_points.push(point);
    }
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::temporality::Temporality;
    use super::*;
    use crate::databases::Stats;

    #[test]
    fn the_numbers_of_a_pool_have_the_kinds_of_the_conventions() {
        let pool = |name: &str| Stats { pool: name.into(), idle: 2, ..Stats::default() };
        let metrics: Vec<_> = ["a", "b"].iter().flat_map(|name| pool(name).metrics()).collect();
        let period = Period::begin(Temporality::Cumulative);
        let resource = Resource::builder_empty().build();
        let sent = request(&resource, &metrics, &period, SystemTime::now());
        let scope = &sent.resource_metrics[0].scope_metrics[0];
        let data = |name: &str| {
            let mut found = scope.metrics.iter().filter(|metric| metric.name == name);
            let metric = found.next().unwrap_or_else(|| panic!("no {name}"));
            assert_eq!(found.next(), None, "{name} stands in one place");
            metric.data.clone()
        };
        let Some(Data::Sum(count)) = data("db.client.connection.count") else { panic!("a sum") };
        assert!(!count.is_monotonic && count.data_points.len() == 4, "{count:?}");
        assert_eq!(count.data_points[0].value, Some(Value::AsInt(2)));
        let Some(Data::Sum(timeouts)) = data("db.client.connection.timeouts") else {
            panic!("a sum")
        };
        assert!(timeouts.is_monotonic);
        let Some(Data::Histogram(times)) = data("db.client.connection.wait_time") else {
            panic!("a histogram")
        };
        assert_eq!(times.data_points.len(), 2);
    }
}
