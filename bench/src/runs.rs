//! The parts of a run and their order.

use std::time::{Duration, Instant};

use anyhost_tests::servers::{Mode, Proxy};

use crate::contest::say;
use crate::database::Database;
use crate::effort::Effort;
use crate::http::{self, Servers};
use crate::lambda::{self, Event, Source};
use crate::machine::{self, Machine};
use crate::pool::Pools;
use crate::results::{Calls, Contest, Results};
use crate::{growth, storm};

/// The parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Connection pools.
    Pool,
    /// HTTP servers.
    Http,
    /// Lambda functions.
    Lambda,
    /// Cold environments all at once, and a server that restarts.
    Storm,
    /// How throughput follows tasks, connections and replicas.
    Growth,
}

/// All parts, in their order.
pub const PARTS: [Part; 5] = [Part::Lambda, Part::Pool, Part::Http, Part::Storm, Part::Growth];

impl std::str::FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "pool" => Ok(Self::Pool),
            "http" => Ok(Self::Http),
            "lambda" => Ok(Self::Lambda),
            "storm" => Ok(Self::Storm),
            "growth" => Ok(Self::Growth),
            _ => Err(format!("{text:?} is not one of lambda, pool, http, storm and growth")),
        }
    }
}

/// Runs the parts of an effort, or only some of them.
///
/// # Errors
/// If something that is needed does not start.
pub fn run(effort: Effort, parts: &[Part]) -> Result<Results, String> {
    let begun = Instant::now();
    let mut results = Results {
        machine: Machine::here(),
        versions: machine::versions(),
        contests: Vec::new(),
        curves: Vec::new(),
        calls: Vec::new(),
    };
    for (number, part) in parts.iter().enumerate() {
        let seconds = begun.elapsed().as_secs();
        say(&format!(
            "== {}/{}: {part:?}, {seconds} s since the beginning",
            number + 1,
            parts.len()
        ));
        match part {
            Part::Lambda => results.contests.extend(of_lambda(effort)?),
            Part::Pool => results.contests.extend(of_pools(effort)?),
            Part::Http => {
                let (contests, calls) = of_http(effort)?;
                results.contests.extend(contests);
                results.calls.extend(calls);
            }
            Part::Storm if effort != Effort::Quick => results.curves.extend(storm::curves(effort)?),
            Part::Growth if effort != Effort::Quick => {
                results.curves.extend(growth::curves(effort)?);
            }
            Part::Storm | Part::Growth => {}
        }
    }
    results.machine.load_after = machine::load();
    results.machine.seconds = begun.elapsed().as_secs_f64();
    Ok(results)
}

fn of_lambda(effort: Effort) -> Result<Vec<Contest>, String> {
    let sources = [Source::Rest, Source::Http, Source::Alb];
    let events = sources.map(Event::small).into_iter().chain(sources.map(Event::large));
    let mut contests: Vec<_> = events.map(|event| lambda::conversion(&event, effort)).collect();
    contests.push(lambda::first_poll(effort));
    contests.push(lambda::first_poll_hosted(effort));
    contests.push(lambda::invocations(&Event::small(Source::Http), effort));
    if effort != Effort::Quick {
        contests.push(lambda::invocations(&Event::large(Source::Http), effort));
        contests.extend(lambda::database::contests(effort)?);
    }
    Ok(contests)
}

fn of_pools(effort: Effort) -> Result<Vec<Contest>, String> {
    let database = Database::start()?;
    let pools = Pools::open(&database.url(), effort)?;
    let tasks: &[usize] = match effort {
        Effort::Full => &[1, 16, 128, 1024],
        Effort::Smoke | Effort::Quick => &[1, 16, 128],
    };
    let mut contests: Vec<_> =
        tasks.iter().map(|tasks| pools.queries(*tasks, &database, effort)).collect();
    if effort == Effort::Quick {
        return Ok(contests);
    }
    let one = Pools::sized(&database.url(), Some(1), effort)?;
    contests.push(one.queries(1, &database, effort));
    drop(one);
    contests.extend([1, 128].map(|tasks| pools.checkouts(tasks, effort)));
    drop(pools);
    let proxy = Proxy::start(database.server().port());
    let pools = Pools::open(&proxy.url(&database.url()), effort)?;
    for (network, mode) in [
        ("0 ms", Mode::Pass),
        ("1 ms", Mode::Delay(Duration::from_micros(500))),
        ("10 ms", Mode::Delay(Duration::from_millis(5))),
    ] {
        proxy.set(mode);
        contests.push(pools.remote(network, 16, &|| proxy.round_trips(), effort));
    }
    Ok(contests)
}

fn of_http(effort: Effort) -> Result<(Vec<Contest>, Vec<Calls>), String> {
    let database = Database::start()?;
    let servers = Servers::start(&database.url())?;
    let mut calls = Vec::new();
    let hosted = Servers::start_hosted()?;
    let mut contests = vec![
        hosted.contest(&http::hello_hosted(), 64, effort),
        servers.contest(&http::hello(), 64, effort),
        servers.contest(&http::hello_varied(), 64, effort),
        servers.contest(&http::note(), 64, effort),
        servers.contest(&http::note(), 512, effort),
        servers.contest(&http::upload(), 64, effort),
    ];
    if effort != Effort::Quick {
        contests.push(servers.contest(&http::hello(), 512, effort));
        let others = http::others();
        contests.extend(others.iter().map(|question| servers.contest(question, 64, effort)));
        for question in [http::hello(), http::note(), http::upload()].iter().chain(&others) {
            calls.extend(servers.calls(question, 64, effort));
        }
    }
    Ok((contests, calls))
}
