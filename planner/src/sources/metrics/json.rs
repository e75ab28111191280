//! Metrics as JSON: CloudWatch's two commands, a range query of Prometheus, Azure Monitor.

use serde_json::Value;

use super::Series;
use crate::sources::{Values, moment};

/// `None` if the text is no JSON of one of them.
pub(super) fn parse(text: &str) -> Option<Result<Series, String>> {
    let json = serde_json::from_str::<Value>(text).ok()?;
    if json.get("status").and_then(Value::as_str) == Some("error")
        && let Some(error) = json.get("error").and_then(Value::as_str)
    {
        let error = error.chars().filter(|char| !char.is_control()).take(200).collect::<String>();
        return Some(Err(format!("Prometheus answered with an error instead of values: {error}")));
    }
    if let Some(points) = json.get("Datapoints").and_then(Value::as_array) {
        return Some(datapoints(points));
    }
    if let Some(results) = json.get("MetricDataResults").and_then(Value::as_array) {
        return Some(Ok(metric_data(results)));
    }
    if let Some(result) = json.get("data").and_then(|data| data.get("result")?.as_array()) {
        return Some(Ok(prometheus(result)));
    }
    if let Some(value) = json.get("value").and_then(Value::as_array) {
        return Some(azure(value));
    }
    None
}

/// `aws cloudwatch get-metric-statistics`.
fn datapoints(points: &[Value]) -> Result<Series, String> {
    let sums = points.iter().filter_map(|point| {
        let sum = point.get("Sum").or_else(|| point.get("SampleCount"))?;
        Some((moment::of_json(point.get("Timestamp")?)?, sum.as_f64()?))
    });
    let sums = sums.collect::<Vec<_>>();
    if sums.is_empty() && !points.is_empty() {
        return Err("CloudWatch: the points have no Sum; ask with --statistics Sum".into());
    }
    Ok(Series {
        format: "CloudWatch",
        points: sums,
        values: Some(Values::Count),
        missing_is_none: true,
    })
}

/// `aws cloudwatch get-metric-data`.
fn metric_data(results: &[Value]) -> Series {
    let mut all = Vec::new();
    for result in results {
        let list = |name: &str| result.get(name).and_then(Value::as_array).into_iter().flatten();
        let pairs = list("Timestamps").zip(list("Values"));
        all.extend(pairs.filter_map(|(at, value)| Some((moment::of_json(at)?, value.as_f64()?))));
    }
    Series { format: "CloudWatch", points: all, values: Some(Values::Count), missing_is_none: true }
}

/// `/api/v1/query_range`: values are texts.
fn prometheus(result: &[Value]) -> Series {
    let mut all = Vec::new();
    for series in result {
        let values = series.get("values").and_then(Value::as_array).into_iter().flatten();
        all.extend(values.filter_map(|pair| {
            let value = pair.get(1)?;
            let value = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
            Some((moment::of_json(pair.get(0)?)?, value))
        }));
    }
    Series { format: "Prometheus", points: all, values: None, missing_is_none: false }
}

/// `az monitor metrics list`.
fn azure(metrics: &[Value]) -> Result<Series, String> {
    let mut all = Vec::new();
    let mut seen = 0;
    for metric in metrics {
        let series = metric.get("timeseries").and_then(Value::as_array).into_iter().flatten();
        for data in series.filter_map(|series| series.get("data")?.as_array()).flatten() {
            seen += 1;
            let total = data.get("total").or_else(|| data.get("count")).and_then(Value::as_f64);
            let at = data.get("timeStamp").and_then(moment::of_json);
            all.extend(at.zip(total));
        }
    }
    if all.is_empty() && seen > 0 {
        return Err("Azure Monitor: the points have no total; ask with --aggregation Total".into());
    }
    Ok(Series {
        format: "Azure Monitor",
        points: all,
        values: Some(Values::Count),
        missing_is_none: true,
    })
}
