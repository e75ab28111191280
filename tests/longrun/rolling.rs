//! Rolling deploys under load: every process is replaced, none of the requests is lost.

use std::time::Duration;

use anyhost_tests::load::{Address, Clients, Load, Report};
use anyhost_tests::process::{PATIENCE, Signal};
use anyhost_tests::servers::{Haproxy, Nginx, port};
use anyhost_tests::wait::pause;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use anyhost_tests::fleet::{Instance, Notebook};

/// Requests of one deploy under load.
const REQUESTS: u64 = 50_000;

/// Clients at once.
const CLIENTS: usize = 24;

/// How often each of the three processes is replaced.
const ROUNDS: usize = 3;

/// The connections that the server takes. Of these 3 are its superuser's and 3 are left for
/// administration: 24 for three processes, and as many again during a deploy.
const MAX_CONNECTIONS: usize = 30;
const BUDGET: usize = 24;

/// Notes that are there to be read.
const SEEDS: u64 = 50;

#[test]
fn no_request_is_lost_behind_haproxy() {
    let notebook = Notebook::new(MAX_CONNECTIONS, BUDGET);
    let mut deployment = Deployment::start(&notebook, "notes-paas", "3s");
    let haproxy = Haproxy::start(&deployment.ports);
    haproxy.wait_until_it_knows(&deployment.serving());
    let load = load(Address::Tcp(haproxy.address()), true);
    let mut most = 0;
    for _ in 0..ROUNDS {
        for place in 0..3 {
            load.wait_for(load.requests() + 500);
            deployment.start_next(place);
            haproxy.wait_until_it_knows(&deployment.serving());
            most = most.max(notebook.connections());
            stop(&deployment.retire(place));
            haproxy.wait_until_it_knows(&deployment.serving());
        }
    }
    load.wait_for(REQUESTS);
    let report = load.finish();
    println!("behind haproxy: {report}");
    println!("at most {most} connections were seen, of {BUDGET}");
    assert_eq!(report.failed(), 0, "{report}\n{}", haproxy.log());
    within_the_budget(&notebook, most);
    every_write_is_there(&notebook, &report);
}

#[test]
fn no_request_is_lost_behind_nginx_with_upstream_keep_alive() {
    let notebook = Notebook::new(MAX_CONNECTIONS, BUDGET);
    let mut deployment = Deployment::start(&notebook, "notes-paas", "3s");
    let nginx = Nginx::start(&deployment.serving());
    // Its own clients come with a connection each: nginx cuts idle ones of theirs at a reload.
    let load = load(Address::Unix(nginx.socket()), false);
    let mut most = 0;
    for _ in 0..ROUNDS {
        for place in 0..3 {
            load.wait_for(load.requests() + 500);
            deployment.start_next(place);
            most = most.max(notebook.connections());
            let oldest = deployment.retire(place);
            oldest.tell(Signal::TERM);
            // The proxy goes on for a while with what it knew.
            pause(Duration::from_millis(500));
            nginx.send_to(&deployment.serving());
            assert_eq!(oldest.exit_code(PATIENCE), 0, "{}", oldest.process.log().text());
        }
    }
    load.wait_for(REQUESTS);
    let report = load.finish();
    println!("behind nginx: {report}");
    println!("at most {most} connections were seen, of {BUDGET}");
    assert_eq!(report.failed(), 0, "{report}\n{}", nginx.log());
    within_the_budget(&notebook, most);
    every_write_is_there(&notebook, &report);
}

/// The control: without a lame duck the same router loses requests, so the tests above can fail.
#[test]
fn without_a_lame_duck_requests_are_lost() {
    let notebook = Notebook::new(MAX_CONNECTIONS, BUDGET);
    let (report, _) = one_deploy(&notebook, "notes-paas", "0");
    println!("without a lame duck: {report}");
    assert!(report.failed() > 0, "{report}");
}

/// A VM does not say how long to go on serving: the program's default is enough for a load balancer that checks every
/// second.
#[test]
fn a_program_on_a_vm_loses_no_request_by_its_own_defaults() {
    let notebook = Notebook::new(MAX_CONNECTIONS, BUDGET);
    let (report, log) = one_deploy(&notebook, "notes-vm", "");
    println!("notes-vm by its own defaults: {report}");
    assert_eq!(report.failed(), 0, "{report}\n{log}");
    every_write_is_there(&notebook, &report);
}

