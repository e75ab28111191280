//! The connection strategy on real servers: what a pool of database connections must survive.

use anyhost_tests::servers::Postgres;

#[test]
fn a_server_starts_stops_and_starts_again_with_its_data() {
    let server = Postgres::start(&["max_connections=17"]);
    assert_eq!(server.sql("SHOW max_connections"), "17");
    server.sql("CREATE TABLE kept (a int)");
    server.crash();
    server.restart();
    assert_eq!(server.sql("SELECT count(*) FROM kept"), "0");
}
