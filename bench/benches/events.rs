//! Events into requests under criterion: ours and lambda_http's, whose order each group keeps.

use std::hint::black_box;

use anyhost_bench::lambda::{Event, Source};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn events(criterion: &mut Criterion) {
    for source in [Source::Rest, Source::Http, Source::Alb] {
        for event in [Event::small(source), Event::large(source)] {
            let text = event.json();
            let bytes = Bytes::from(text.clone());
            let mut group = criterion.benchmark_group(event.id());
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function("anyhost", |bencher| {
                bencher.iter(|| anyhost_lambda::request_of(black_box(&bytes)).expect("an event"));
            });
            group.bench_function("lambda_http", |bencher| {
                bencher
                    .iter(|| lambda_http::request::from_str(black_box(&text)).expect("an event"));
            });
            group.finish();
        }
    }
}

criterion_group!(all, events);
criterion_main!(all);
