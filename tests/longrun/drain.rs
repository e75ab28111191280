//! The stop signal: what was accepted is finished, what never ends is given up within the grace.

use anyhost_tests::process::{PATIENCE, Signal};
use anyhost_tests::wait::eventually;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::Instance;

/// The exit code of a process that was ended by an impatient person.
const ABORTED: i32 = 75;

const PROGRAMS: [&str; 3] = ["echo-paas", "echo-vm", "echo-actix-paas"];

#[test]
fn a_request_in_flight_is_answered_and_the_process_exits_0() {
    for program in PROGRAMS {
        for signal in [Signal::TERM, Signal::INT] {
            let instance = Instance::start(program, &[]);
            let mut upload = Wire::to(instance.port);
            upload.begin_upload(5);
            instance.tell(signal);
            upload.write("hello");
            let answer = upload.answer();
            assert_eq!(answer.status, 200, "{program} {signal:?}");
            assert!(answer.says("connection: close"), "{}", answer.head);
            assert!(upload.is_closed());
            assert_eq!(instance.exit_code(PATIENCE), 0, "{program} {signal:?}");
            instance.process.wait_for_line(&["drained", "\"aborted\":0"]);
        }
    }
}

#[test]
fn during_the_lame_duck_readiness_is_gone_and_new_connections_are_served() {
    let instance = Instance::start("echo-paas", &[("LAME_DUCK", "3s")]);
    let mut kept = Wire::to(instance.port);
    assert_eq!(kept.get("/").status, 200);
    instance.tell(Signal::TERM);
    assert_eq!(Wire::to(instance.port).get("/readyz").status, 503);
    assert_eq!(Wire::to(instance.port).get("/livez").status, 200);
    // Connections that a router keeps and ones that it opens now: both are served, and both are let go.
    for mut wire in [kept, Wire::to(instance.port)] {
        let answer = wire.get("/");
        assert_eq!(answer.status, 200);
        assert!(answer.says("connection: close"), "{}", answer.head);
        assert!(wire.is_closed());
    }
    assert_eq!(instance.exit_code(PATIENCE), 0);
    assert!(Wire::try_to(instance.address()).is_err(), "nobody listens any more");
}

#[test]
fn unasked_a_process_somewhere_serves_on_until_routers_may_know() {
    let unasked = Instance::start("echo-paas", &[("LAME_DUCK", "")]);
    let control = Instance::start("echo-paas", &[("LAME_DUCK", "0")]);
    control.process.signal(Signal::TERM);
    unasked.tell(Signal::TERM);
    assert_eq!(Wire::to(unasked.port).get("/readyz").status, 503);
    // The one that was told to leave at once has left, and this one serves.
    assert_eq!(control.exit_code(PATIENCE), 0);
    assert_eq!(Wire::to(unasked.port).get("/").status, 200);
    assert_eq!(unasked.exit_code(PATIENCE), 0);
}

#[test]
fn an_upload_that_never_ends_does_not_hold_the_process_beyond_its_grace() {
    for program in PROGRAMS {
        let instance = Instance::start(program, &[("SHUTDOWN_GRACE", "3s")]);
        let mut upload = Wire::to(instance.port);
        upload.begin_upload(1000);
        instance.tell(Signal::TERM);
        // Its own end: no supervisor had to kill it, and a client that never finishes is no failure.
        assert_eq!(instance.exit_code(PATIENCE), 0, "{program}");
        instance.process.wait_for_line(&["WARN", "1 requests are cut off"]);
        instance.process.wait_for_line(&["drained", "\"aborted\":1"]);
    }
}

