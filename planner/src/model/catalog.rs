//! All hosts that are known, read from TOML and checked.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

use super::{Balancing, Fleet, Functions, Host, Model, Price, Scaling, Size, Sourced};

/// The data that comes with the planner.
const BUILT_IN: &str = include_str!("../../data/hosts.toml");

/// All hosts that are known.
#[derive(Clone, Debug)]
pub struct Catalog {
    hosts: Vec<Host>,
}

/// Why a file of hosts is refused, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct CatalogError {
    /// The file.
    pub file: String,
    /// What is wrong, with the host and the name.
    pub reason: String,
}

impl Catalog {
    /// The hosts that come with the planner.
    ///
    /// # Panics
    /// Never: a test reads the same data.
    #[must_use]
    pub fn built_in() -> Self {
        Self::parse("hosts.toml", BUILT_IN).expect("the data is checked by a test")
    }

    /// Reads hosts from a text.
    ///
    /// # Errors
    /// [`CatalogError`] for unknown or missing fields, a price without a date, a number out of bounds.
    pub fn parse(file: &str, text: &str) -> Result<Self, CatalogError> {
        let fault = |reason: String| CatalogError {
            file: file.into(),
            reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
        };
        let table = text.parse::<Table>().map_err(|error| fault(error.to_string()))?;
        let Some(Value::Array(entries)) = table.get("host") else {
            return Err(fault("expected [[host]]".into()));
        };
        let mut raw: BTreeMap<String, Table> = BTreeMap::new();
        let mut hosts = Vec::new();
        for entry in entries {
            let entry = entry.as_table().ok_or_else(|| fault("expected [[host]]".into()))?;
            let name = entry.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let fault = |reason: String| fault(format!("host {name}: {reason}"));
            let mut merged = match entry.get("like").and_then(Value::as_str) {
                Some(like) => raw.get(like).cloned().ok_or_else(|| {
                    fault(format!("is like {like}, which does not stand before it"))
                })?,
                None => Table::new(),
            };
            merge(&mut merged, entry);
            merged.remove("like");
            if name.is_empty() || raw.insert(name.clone(), merged.clone()).is_some() {
                return Err(fault("every host has a name of its own".into()));
            }
            let entry = Value::Table(merged).try_into::<Entry>();
            let host = entry.map_err(|error| error.to_string()).and_then(Entry::host);
            hosts.push(host.map_err(fault)?);
        }
        Ok(Self { hosts })
    }

    /// The hosts, in the order of the file.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The host with a name.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == name)
    }
}

/// A host as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    title: String,
    short: String,
    #[serde(default)]
    note: String,
    kind: String,
    sizes: Option<Vec<Size>>,
    balancing: Option<Balancing>,
    scaling: Option<Scaling>,
    parameters: Table,
    prices: BTreeMap<String, Price>,
}

impl Entry {
    fn host(mut self) -> Result<Host, String> {
        for (name, price) in &self.prices {
            if price.valid_on.is_none() {
                return Err(format!(
                    "price {name} has no valid_on: a price without a date is none"
                ));
            }
            if !(price.usd.is_finite() && price.usd >= 0.0) {
                return Err(format!("price {name} must be 0 or more"));
            }
        }
        for (name, parameter) in &self.parameters {
            if let Ok(Sourced { value, .. }) = parameter.clone().try_into()
                && !(value.is_finite() && value >= 0.0)
            {
                return Err(format!("parameter {name} must be 0 or more"));
            }
        }
        let parameters = Value::Table(std::mem::take(&mut self.parameters));
        let model = match (
            self.kind.as_str(),
            self.sizes.take(),
            self.balancing.take(),
            self.scaling.take(),
        ) {
            ("fleet", Some(sizes), Some(balancing), Some(scaling)) if !sizes.is_empty() => {
                let parameters = parameters.try_into().map_err(|error| error.to_string())?;
                Model::Fleet(Fleet { sizes, balancing, scaling, parameters })
            }
            ("fleet", ..) => return Err("a fleet needs sizes, balancing and scaling".into()),
            ("functions", None, None, None) => {
                let functions = Functions {
                    parameters: parameters.try_into().map_err(|error| error.to_string())?,
                };
                let ordered = |measured: &super::Measured| measured.distribution().is_some();
                if !ordered(&functions.parameters.cold_start_ms)
                    || !ordered(&functions.parameters.init_ms)
                {
                    return Err("quantiles must rise from probability 0 to 1".into());
                }
                Model::Functions(functions)
            }
            ("functions", ..) => return Err("functions have no sizes, balancing or scaling".into()),
            (other, ..) => return Err(format!("kind must be fleet or functions, found {other}")),
        };
        let Self { name, title, short, note, prices, .. } = self;
        Ok(Host { name, title, short, note, model, prices })
    }
}

/// Puts the values of a table over those of another; tables of names are put together, values replaced.
fn merge(base: &mut Table, over: &Table) {
    for (name, value) in over {
        match (base.get_mut(name), value) {
            (Some(Value::Table(base)), Value::Table(over))
                if matches!(name.as_str(), "parameters" | "prices" | "scaling") =>
            {
                merge(base, over);
            }
            _ => {
                base.insert(name.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_the_planner_is_sound() {
        let catalog = Catalog::parse("hosts.toml", BUILT_IN).expect("sound");
        assert!(catalog.hosts().len() >= 8);
        let prices = |name: &str| catalog.host(name).expect("known").prices.len();
        assert_eq!(prices("lambda-http-api"), prices("lambda") + 1);
    }

    #[test]
    fn a_price_without_a_date_is_refused() {
        let undated = BUILT_IN.replacen("valid_on = 2026-10-01, ", "", 1);
        let error = Catalog::parse("my.toml", &undated).expect_err("undated").to_string();
        assert_eq!(
            error,
            "my.toml: host lambda: price requests has no valid_on: a price without a date is none"
        );
    }

    #[test]
    fn what_is_wrong_is_one_line_with_the_host() {
        for (right, wrong) in [
            ("burst_seconds = ", "burst_secs = "),
            ("balancing = \"random\"", "balancing = \"sticky\""),
            ("value = 360, source", "value = 360, sauce"),
            ("value = 360, source", "value = -360, source"),
            ("kind = \"functions\"", "kind = \"magic\""),
            ("like = \"lambda\"", "like = \"lambada\""),
            ("[0, 120], [0.05, 157]", "[0, 120], [0.05, 17]"),
        ] {
            let text = BUILT_IN.replacen(right, wrong, 1);
            assert_ne!(text, BUILT_IN, "{right} is in the data");
            let error = Catalog::parse("my.toml", &text).expect_err(wrong).to_string();
            assert!(error.starts_with("my.toml: host ") && !error.contains('\n'), "{error}");
        }
    }
}