/// Replaces each process behind haproxy once, under load: what became of the requests, and haproxy's log.
fn one_deploy(
    notebook: &Notebook,
    program: &'static str,
    lame_duck: &'static str,
) -> (Report, String) {
    let mut deployment = Deployment::start(notebook, program, lame_duck);
    let haproxy = Haproxy::start(&deployment.ports);
    haproxy.wait_until_it_knows(&deployment.serving());
    let load = load(Address::Tcp(haproxy.address()), true);
    for place in 0..3 {
        load.wait_for(load.requests() + 500);
        deployment.start_next(place);
        haproxy.wait_until_it_knows(&deployment.serving());
        stop(&deployment.retire(place));
        haproxy.wait_until_it_knows(&deployment.serving());
    }
    (load.finish(), haproxy.log())
}

/// Three places, each with two ports that its processes take in turn.
struct Deployment<'a> {
    notebook: &'a Notebook,
    program: &'static str,
    lame_duck: &'static str,
    ports: Vec<u16>,
    /// The processes of each place, the oldest first: one, or two while one is being replaced.
    places: [Vec<Instance>; 3],
}

impl<'a> Deployment<'a> {
    /// `lame_duck` empty: what the program does by itself.
    fn start(notebook: &'a Notebook, program: &'static str, lame_duck: &'static str) -> Self {
        let ports = (0..6).map(|_| port()).collect();
        let mut new = Self { notebook, program, lame_duck, ports, places: Default::default() };
        (0..3).for_each(|place| new.start_next(place));
        notebook.sql(&format!(
            "INSERT INTO notes (title, body, created_at, updated_at) \
             SELECT 'seed ' || n, '', 'then', 'then' FROM generate_series(1, {SEEDS}) n"
        ));
        new
    }

    /// Starts the next process of a place, on the port that is free, and waits until it is ready.
    fn start_next(&mut self, place: usize) {
        let own = [self.ports[2 * place], self.ports[2 * place + 1]];
        let taken = self.places[place].last().map(|instance| instance.port);
        let port = if taken == Some(own[0]) { own[1] } else { own[0] };
        let environment = [
            ("DATABASE_URL", self.notebook.url.as_str()),
            ("APP_INSTANCES", "3"),
            ("LAME_DUCK", self.lame_duck),
        ];
        self.places[place].push(Instance::on(port, self.program, &environment));
    }

    /// Takes the oldest process of a place out of the deployment, as it is.
    fn retire(&mut self, place: usize) -> Instance {
        self.places[place].remove(0)
    }

    /// The ports of the processes that are to serve.
    fn serving(&self) -> Vec<u16> {
        self.places.iter().flatten().map(|instance| instance.port).collect()
    }
}

#[track_caller]
fn stop(instance: &Instance) {
    instance.process.signal(Signal::TERM);
    assert_eq!(instance.exit_code(PATIENCE), 0, "{}", instance.process.log().text());
}

/// Nine reads and a write, again and again.
fn load(address: Address, keep_alive: bool) -> Load {
    let clients = Clients { address, count: CLIENTS, keep_alive, every: None };
    Load::start(clients, |number| {
        let request = Request::builder().header("host", "notes.test");
        let request = if number % 10 == 0 {
            let note = format!(r#"{{"title":"write {number}","body":"of the load"}}"#);
            request.method("POST").uri("/notes").body(Full::new(Bytes::from(note)))
        } else {
            let id = number % SEEDS + 1;
            request.uri(format!("/notes/{id}")).body(Full::default())
        };
        request.expect("a plain request")
    })
}

fn within_the_budget(notebook: &Notebook, most: usize) {
    assert!((4..=BUDGET).contains(&most), "{most} connections");
    let log = notebook.server.log();
    assert!(!log.contains("too many connections"), "{log}");
}

/// Every write that was answered is stored once.
fn every_write_is_there(notebook: &Notebook, report: &Report) {
    let writes = report.requests.div_ceil(10);
    let stored = notebook
        .sql("SELECT count(*), count(DISTINCT title) FROM notes WHERE title LIKE 'write %'");
    assert_eq!(stored, format!("{writes}|{writes}"));
}
