//! The start: what is listened on, when it is ready, and how a wrong setting is refused.

use std::net::TcpListener;
use std::process::Command;

use anyhost_tests::process::{PATIENCE, Signal};
use anyhost_tests::servers::Postgres;
use anyhost_tests::wait::eventually;

use anyhost_tests::connection::Wire;
use anyhost_tests::doors::Certificate;
use anyhost_tests::fleet::{Instance, launch, listening_port_of};

#[test]
fn a_paas_process_listens_on_every_address() {
    let instance = Instance::start("echo-paas", &[]);
    for address in ["127.0.0.1", "127.0.0.2", "::1"] {
        let address = (address.parse::<std::net::IpAddr>().expect("an address"), instance.port);
        let mut wire =
            Wire::try_to(address.into()).unwrap_or_else(|error| panic!("{address:?}: {error}"));
        assert_eq!(wire.get("/").status, 200, "{address:?}");
    }
}

#[test]
fn a_vm_process_listens_for_this_machine_alone() {
    let instance = Instance::start("echo-vm", &[]);
    assert_eq!(Wire::to(instance.port).get("/").status, 200);
    assert!(Wire::try_to(([127, 0, 0, 2], instance.port).into()).is_err());
}

#[test]
fn a_wrong_setting_is_one_line_that_names_it_and_exit_78() {
    for (program, variable, value) in [
        ("echo-paas", "PORT", "abc"),
        ("echo-paas", "PORT", "65536"),
        ("echo-paas", "PORT", "tcp://10.0.0.1:8080"),
        ("echo-paas", "PLATFORM", "herokou"),
        ("echo-paas", "SHUTDOWN_GRACE", "soon"),
        ("echo-paas", "LAME_DUCK", "-1"),
        ("echo-paas", "MAX_BODY", "much"),
        ("echo-paas", "PROXY_PROTOCOL", "on"),
        ("echo-paas", "TLS_CERTIFICATE", "/nowhere/certificate.pem"),
        ("echo-vm", "LISTEN", "tls://127.0.0.1:0"),
        ("echo-vm", "LISTEN", "8080"),
        ("notes-paas", "DATABASE_URL", "nonsense"),
    ] {
        let mut environment = vec![(variable, value)];
        if variable != "PORT" {
            environment.push(("PORT", "0"));
        }
        // If an address asks for TLS and no certificate is set, the error names the missing variable.
        let named = if value.starts_with("tls:") { "TLS_CERTIFICATE" } else { variable };
        // `check` refuses what `serve` refuses.
        for verb in [&[] as &[&str], &["check"]] {
            let (process, _folder) = launch(program, verb, &environment);
            process.wait_for_line(&["error: "]);
            let exit = process.wait_for_exit(PATIENCE);
            let lines = process.log().lines();
            let errors: Vec<_> = lines.iter().filter(|line| line.starts_with("error: ")).collect();
            assert_eq!(exit.code(), Some(78), "{verb:?} {variable}={value}: {lines:?}");
            assert!(
                errors.len() == 1 && errors[0].contains(named),
                "{verb:?} {variable}={value}: {lines:?}"
            );
        }
    }
}

/// To open a pipe waits for a writer, and a device may have no end.
#[test]
fn a_file_of_a_setting_that_is_no_regular_one_is_one_line_that_names_it_and_exit_78() {
    let folder = tempfile::TempDir::new().expect("a folder for temporary files");
    let pipe = folder.path().join("pipe");
    let made = Command::new("/usr/bin/mkfifo").arg(&pipe).status().expect("mkfifo starts");
    assert!(made.success());
    let pipe = pipe.to_str().expect("UTF-8");
    let _certificate = Certificate::new(folder.path());
    let certificate = folder.path().join("certificate.pem");
    let certificate = certificate.to_str().expect("UTF-8");
    let url = "postgres://nobody@127.0.0.1:1/none";
    let with_root = |file: &str| format!("{url}?sslmode=verify-full&sslrootcert={file}");
    for file in [pipe, "/dev/zero"] {
        for environment in [
            &[("TLS_CERTIFICATE", file), ("TLS_KEY", file)] as &[_],
            &[("TLS_KEY", file), ("TLS_CERTIFICATE", certificate)],
            &[("DATABASE_PASSWORD_FILE", file), ("DATABASE_URL", url)],
            &[("DATABASE_URL", &with_root(file))],
        ] {
            let named = environment[0].0;
            let (process, _folder) =
                launch("notes-paas", &["check"], &[environment, &[("PORT", "0")]].concat());
            process.wait_for_line(&["error: ", named, "not a regular file"]);
            assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(78), "{named}={file}");
        }
    }
}

