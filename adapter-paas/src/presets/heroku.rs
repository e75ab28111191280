//! Heroku, <https://devcenter.heroku.com/articles/dynos>.

use std::time::Duration;

use crate::preset::{Preset, has};

/// SIGTERM goes to every process of the dyno, SIGKILL follows after 30 seconds (R12). The router gives up
/// on a request whose first byte takes 30 seconds (H12) without telling the dyno. It adds the
/// client to the right of `X-Forwarded-For`, <https://devcenter.heroku.com/articles/http-routing>.
pub(super) const PRESET: Preset = Preset {
    name: "heroku",
    is: |settings| has(settings, "DYNO"),
    grace: Duration::from_secs(25),
    // Heroku Postgres requires TLS with a self-signed certificate; its URL has no `sslmode`.
    database_tls: true,
    request_timeout: Some(Duration::from_secs(29)),
    instance: &["HEROKU_DYNO_ID", "DYNO"],
    trusted: &["x-forwarded-for", "x-forwarded-proto", "x-request-id"],
    ..Preset::BASE
};
