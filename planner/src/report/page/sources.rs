//! The end of a page: what was assumed, and where each figure is from.

use crate::comparison::Comparison;
use crate::model::{Catalog, Host};
use crate::report::chart::escape;
use crate::text::{count, duration, percent};
use crate::workload::Workload;

pub(crate) fn sources(catalog: &Catalog, comparison: &Comparison, workload: &Workload) -> String {
    let shown = catalog.hosts().iter().filter(|host| comparison.candidate(&host.name).is_some());
    let prices = shown.flat_map(prices).collect::<String>();
    let database = &workload.database;
    format!(
        "<section><h2>What was assumed</h2><p>A request takes {} on average on a free processor ({} of it with a database \
         connection, {} computing); the App needs {} GB and starts in {}. The database takes {} connections, {} of them \
         reserved. Traffic inside an interval is random, not bursty; the database itself never gets slower; a \
         processor that is not whole is a slower one.</p>\
         <details><summary>Prices, with the day on which each was the list price</summary><ul>{prices}</ul></details>\
         <p class=\"note\">Every parameter with its source and date is in the planner's data/hosts.toml.</p></section>",
        duration(workload.service.mean()),
        percent(workload.database_share),
        percent(workload.processor_share),
        count(workload.memory_gb),
        duration(workload.start),
        count(database.limit() as f64),
        database.reserved,
    )
}

fn prices(host: &Host) -> Vec<String> {
    let lines = host.prices.iter().map(|(what, price)| {
        format!(
            "<li>{}, {}: ${} <small>{}, {}; {}</small></li>",
            escape(&host.short),
            escape(what),
            super::plain(price.usd),
            escape(&price.region),
            price.valid_on.map(|date| date.to_string()).unwrap_or_default(),
            escape(&price.source)
        )
    });
    lines.collect()
}
