//! Ten loads against Erlang's formula.

use anyhost_planner::hosts::{Catalog, Host};
use anyhost_planner::theory::Waiting;

use crate::{computing, options, run, steady};

/// One instance with so many processors and no other bound.
fn station(cores: usize) -> Host {
    let own = r#"source = "this test", dated = 2026-11-22"#;
    let text = format!(
        r#"
        [[host]]
        name = "station"
        title = "One instance"
        short = "Station"
        kind = "fleet"
        sizes = [{{ cores = {cores}, memory_gb = 1 }}]
        balancing = "random"
        scaling = {{ kind = "fixed", utilisation = {{ value = 1, {own} }} }}
        [host.parameters]
        min_instances = {{ value = 1, {own} }}
        max_instances = {{ value = 1, {own} }}
        start_seconds = {{ value = 0, {own} }}
        overlap = {{ value = 1, {own} }}
        deploy_seconds = {{ value = 0, {own} }}
        patience_seconds = {{ value = 1e6, {own} }}
        request_limit_seconds = {{ value = 1e6, {own} }}
        "#
    );
    Catalog::parse("test", &text).expect("sound").host("station").expect("there").clone()
}

#[test]
fn waits_are_those_of_erlang_c_within_2_percent() {
    for (servers, utilisation, requests) in [
        (1, 0.3, 1_500_000.0),
        (1, 0.5, 1_500_000.0),
        (1, 0.7, 3_000_000.0),
        (2, 0.4, 1_500_000.0),
        (2, 0.7, 2_500_000.0),
        (4, 0.5, 2_000_000.0),
        (4, 0.8, 4_000_000.0),
        (8, 0.7, 2_500_000.0),
        (8, 0.85, 4_000_000.0),
        (16, 0.8, 4_000_000.0),
    ] {
        let service = 0.1;
        let rate = f64::from(servers) * utilisation / service;
        // A single interval: its arrivals are uniform over all of it, which is a Poisson stream given their number.
        let seconds = (requests / rate) as u64;
        let traffic = anyhost_planner::traffic::Traffic::new(
            "poisson",
            std::time::Duration::from_secs(seconds),
            vec![requests as u64],
        );
        let exact = anyhost_planner::simulation::Options { exact_up_to: u64::MAX, ..options() };
        let outcome =
            run(&station(servers as usize), &computing("exp:100ms", 1.0), &traffic, &exact);
        let wanted = Waiting::at(servers as usize, rate, service, 1.0, 1.0).overall();
        let error = outcome.mean_wait / wanted - 1.0;
        let found = outcome.mean_wait;
        println!(
            "{servers} servers at {utilisation}: {found:.6} s, Erlang C {wanted:.6} s, {:+.2} %",
            error * 100.0
        );
        assert!(
            error.abs() < 0.02,
            "{servers} servers at {utilisation}: {found} instead of {wanted}"
        );
        assert_eq!((outcome.refused, outcome.served), (0, requests as u64));
    }
}

#[test]
fn fixed_services_wait_half_as_long() {
    let outcome = run(&station(1), &computing("100ms", 1.0), &steady(7, 60_000), &options());
    // M/D/1, but each second has exactly 7 arrivals: less random than Poisson, so it waits less.
    let bound = Waiting::at(1, 7.0, 0.1, 1.0, 0.0).overall();
    assert!(outcome.mean_wait < bound && outcome.mean_wait > bound * 0.3, "{}", outcome.mean_wait);
}
