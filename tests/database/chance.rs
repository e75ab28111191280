//! Statements and errors at random inside transactions: what COMMIT said is what another connection sees.

use std::collections::BTreeSet;

use anyhost_core::Paradigm;
use anyhost_tests::servers::{MariaDb, Postgres};
use sqlx::AssertSqlSafe;

use crate::kit::{long_running, open};
use crate::transactions::sqlite;

const ROUNDS: i64 = 150;

/// The expected effects of a transaction so far.
#[derive(Clone, Default)]
struct Expectation {
    rows: BTreeSet<i64>,
    /// The expected effects at each savepoint, the latest last.
    savepoints: Vec<BTreeSet<i64>>,
}

impl Expectation {
    /// Takes note of a statement that answered Ok.
    fn note(&mut self, step: Step, key: i64) {
        match step {
            Step::Insert => drop(self.rows.insert(key)),
            Step::Savepoint => self.savepoints.push(self.rows.clone()),
            Step::RollbackTo => self.rows.clone_from(self.savepoints.last().unwrap()),
            Step::Release => drop(self.savepoints.pop()),
            Step::Fails(_) => panic!("it should have failed"),
            Step::Reads | Step::Ends(_) => {}
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Insert,
    Savepoint,
    RollbackTo,
    Release,
    Reads,
    Fails(&'static str),
    Ends(&'static str),
}

impl Step {
    fn at_random(
        random: &mut fastrand::Rng,
        believed: &Expectation,
        failures: &[&'static str],
    ) -> Self {
        match random.u8(..100) {
            0..35 => Self::Insert,
            35..50 => Self::Savepoint,
            50..65 if !believed.savepoints.is_empty() => Self::RollbackTo,
            65..72 if !believed.savepoints.is_empty() => Self::Release,
            72..80 => Self::Reads,
            80..83 => Self::Ends(random.choice(["COMMIT", "ROLLBACK"]).unwrap()),
            _ => Self::Fails(random.choice(failures).unwrap()),
        }
    }

    fn text(self, key: i64, depth: usize) -> String {
        match self {
            Self::Insert => format!("INSERT INTO t VALUES ({key})"),
            Self::Savepoint => format!("SAVEPOINT s{depth}"),
            Self::RollbackTo => format!("ROLLBACK TO SAVEPOINT s{}", depth - 1),
            Self::Release => format!("RELEASE SAVEPOINT s{}", depth - 1),
            Self::Reads => "SELECT * FROM t".into(),
            Self::Fails(text) | Self::Ends(text) => text.into(),
        }
    }
}

/// Runs transactions at random on one database and looks at what is left of each by another.
macro_rules! commit_tells_the_truth {
    ($db:expr, $other:expr, $failures:expr) => {{
        sqlx::raw_sql("CREATE TABLE t (a BIGINT PRIMARY KEY)").execute(&$db).await.unwrap();
        sqlx::raw_sql("INSERT INTO t VALUES (-1)").execute(&$db).await.unwrap();
        let mut there = BTreeSet::from([-1_i64]);
        let (mut committed, mut refused) = (0, 0);
        for seed in 0..ROUNDS {
            let mut random = fastrand::Rng::with_seed(seed.unsigned_abs());
            let mut tx = $db.begin().await.unwrap();
            let mut believed = Expectation::default();
            // The effects so far, if a statement may itself have committed the transaction.
            let mut before_end = None;
            let mut steps = Vec::new();
            for number in 0..random.i64(1..10) {
                let step = Step::at_random(&mut random, &believed, $failures);
                let key = seed * 100 + number;
                let text = step.text(key, believed.savepoints.len());
                let outcome = if random.bool() {
                    let text = AssertSqlSafe(text.clone());
                    sqlx::raw_sql(text).execute(&mut *tx).await.map(drop)
                } else {
                    let text = AssertSqlSafe(text.clone());
                    sqlx::query(text).persistent(random.bool()).execute(&mut *tx).await.map(drop)
                };
                steps.push(format!("{text}: {outcome:?}"));
                if outcome.is_ok() {
                    assert!(before_end.is_none(), "it ran without a transaction: {steps:#?}");
                    believed.note(step, key);
                }
                if let (Step::Ends(text), Ok(())) = (step, &outcome) {
                    before_end = Some((text, believed.clone()));
                }
            }
            let outcome = if random.u8(..10) == 0 {
                drop(tx);
                None
            } else {
                Some(tx.commit().await)
            };
            let seen: Vec<i64> =
                sqlx::query_scalar("SELECT a FROM t").fetch_all(&$other).await.unwrap();
            let seen = BTreeSet::from_iter(seen);
            let all = |believed: &Expectation| there.union(&believed.rows).copied().collect();
            let said = format!("seed {seed}, {outcome:?}: {steps:#?}");
            match (&outcome, &before_end) {
                (Some(Ok(())), None) => assert_eq!(seen, all(&believed), "{said}"),
                (Some(Ok(())), Some(_)) => panic!("it was over: {said}"),
                // PostgreSQL answers COMMIT in text of a transaction that has failed with Ok too.
                (_, Some(("COMMIT", kept))) => {
                    assert!(seen == there || seen == all(kept), "{said}");
                }
                (_, _) => assert_eq!(seen, there, "{said}"),
            }
            committed += usize::from(matches!(outcome, Some(Ok(()))));
            refused += usize::from(matches!(outcome, Some(Err(_))));
            there = seen;
        }
        (committed, refused)
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_commit_tells_the_truth_whatever_happened() {
    let url = Postgres::shared().database();
    let (db, other) = (long_running(&url, 2).await, long_running(&url, 1).await);
    let (committed, refused) = commit_tells_the_truth!(
        db,
        other,
        &[
            "INSERT INTO t VALUES (-1)",
            "SELECT count(*) FROM t FOR UPDATE",
            "FROBNICATE",
            "SELECT 1 / 0",
            "DO $$ BEGIN RAISE 'made up' USING ERRCODE = '08006'; END $$",
            "DO $$ BEGIN RAISE 'made up' USING ERRCODE = '57P01'; END $$",
            "DO $$ BEGIN RAISE 'made up' USING ERRCODE = '25006'; END $$",
        ]
    );
    assert!(committed > 20 && refused > 20, "{committed} and {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_commit_tells_the_truth_whatever_happened() {
    let url = MariaDb::shared().database();
    let settings = [("DATABASE_POOL_SIZE", "2")];
    let (_host, db) = open::<sqlx::MySql>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    let (_host, other) = open::<sqlx::MySql>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    let undone = "CREATE PROCEDURE undone() BEGIN ROLLBACK; \
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'made up'; END";
    sqlx::raw_sql(undone).execute(&db).await.unwrap();
    let (committed, refused) = commit_tells_the_truth!(
        db,
        other,
        &[
            "INSERT INTO t VALUES (-1)",
            "FROBNICATE",
            "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1205, MESSAGE_TEXT = 'made up'",
            "INSERT INTO t VALUES ('a number')",
            "SELECT 1 FROM nowhere",
            "CALL undone()",
        ]
    );
    assert!(committed > 20 && refused > 10, "{committed} and {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_commit_tells_the_truth_whatever_happened() {
    let (folder, db) = sqlite().await;
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let (_host, other) = open::<sqlx::Sqlite>(Paradigm::LongRunning, &url, &[]).await.unwrap();
    let (committed, refused) = commit_tells_the_truth!(
        db,
        other,
        &[
            "INSERT INTO t VALUES (-1)",
            "INSERT OR ROLLBACK INTO t VALUES (-1)",
            "INSERT OR FAIL INTO t VALUES (-1)",
            "FROBNICATE",
            "SELECT 1 FROM nowhere",
            "BEGIN",
        ]
    );
    assert!(committed > 20 && refused > 10, "{committed} and {refused}");
}