#[test]
fn a_misspelt_variable_is_named_in_one_line_beside_the_one_that_was_meant() {
    for verb in [&["check"] as &[&str], &[]] {
        let environment =
            [("PORT", "0"), ("DATABASE_POOL_SZIE", "3"), ("DATABASE_URL", "sqlite::memory:")];
        let (process, _folder) = launch("notes-paas", verb, &environment);
        process.wait_for_line(&["DATABASE_POOL_SZIE: ", "did you mean DATABASE_POOL_SIZE?"]);
        if verb.is_empty() {
            process.signal(Signal::KILL);
        }
        process.wait_for_exit(PATIENCE);
        let lines = process.log().lines();
        assert_eq!(
            lines.iter().filter(|line| line.contains("did you mean")).count(),
            1,
            "{lines:?}"
        );
    }
}

#[test]
fn a_port_that_is_taken_is_one_line_that_names_it_and_exit_71() {
    let taken = TcpListener::bind("[::]:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let (process, _folder) = launch("echo-paas", &[], &[("PORT", &port)]);
    process.wait_for_line(&["error: ", &port]);
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(71));
}

/// It lives before its database does, and is ready only after.
#[test]
fn it_lives_at_once_and_is_ready_when_its_database_answers() {
    // A database that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("postgres://nobody@{}/none", silent.local_addr().expect("bound"));
    let (process, _folder) = launch("notes-paas", &[], &[("DATABASE_URL", &url), ("PORT", "0")]);
    let port = listening_port_of(&process);
    assert_eq!(Wire::to(port).get("/livez").status, 200);
    assert_eq!(Wire::to(port).get("/readyz").status, 503);
    // A request that comes too early gets `Retry-After`.
    let answer = Wire::to(port).get("/notes");
    assert_eq!(answer.status, 503);
    assert!(answer.head.to_ascii_lowercase().contains("retry-after:"), "{}", answer.head);
    // The log says what it waits for before it gives up.
    process.wait_for_line(&["WARN", "connecting to the database fails, and is tried again"]);
}

#[test]
fn readiness_follows_the_database() {
    let server = Postgres::start(&["max_connections=30"]);
    let url = server.database();
    let (migration, _folder) = launch("notes-paas", &["migrate"], &[("DATABASE_URL", &url)]);
    assert!(migration.wait_for_exit(PATIENCE).success());
    let instance = Instance::start("notes-paas", &[("DATABASE_URL", &url)]);
    let is = |status| {
        eventually(&format!("/readyz is {status}"), || {
            (Wire::to(instance.port).get("/readyz").status == status).then_some(())
        });
    };
    is(200);
    server.stop();
    is(503);
    assert_eq!(Wire::to(instance.port).get("/livez").status, 200);
    server.restart();
    is(200);
    assert_eq!(Wire::to(instance.port).get("/notes").status, 200);
}

#[test]
fn a_probe_is_plain_whatever_dialect_it_speaks() {
    let instance = Instance::start("echo-paas", &[]);
    for path in ["/livez", "/readyz"] {
        for lines in [
            "host: 10.0.0.5:8080\r\nuser-agent: kube-probe/1.33",
            "host: healthcheck.railway.app",
            "host: localhost\r\nuser-agent: GoogleHC/1.0",
            "host: 127.0.0.1\r\nuser-agent: ELB-HealthChecker/2.0\r\nconnection: close",
        ] {
            for method in ["GET", "HEAD"] {
                let mut wire = Wire::to(instance.port);
                wire.write(format!("{method} {path} HTTP/1.1\r\n{lines}\r\n\r\n"));
                // The body of an answer to HEAD stays away, whatever length it tells.
                let answer = if method == "HEAD" { wire.until("\r\n") } else { wire.answer().head };
                assert!(answer.starts_with("HTTP/1.1 200 "), "{method} {path} {lines}: {answer}");
            }
        }
        // HTTP/1.0 without a host, as simple load balancers ask.
        let mut wire = Wire::to(instance.port);
        wire.write(format!("GET {path} HTTP/1.0\r\n\r\n"));
        let answer = wire.answer();
        assert_eq!(answer.status, 200, "{}", answer.head);
        assert!(wire.is_closed());
    }
    // A TCP probe connects, closes, and is worth no line in a log.
    let before = instance.process.log().lines().len();
    for _ in 0..10 {
        drop(Wire::to(instance.port));
    }
    assert_eq!(Wire::to(instance.port).get("/livez").status, 200);
    let lines = instance.process.log().lines();
    assert_eq!(lines.len(), before, "{lines:?}");
    instance.tell(Signal::TERM);
    assert_eq!(instance.exit_code(PATIENCE), 0);
}
