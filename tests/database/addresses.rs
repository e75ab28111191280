//! Names that stand for several addresses, one of which swallows everything.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhost_core::Paradigm;
use anyhost_tests::process::binary;
use anyhost_tests::servers::{MariaDb, Postgres};
use anyhost_tests::skip::{skip, skipped_without_namespaces};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::kit::open;

const SWALLOWS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const ANSWERS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Runs `$2` where the names of the file `$1` are those of the machine, for it alone.
const WITH_NAMES: &str = r#"mount --bind "$1" /etc/hosts && shift && exec "$@""#;

/// A port at which one address answers connections with nothing at all, and the other is a database server.
async fn two_addresses(server: u16) -> u16 {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((SWALLOWS, 0).into()).unwrap();
    let full = socket.listen(0).unwrap();
    let port = full.local_addr().unwrap().port();
    let mut waiting = Vec::new();
    // No process accepts them: once the queue is full, the kernel drops further connections.
    while let Ok(stream) =
        timeout(Duration::from_millis(250), TcpStream::connect((SWALLOWS, port))).await
    {
        waiting.push(stream);
    }
    let listener = TcpListener::bind((ANSWERS, port)).await.unwrap();
    tokio::spawn(async move {
        let _swallows = (full, waiting);
        forward(listener, server).await;
    });
    port
}

/// Leads every connection to a server of this machine.
async fn forward(listener: TcpListener, server: u16) {
    while let Ok((mut client, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await.unwrap();
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}

/// The URL with another host and port.
fn at(url: &str, host: &str, port: u16) -> String {
    let (before, after) = url.rsplit_once('@').unwrap();
    let (_, path) = after.split_once('/').unwrap();
    format!("{before}@{host}:{port}/{path}")
}

/// The arguments of `unshare` for private mounts.
fn own_mounts() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() {
        &["--mount"]
    } else {
        &["--mount", "--map-root-user"]
    }
}

/// The output of a program for which a name resolves to both addresses.
fn run(program: &Path, argument: &str, variables: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let names = folder.path().join("hosts");
    std::fs::write(&names, format!("{SWALLOWS} twofold\n{ANSWERS} twofold\n")).unwrap();
    let (names, program) = (names.display().to_string(), program.display().to_string());
    let mut arguments: Vec<&str> = own_mounts().to_vec();
    arguments.extend(["/bin/sh", "-c", WITH_NAMES, "with-names", &names, &program]);
    arguments.extend(argument.split(' '));
    let mut command = Command::new("/usr/bin/unshare");
    command
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(variables.iter().copied());
    let output = command.stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_swallows_everything_is_left_for_another_of_the_same_name() {
    if skipped_without_namespaces(own_mounts()) {
        return;
    }
    let direct = Postgres::shared().database();
    let port = two_addresses(Postgres::shared().port()).await;
    let there = |host: &str| at(&direct, host, port);
    let check = |url: String| {
        let variables = [("PLATFORM", "generic"), ("DATABASE_URL", url.as_str())];
        run(&binary("notes-paas"), "check", &variables)
    };
    // The address that does not answer is the first that every process tries.
    let order = run(Path::new("/usr/bin/getent"), "ahostsv4 twofold", &[]);
    assert!(order.find("127.0.0.1") < order.find("127.0.0.2"), "{order}");
    let alone = check(there("127.0.0.1"));
    assert!(alone.contains("no answer within"), "{alone}");
    // It gets as far as the schema, which is not there.
    let both = check(there("twofold"));
    assert!(both.contains("schema is not up to date"), "{both}");
    // sqlx takes the one after the other, and waits for the first.
    let plain = check(there("twofold") + "?sslmode=verify-full");
    assert!(plain.contains("no answer within"), "{plain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_may_have_an_address_of_version_6() {
    let listener = match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await {
        Ok(listener) => listener,
        Err(error) => return skip(&format!("no address of version 6: {error}")),
    };
    let port = listener.local_addr().unwrap().port();
    let servers = [
        (Postgres::shared().database(), Postgres::shared().port()),
        (MariaDb::shared().database(), MariaDb::shared().port()),
    ];
    let [(postgres, to_postgres), (mariadb, to_mariadb)] = servers;
    let leads = tokio::spawn(forward(listener, to_postgres));
    let url = at(&postgres, "[::1]", port);
    let (_host, db) = open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &[]).await.unwrap();
    assert!(db.stats().pool.starts_with(&format!("[::1]:{port}/")), "{}", db.stats().pool);
    leads.abort();
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(forward(listener, to_mariadb));
    let url = at(&mariadb, "[::1]", port);
    open::<sqlx::MySql>(Paradigm::LongRunning, &url, &[]).await.unwrap();
}