#[test]
fn only_a_second_interrupt_ends_the_process_at_once() {
    for (first, others) in [
        (Signal::INT, &[][..]),
        (Signal::TERM, &[Signal::INT]),
        (Signal::INT, &[Signal::TERM]),
        (Signal::TERM, &[Signal::TERM, Signal::INT, Signal::TERM]),
    ] {
        let instance = Instance::start("echo-paas", &[("SHUTDOWN_GRACE", "10m")]);
        let mut upload = Wire::to(instance.port);
        upload.begin_upload(1000);
        instance.tell(first);
        for (earlier, other) in others.iter().enumerate() {
            instance.process.signal(*other);
            // Each is answered by a line before the next is sent: equal ones would be merged.
            eventually("the signal is heard", || {
                let heard = instance.process.log().text().matches("stopping already").count();
                (heard > earlier).then_some(())
            });
        }
        instance.process.signal(Signal::INT);
        assert_eq!(instance.exit_code(PATIENCE), ABORTED, "{first:?} {others:?}");
    }
}

#[test]
fn further_stop_signals_lose_no_request_in_flight() {
    for program in PROGRAMS {
        for first in [Signal::TERM, Signal::INT] {
            let instance = Instance::start(program, &[("SHUTDOWN_GRACE", "10m")]);
            let mut upload = Wire::to(instance.port);
            upload.begin_upload(5);
            instance.tell(first);
            for earlier in 0..3 {
                instance.process.signal(Signal::TERM);
                eventually("the signal is heard", || {
                    let heard = instance.process.log().text().matches("stopping already").count();
                    (heard > earlier).then_some(())
                });
            }
            upload.write("hello");
            assert_eq!(upload.answer().status, 200, "{program} {first:?}");
            assert_eq!(instance.exit_code(PATIENCE), 0, "{program} {first:?}");
        }
    }
}

#[test]
fn a_hangup_ends_no_process() {
    for program in PROGRAMS {
        let instance = Instance::start(program, &[]);
        instance.process.signal(Signal::HUP);
        // Every answer comes from a process that has had the time to die: signals are delivered at once.
        assert_eq!(Wire::to(instance.port).get("/").status, 200, "{program}");
        instance.tell(Signal::TERM);
        assert_eq!(instance.exit_code(PATIENCE), 0, "{program}");
    }
}

#[test]
fn a_stream_of_events_is_sent_to_its_end() {
    let instance = Instance::start("echo-paas", &[]);
    let mut stream = Wire::to(instance.port);
    stream.write("GET /r/sse HTTP/1.1\r\nhost: test\r\n\r\n");
    stream.until("data:");
    instance.tell(Signal::TERM);
    let rest = stream.rest();
    assert_eq!(rest.matches("data:").count(), 4, "{rest:?}");
    assert!(rest.ends_with("0\r\n\r\n"), "the last chunk: {rest:?}");
    assert_eq!(instance.exit_code(PATIENCE), 0);
}

#[test]
fn clients_that_hold_idle_connections_do_not_hold_the_process() {
    let instance = Instance::start("echo-paas", &[]);
    let mut idle: Vec<_> = (0..50).map(|_| Wire::to(instance.port)).collect();
    idle.iter_mut().for_each(|wire| assert_eq!(wire.get("/").status, 200));
    instance.tell(Signal::TERM);
    assert!(idle.iter_mut().all(Wire::is_closed));
    assert_eq!(instance.exit_code(PATIENCE), 0);
}

/// A process that gets SIGTERM during its start ends without having become ready.
#[test]
fn a_stop_during_the_start_is_heard() {
    // A database that accepts connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("postgres://nobody@{}/none", silent.local_addr().expect("bound"));
    let environment = [("DATABASE_URL", url.as_str()), ("PORT", "0"), ("SHUTDOWN_GRACE", "5s")];
    let (process, _folder) = anyhost_tests::fleet::launch("notes-paas", &[], &environment);
    let port = anyhost_tests::fleet::listening_port_of(&process);
    eventually("it lives", || (Wire::to(port).get("/livez").status == 200).then_some(()));
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(0), "{}", process.log().text());
    assert!(!process.log().text().contains("\"ready\""), "{}", process.log().text());
}
