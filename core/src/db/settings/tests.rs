//! Parsing of settings and URLs, and the errors for wrong ones.

use super::*;

fn parse(pairs: &[(&str, &str)]) -> Result<DatabaseSettings, ConfigError> {
    DatabaseSettings::parse(&Settings::from_pairs(pairs.iter().copied()), None)
}

#[track_caller]
fn refused(pairs: &[(&str, &str)], expected: &str) {
    let error = parse(pairs).expect_err("refused").to_string();
    assert_eq!(error, expected);
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_wrong_setting_is_named_and_no_secret_is_printed() {
    refused(
        &[("DATABASE_URL", "nonsense-hunter2")],
        "DATABASE_URL: expected a URL such as postgres://user:password@host/database, found something else",
    );
    refused(
        &[("DATABASE_URL", "http://u:hunter2@h/d")],
        "DATABASE_URL: expected a URL that begins with postgres://, mysql:// or sqlite:",
    );
    refused(
        &[("DATABASE_URL", "postgres://u:hunter2@h/d?conection_limit=5")],
        "DATABASE_URL: unknown parameter \"conection_limit\"; did you mean connection_limit?",
    );
    refused(
        &[("DATABASE_URL", "postgres://u:hunter2@h/d?sslmode=required")],
        "DATABASE_URL: parameter sslmode: expected disable, allow, prefer, require, verify-ca, verify-full",
    );
    refused(
        &[("DATABASE_URL", "mysql://u:hunter2@h/d?ssl-mode=on")],
        "DATABASE_URL: parameter ssl-mode: expected disabled, preferred, required, verify_ca, verify_identity",
    );
    refused(
        &[(
            "DATABASE_URL",
            "postgres://u:hunter2@h/d?sslmode=verify-full&sslrootcert=/no/such/file",
        )],
        "DATABASE_URL: parameter sslrootcert: \"/no/such/file\" cannot be read: No such file or directory (os error 2)",
    );
    refused(
        &[("DATABASE_URL", "postgres://u:hunter2@h/d?sslmode=verify-ca&sslrootcert=/dev/null")],
        "DATABASE_URL: parameter sslrootcert: \"/dev/null\" is not a regular file",
    );
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    refused(
        &[("DATABASE_URL", &format!("postgres://u:hunter2@h/d?sslrootcert={file}"))],
        &format!(
            "DATABASE_URL: parameter sslrootcert: {file:?} has no PEM block, which begins with \"-----BEGIN \""
        ),
    );
    // The key itself, without the frame of PEM.
    refused(
        &[("DATABASE_URL", "postgres://u:p@h/d?sslkey=MC4CAQhunter2%3D%3D")],
        "DATABASE_URL: parameter sslkey: the file of this name cannot be read: No such file or directory (os error 2)",
    );
    refused(
        &[("DATABASE_URL", "postgres://u:hunter2@h/d?sslmode=require&sslrootcert=system")],
        "DATABASE_URL: parameter sslrootcert: system goes with sslmode=verify-full alone",
    );
    refused(
        &[("DATABASE_URL", "postgres://h/d"), ("DATABASE_POOL_SIZE", "0")],
        "DATABASE_POOL_SIZE: expected a whole number of at least 1, found \"0\"",
    );
    refused(
        &[("DATABASE_URL", "sqlite:notes.db"), ("DATABASE_POOL_SIZE", "5000000")],
        "DATABASE_POOL_SIZE: expected at most 100000 connections, found 5000000",
    );
    refused(
        &[("DATABASE_URL", "postgres://u:hunter2@h/d?connection_limit=5000000")],
        "DATABASE_URL: parameter connection_limit: expected at most 100000 connections, found 5000000",
    );
    refused(
        &[("DATABASE_URL", "postgres://h/d"), ("DATABASE_POOLER", "pgbounce")],
        "DATABASE_POOLER: expected none, pgbouncer, pgbouncer-prepared or rds-proxy, found \"pgbounce\"",
    );
    for name in [
        "DATABASE_ACQUIRE_TIMEOUT",
        "DATABASE_IDLE_TIMEOUT",
        "DATABASE_MAX_LIFETIME",
        "DATABASE_LEAK_THRESHOLD",
        "DATABASE_LOCK_TIMEOUT",
    ] {
        refused(
            &[("DATABASE_URL", "postgres://h/d"), (name, "0s")],
            &format!("{name}: expected more than 0"),
        );
    }
}

#[test]
fn what_may_be_part_of_a_password_is_not_printed() {
    let special = "DATABASE_URL: a special character in the user or the password must be percent-encoded, \
                   such as %23 for #, %2F for / and %3F for ?";
    for url in [
        "postgres://u:s3cr#hunter2@h/d",
        "postgres://u:p/hunter2@h/d",
        "postgres://u:p?hunter2@h/d",
        "mysql://u:a/b#hunter2@h/d",
        "postgres://u:p@w/hunter2@h/d",
        "postgres://u:p@w?hunter2@h/d",
        "postgres://u:12#hunter2@h/d",
        "postgres://u:12/hunter2@h/d",
        "postgres://u:12?hunter2@h/d",
        "postgres://u:12?hunter2&a@h/d",
        "mysql://u:12?a=hunter2@h/d",
    ] {
        refused(&[("DATABASE_URL", url)], special);
    }
    refused(
        &[("DATABASE_URL", "postgres://h/d?password=a&hunter2")],
        "DATABASE_URL: unknown parameter",
    );
    parse(&[("DATABASE_URL", "postgres://h/d?user=me@tenant&password=p@p")]).expect("is right");
}

#[test]
fn no_time_is_longer_than_clocks_reach_and_no_wait_is_none_at_all() {
    let forever = u64::MAX.to_string();
    for parameter in ["pool_timeout", "connect_timeout"] {
        refused(
            &[("DATABASE_URL", &format!("postgres://h/d?{parameter}={forever}"))],
            &format!(
                "DATABASE_URL: parameter {parameter}: expected whole seconds, or 0 for no timeout"
            ),
        );
    }
    let url = ("DATABASE_URL", "postgres://h/d");
    let name = "DATABASE_ACQUIRE_TIMEOUT";
    refused(
        &[url, (name, &format!("{forever}s"))],
        &format!("{name}: expected a duration such as 500ms, 10s or 2m, found \"{forever}s\""),
    );
    refused(&[url, (name, "0s")], &format!("{name}: expected more than 0"));
}

#[test]
fn a_password_is_found_where_the_driver_finds_it() {
    let password = |url| parse(&[("DATABASE_URL", url)]).expect("is right").url.password();
    assert_eq!(password("postgres://u:a%40b@h/d").as_deref(), Some("a@b"));
    assert_eq!(password("postgres://u:old@h/d?password=new").as_deref(), Some("new"));
    assert_eq!(password("postgres:///d?host=/run/postgresql"), None);
}

#[test]
fn a_place_says_what_the_parameters_say() {
    let place = |url| parse(&[("DATABASE_URL", url)]).expect("is right").url.place();
    assert_eq!(place("postgres://u:p@h/d"), "h:5432/d");
    assert_eq!(place("postgres:///d?host=/run/postgresql"), "/run/postgresql:5432/d");
    assert_eq!(place("postgres://h/d?port=6543&dbname=e"), "h:6543/e");
    assert_eq!(place("mysql://u@localhost/d?socket=/run/mysqld.sock"), "/run/mysqld.sock:3306/d");
    assert_eq!(place("postgres://[::1]/d"), "[::1]:5432/d");
}

#[test]
fn parameters_that_people_bring_keep_their_meaning() {
    let settings = parse(&[(
        "DATABASE_URL",
        "postgres://u:p@h/d?connection_limit=5&pool_timeout=20&connect_timeout=0&pgbouncer=true&schema=app&sslmode=require",
    )])
    .expect("all known");
    assert_eq!(settings.pool_size, Some(5));
    assert_eq!(settings.acquire_timeout, Some(Duration::from_secs(20)));
    assert_eq!(settings.connect_timeout, Some(Duration::from_secs(86_400)));
    assert_eq!(settings.pooler, Pooler::PgBouncer);
    assert_eq!(settings.url.schema.as_deref(), Some("app"));
    assert_eq!(settings.url.expose(), "postgres://u:p@h/d?sslmode=require&port=5432");
}

#[test]
fn a_named_database_is_read_from_its_own_variable() {
    let settings = Settings::from_pairs([
        ("DATABASE_URL", "postgres://h/first"),
        ("ANALYTICS_DATABASE_URL", "postgres://h/second"),
    ]);
    let url =
        DatabaseUrl::from_settings(&settings.of_database(Some("analytics"))).expect("is right");
    assert_eq!(url.expect("is set").place(), "h:5432/second");
    assert!(
        DatabaseUrl::from_settings(&settings.of_database(Some("other")))
            .expect("is right")
            .is_none()
    );
}

#[test]
fn what_is_said_of_a_named_database_names_its_own_variables() {
    let settings = Settings::from_pairs([
        ("ANALYTICS_DATABASE_URL", "postgres://h/d?max_connection_lifetime=5"),
        ("ANALYTICS_DIRECT_DATABASE_URL", "postgres://h/d"),
    ]);
    let analytics = settings.of_database(Some("analytics"));
    let settings = DatabaseSettings::parse(&analytics, None).expect("is right");
    let direct = settings.direct_url.expect("is set");
    for url in [settings.url, direct] {
        assert_eq!(url.variable_of("DATABASE_POOLER"), "ANALYTICS_DATABASE_POOLER");
        let text = url.own_names("set DATABASE_POOL_SIZE or APP_INSTANCES");
        assert_eq!(text, "set ANALYTICS_DATABASE_POOL_SIZE or APP_INSTANCES");
    }
    let url = [("ANALYTICS_DATABASE_URL", "postgres://u@h/d?passfile=/x")];
    let analytics = Settings::from_pairs(url).of_database(Some("analytics"));
    let error = DatabaseSettings::parse(&analytics, None).expect_err("is refused").to_string();
    assert!(error.contains("set ANALYTICS_DATABASE_PASSWORD_FILE"), "{error}");
}

#[test]
fn a_variable_wins_over_a_parameter() {
    let settings = parse(&[
        ("DATABASE_URL", "postgres://h/d?connection_limit=5"),
        ("DATABASE_POOL_SIZE", "7"),
    ])
    .expect("both known");
    assert_eq!(settings.pool_size, Some(7));
}

/// URLs as platforms hand them out, each with its own parameters.
#[test]
fn urls_of_platforms_are_taken_as_they_are() {
    for url in [
        // Neon, direct and pooled.
        "postgresql://owner:hunter2@ep-cool-1.eu-central-1.aws.neon.tech/neondb?sslmode=require&channel_binding=require",
        "postgres://owner:hunter2@ep-cool-1-pooler.eu-central-1.aws.neon.tech/neondb?sslmode=require&options=endpoint%3Dep-cool-1",
        // Vercel and Supabase.
        "postgres://postgres.abc:hunter2@aws-0-eu.pooler.supabase.com:6543/postgres?sslmode=require&supa=base-pooler.x",
        "postgresql://postgres:hunter2@db.abc.supabase.co:5432/postgres",
        "postgresql://postgres.abc:hunter2@aws-0-eu.pooler.supabase.com:6543/postgres?pgbouncer=true&connection_limit=1",
        "postgres://postgres.abc:hunter2@aws-1-us-east-1.pooler.supabase.com:6543/postgres?workaround=supabase-pooler.vercel",
        // Prisma.
        "postgresql://u:hunter2@h:5432/d?schema=public&connection_limit=5&pool_timeout=10&socket_timeout=3&statement_cache_size=50&sslaccept=strict",
        "mysql://u:hunter2@aws.connect.psdb.cloud/d?sslaccept=strict",
        // PlanetScale for Node.
        "mysql://u:hunter2@aws.connect.psdb.cloud/d?ssl={\"rejectUnauthorized\":true}",
        // TiDB for Node, Prisma and Python.
        "mysql://a.root:hunter2@gateway01.eu-central-1.prod.aws.tidbcloud.com:4000/d?ssl={\"minVersion\":\"TLSv1.2\",\"rejectUnauthorized\":true}",
        "mysql://a.root:hunter2@gateway01.eu-central-1.prod.aws.tidbcloud.com:4000/d?sslaccept=strict",
        "mysql://a.root:hunter2@gateway01.eu-central-1.prod.aws.tidbcloud.com:4000/d?ssl_verify_cert=true&ssl_verify_identity=true",
        // CockroachDB, Timescale, Render, Railway.
        "postgresql://max:hunter2@free-tier.gcp-us-central1.cockroachlabs.cloud:26257/d?sslmode=verify-full&options=--cluster%3Dmy-1",
        "postgres://tsdbadmin:hunter2@a.b.tsdb.cloud.timescale.com:31234/tsdb?sslmode=require",
        "postgresql://app:hunter2@dpg-abc-a.frankfurt-postgres.render.com/app_db",
        "mysql://root:hunter2@mysql.railway.internal:3306/railway",
        // Heroku, its MySQL, DigitalOcean, Aiven, Azure.
        "postgres://u:hunter2@ec2-1-2-3-4.compute-1.amazonaws.com:5432/d",
        "mysql://u:hunter2@us-cdbr-east-06.cleardb.net/heroku_1?reconnect=true",
        "mysql://u:hunter2@h:25060/defaultdb?ssl-mode=REQUIRED",
        "postgres://avnadmin:hunter2@h.aivencloud.com:12345/defaultdb?sslmode=require",
        "postgres://me%40server:hunter2@server.postgres.database.azure.com:5432/postgres?sslmode=require&target_session_attrs=primary",
        // RDS and its proxy.
        "postgres://u:hunter2@db.abc.eu-west-1.rds.amazonaws.com:5432/d?sslmode=verify-full&sslrootcert=system",
        "postgres://u:hunter2@p.proxy-abc.eu-west-1.rds.amazonaws.com/d",
        // Cloud SQL, in the three ways that it is written.
        "postgresql://u:hunter2@/d?host=/cloudsql/project:region:instance",
        "postgresql://u:hunter2@%2Fcloudsql%2Fproject%3Aregion%3Ainstance/d",
        "mysql://u:hunter2@/d?unix_socket=/cloudsql/project:region:instance",
        // Other tools' habits.
        "postgres://u:hunter2@h/d?ssl=true",
        "postgres://u:hunter2@h/d?sslmode=no-verify&uselibpqcompat=true",
        "postgres://u:hunter2@h/d?gssencmode=disable&keepalives=1&keepalives_idle=30&client_encoding=utf8",
        "mysql://u:hunter2@h/d?tls=skip-verify&parseTime=true&loc=UTC",
        "mysql://u:hunter2@h/d?serverVersion=8.0.32&charset=utf8mb4",
        "\n postgres://u:hunter2@h/d \n",
    ] {
        let parsed = parse(&[("DATABASE_URL", url)]);
        assert!(parsed.is_ok(), "{url}: {}", parsed.unwrap_err());
    }
}

#[test]
fn what_a_parameter_asks_for_is_done_or_said() {
    let url = |url| parse(&[("DATABASE_URL", url)]).expect("is right").url;
    let mode = |text| {
        let text = url(text).expose().to_owned();
        let modes = text.split(['?', '&']).filter_map(|pair| pair.strip_prefix("sslmode="));
        modes.map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    for (text, expected) in [
        ("postgres://u@h/d", "prefer"),
        ("postgres://u@h/d?ssl=true", "require"),
        ("postgres://u@h/d?ssl=false", "disable"),
        ("postgres://u@h/d?ssl=true&sslmode=verify-ca", "verify-ca"),
        ("postgres://u@h/d?sslmode=no-verify", "require"),
        ("postgres://u@h/d?sslmode=require&sslaccept=strict", "verify-full"),
        ("postgres://u@h/d?sslaccept=accept_invalid_certs", "prefer"),
        ("mysql://u@h/d", ""),
        ("mysql://u@h/d?sslMode=VERIFY_CA", "verify_ca"),
        ("mysql://u@h/d?ssl_mode=REQUIRED", "required"),
        ("mysql://u@h/d?sslaccept=strict", "verify_identity"),
        ("mysql://u@h/d?ssl={\"rejectUnauthorized\":false}", "required"),
        ("mysql://u@h/d?tls=true", "verify_identity"),
        ("mysql://u@h/d?ssl={\"minVersion\":\"TLSv1.2\"}", "verify_identity"),
        ("mysql://u@h/d?ssl_verify_cert=true&ssl_verify_identity=false", "verify_ca"),
        ("mysql://u@h/d?ssl_verify_identity=true&ssl_verify_cert=true", "verify_identity"),
        ("postgres://u@h/d?ssl=no-verify", "require"),
        ("postgres://u@h/d?ssl=verify-full", "verify-full"),
        ("mysql://u@h/d?tls=skip-verify", "required"),
        ("mysql://u@h/d?tls=false", "disabled"),
    ] {
        assert_eq!(mode(text), expected, "{text}");
    }
    let ignored = |text| format!("{:?}", url(text).ignored);
    assert!(ignored("postgres://u@h/d?channel_binding=require").contains("verify-full"));
    assert!(ignored("postgres://u@h/d?target_session_attrs=read-write").contains("one host"));
    assert_eq!(ignored("postgres://u@h/d?sslmode=require"), "[]");
}

#[test]
fn what_is_not_done_is_refused_with_what_to_write() {
    for (url, expected) in [
        ("postgres://u@h1:5432,h2:5432/d", "names several hosts; name one"),
        ("postgres://u:p@h1,h2/d?target_session_attrs=read-write", "names several hosts; name one"),
        ("postgres:///d?host=h1,h2&user=u", "names several hosts; name one"),
        ("postgres://u@h/d?target_session_attrs=standby", "name the standby itself"),
        ("postgres://u@h/d?require_auth=scram-sha-256", "leave it out"),
        ("postgres://u@h/d?gssencmode=require", "write sslmode=verify-full"),
        ("postgres://u@h/d?passfile=/x", "set DATABASE_PASSWORD_FILE"),
        ("postgres://u@h/d?service=shop", "write host, port, user and database"),
        ("postgres://u@h/d?client_encoding=latin1", "speaks UTF-8 alone"),
        ("postgres://u@h/d?pool=5", "write connection_limit"),
        ("postgres://u@h/d?statement_timeout=5000", "write options[statement_timeout]"),
        ("mysql://u@h/d?useSSL=true", "write ssl-mode"),
        ("mysql://u@h/d?allowCleartextPasswords=true", "give Db::builder a source of passwords"),
        ("postgres://u:p@h:port/d", "the port must be a number"),
        ("postgres://u:p@2001:db8::1/d", "an IPv6 address belongs in brackets"),
        ("sqlite:a.db?mode=readonly", "parameter mode: expected ro, rw, rwc, memory"),
        ("sqlite:", "names no file"),
        ("sqlite://", "names no file"),
        ("sqlite::memory:?cache=private", "a database in memory of its own"),
    ] {
        let error = parse(&[("DATABASE_URL", url)]).expect_err(url).to_string();
        assert!(error.starts_with("DATABASE_URL: ") && error.contains(expected), "{url}: {error}");
    }
    // A name that is similar to no parameter gets no suggestion.
    for (url, expected) in [
        (
            "postgres://u@h/d?foo=1",
            "unknown parameter \"foo\"; remove it, or write options[foo] if it is a setting of the server",
        ),
        ("mysql://u@h/d?x=1", "unknown parameter \"x\"; remove it"),
        ("postgres://u@h/d?sslmod=require", "unknown parameter \"sslmod\"; did you mean sslmode?"),
    ] {
        refused(&[("DATABASE_URL", url)], &format!("DATABASE_URL: {expected}"));
    }
}

#[test]
fn what_is_pasted_instead_of_a_url_is_named() {
    for (text, expected) in [
        ("\"postgres://u:hunter2@h/d\"", "is in quotes"),
        ("'postgres://u:hunter2@h/d'", "is in quotes"),
        ("postgres://u:hunter2@h/d\"", "is in quotes"),
        ("`postgres://u:hunter2@h/d`", "is in quotes"),
        ("psql 'postgresql://u:hunter2@h/d?sslmode=require'", "begins with psql"),
        ("psql postgresql://u:hunter2@h/d", "begins with psql"),
        ("DATABASE_URL=postgres://u:hunter2@h/d", "begins with a name and ="),
        ("DATABASE_URL='postgres://u:hunter2@h/d", "begins with a name and ="),
        ("export DATABASE_URL=postgres://u:hunter2@h/d", "begins with a name and ="),
        ("URL=sqlite:notes.db", "begins with a name and ="),
        ("host=h user=u password=hunter2 dbname=d", "is a list of keywords"),
        ("${DATABASE_URL}", "has a reference"),
        ("$DATABASE_URL", "has a reference"),
        ("postgres://u:${PASSWORD}@h/d", "has a reference"),
        ("postgres://u:{{ password }}@h/d", "has a reference"),
        (
            "postgresql://postgres:[YOUR-PASSWORD]@db.abc.supabase.co:5432/postgres",
            "has a placeholder",
        ),
        ("postgresql://postgres:%5BYOUR-PASSWORD%5D@h/d", "has a placeholder"),
        ("postgres://u:<password>@h/d", "has a placeholder"),
        ("postgres://u:YOUR_PASSWORD@h/d", "has a placeholder"),
        ("postgres://u:************@h/d", "has the password hidden"),
        ("jdbc:postgresql://h/d?user=u&password=hunter2", "is a URL of Java's JDBC"),
        ("postgresql+asyncpg://u:hunter2@h/d", "write postgres://"),
        ("mysql2://u:hunter2@h/d", "write mysql://"),
        ("mysql+pymysql://u:hunter2@h/d", "write mysql://"),
        ("prisma+postgres://accelerate.prisma-data.net/?api_key=hunter2", "Prisma's own service"),
        ("file:./dev.db", "write sqlite:"),
        ("postgre://u:hunter2@h/d", "write postgres://"),
    ] {
        let error = parse(&[("DATABASE_URL", text)]).expect_err(text).to_string();
        assert!(error.starts_with("DATABASE_URL: ") && error.contains(expected), "{text}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    // A password may look like many things.
    for url in [
        "postgres://u:password@h/d",
        "postgres://u:pa$$word@h/d",
        "postgres://u:a=b:c*@h/d",
        "postgres://u:p@ss@h/d",
        "postgres://u:[hunter2]@h/d",
        "sqlite:a=b.db",
    ] {
        let parsed = parse(&[("DATABASE_URL", url)]);
        assert!(parsed.is_ok(), "{url}: {}", parsed.unwrap_err());
    }
}

#[test]
fn poolers_are_known_by_the_names_of_their_hosts() {
    fn pooler(url: &str, more: &[(&str, &str)]) -> Pooler {
        let mut pairs = vec![("DATABASE_URL", url)];
        pairs.extend(more);
        parse(&pairs).expect("is right").pooler
    }
    let neon = "postgres://u:p@ep-a-1-pooler.eu-central-1.aws.neon.tech/d";
    assert_eq!(pooler(neon, &[]), Pooler::PgBouncerPrepared);
    assert_eq!(pooler(neon, &[("DATABASE_POOLER", "none")]), Pooler::None);
    assert_eq!(pooler("postgres://u:p@ep-a-1.eu-central-1.aws.neon.tech/d", &[]), Pooler::None);
    let supabase = "postgres://u:p@aws-0-eu.pooler.supabase.com";
    assert_eq!(pooler(&format!("{supabase}:6543/d"), &[]), Pooler::PgBouncer);
    assert_eq!(pooler(&format!("{supabase}:5432/d"), &[]), Pooler::None);
    let vercel = "postgres://u:p@ep-a-1-pooler.us-east-1.postgres.vercel-storage.com/d";
    assert_eq!(pooler(vercel, &[]), Pooler::PgBouncerPrepared);
    for beside in ["s.postgres.database.azure.com", "us-east-3.pg.psdb.cloud"] {
        assert_eq!(pooler(&format!("postgres://u:p@{beside}:6432/d"), &[]), Pooler::PgBouncer);
        assert_eq!(pooler(&format!("postgres://u:p@{beside}/d"), &[]), Pooler::None);
    }
    let proxy = "mysql://u:p@p.proxy-a1.eu-west-1.rds.amazonaws.com/d";
    assert_eq!(pooler(proxy, &[]), Pooler::RdsProxy);
}

#[test]
fn a_file_of_sqlite_is_found_as_the_driver_finds_it() {
    let place = |url| parse(&[("DATABASE_URL", url)]).expect("is right").url.place();
    assert_eq!(place("sqlite:notes.db?mode=rwc"), "notes.db");
    assert_eq!(place("sqlite://notes.db"), "notes.db");
    assert_eq!(place("sqlite:///var/lib/a%20b.db?mode=ro"), "/var/lib/a b.db");
    let memory = |url| parse(&[("DATABASE_URL", url)]).expect("is right").url.memory().is_some();
    for url in [
        "sqlite::memory:",
        "sqlite://:memory:",
        "sqlite:x?mode=memory",
        "sqlite:file::memory:?cache=shared",
    ] {
        assert!(memory(url), "{url}");
    }
    assert!(!memory("sqlite:memory.db"));
}
