//! The end of a page: what was assumed, and where each price is from.

use crate::answer::Answer;
use crate::report::chart::escape;
use crate::text::{count, duration, percent};

pub(crate) fn sources(answer: &Answer) -> String {
    let inputs = &answer.inputs;
    let database = inputs.database.as_ref().map_or("It has no database.".to_owned(), |database| {
        let pooler = database.server_connections.map_or(String::new(), |server| {
            format!(", behind a pooler with {server} server connections")
        });
        format!(
            "The database takes {} connections, {} of them reserved{pooler}.",
            database.max_connections, database.reserved
        )
    });
    let prices = answer.candidates.iter().filter_map(|candidate| {
        let run = candidate.run.as_ref()?;
        let assumed = run.bill.lines.iter().filter(|line| line.assumed);
        let assumed = assumed.map(|line| line.assumed_price()).collect::<Vec<_>>().join(", ");
        (!assumed.is_empty())
            .then(|| format!("<li>{}: {}</li>", escape(&candidate.short), escape(&assumed)))
    });
    let prices = prices.collect::<String>();
    let prices = if prices.is_empty() {
        String::new()
    } else {
        format!(
            "<details><summary>Prices that are assumed, not read from a list</summary><ul>{prices}</ul></details>"
        )
    };
    format!(
        "<section><h2>What was assumed</h2><p>A request takes {} on average on a free processor ({} of it with a database \
         connection, {} computing); the App needs {} GB and starts in {}. {database} Requests inside an interval of {} are \
         evenly spread; a share of a processor is a quota of each period.</p>{prices}\
         <p class=\"note\">Every parameter and price with its source and date is in the planner's data folder.</p></section>",
        duration(inputs.service.mean),
        percent(inputs.database_share),
        percent(inputs.processor_share),
        count(inputs.memory_gb),
        duration(inputs.start),
        duration(answer.interval),
    )
}
