//! All known hosts, read from TOML and checked, with the prices of one region.
//! Long because the faults of a file are tested beside the reader.

use std::collections::BTreeMap;

use anyhost_core::Paradigm;
use serde::Deserialize;
use toml::{Table, Value};

use super::{
    Balancing, BillItem, BillLine, Burst, Fleet, Functions, Host, ItemPrice, Model, Per, Price,
    REGIONS, Scaling, Size, Sourced, prices,
};

const BUILT_IN: &str = include_str!("../../data/hosts.toml");

/// All known hosts, with the prices of one region.
#[derive(Clone, Debug)]
pub struct Catalog {
    hosts: Vec<Host>,
    region: String,
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
    /// The built-in hosts with the prices of the default region.
    ///
    /// # Panics
    /// Never: a test reads the same data.
    #[must_use]
    pub fn built_in() -> Self {
        Self::read(REGIONS[0], None).expect("a test reads the built-in data")
    }

    /// The built-in hosts with the prices of a region, and the hosts of a file added to them: a file's host replaces the
    /// built-in one of the same name.
    ///
    /// # Errors
    /// [`CatalogError`] for an unknown region, unknown or missing fields, a price without a date, a number out of bounds.
    pub fn read(region: &str, own: Option<(&str, &str)>) -> Result<Self, CatalogError> {
        let own = own.into_iter();
        Self::from_files(region, std::iter::once(("hosts.toml", BUILT_IN)).chain(own))
    }

    /// The hosts of a text alone, with the prices that it brings and those of the default region.
    ///
    /// # Errors
    /// As [`Catalog::read`].
    pub fn parse(file: &str, text: &str) -> Result<Self, CatalogError> {
        Self::from_files(REGIONS[0], [(file, text)])
    }

    fn from_files<'a>(
        region: &str,
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, CatalogError> {
        let Some(lists) = prices::built_in(region) else {
            let reason = format!("no price list; there are {}", REGIONS.join(", "));
            return Err(CatalogError { file: format!("region {region}"), reason });
        };
        let mut reader = Reader { region: region.into(), ..Reader::default() };
        for list in lists {
            let prices = prices::parse(list);
            reader.prices.extend(prices.map_err(|reason| fault("the price list", &reason))?);
        }
        for (file, text) in files {
            reader.add(file, text)?;
        }
        Ok(Self { hosts: reader.hosts, region: region.into() })
    }

    /// The hosts, in the order of the file.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The region whose prices these are.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The host with a name.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == name)
    }
}

fn fault(file: &str, reason: &str) -> CatalogError {
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    CatalogError { file: file.into(), reason }
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    region: String,
    prices: BTreeMap<String, Price>,
    raw: BTreeMap<String, Table>,
    hosts: Vec<Host>,
}

impl Reader {
    fn add(&mut self, file: &str, text: &str) -> Result<(), CatalogError> {
        let table = text.parse::<Table>().map_err(|error| fault(file, &error.to_string()))?;
        if let Some(prices) = table.get("price") {
            let list = prices.clone().try_into::<BTreeMap<String, Price>>();
            for (name, mut price) in list.map_err(|error| fault(file, &error.to_string()))? {
                prices::check(&name, &price).map_err(|reason| fault(file, &reason))?;
                if price.region.is_empty() {
                    price.region.clone_from(&self.region);
                }
                self.prices.insert(name, price);
            }
        }
        let Some(Value::Array(entries)) = table.get("host") else {
            return Err(fault(file, "expected [[host]]"));
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.as_table().ok_or_else(|| fault(file, "expected [[host]]"))?;
            let name = entry.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let fault = |reason: String| fault(file, &format!("host {name}: {reason}"));
            let mut merged = match entry.get("like").and_then(Value::as_str) {
                Some(like) => self.raw.get(like).cloned().ok_or_else(|| {
                    fault(format!("is like {like}, which does not stand before it"))
                })?,
                None => Table::new(),
            };
            merge(&mut merged, entry);
            merged.remove("like");
            if name.is_empty() || names.contains(&name) {
                return Err(fault("every host has a name of its own".into()));
            }
            names.push(name.clone());
            self.raw.insert(name.clone(), merged.clone());
            let entry = Value::Table(merged).try_into::<Entry>();
            let host = entry.map_err(|error| error.to_string());
            let host = host.and_then(|entry| entry.host(&self.prices, &self.region));
            let host = host.map_err(fault)?;
            match self.hosts.iter_mut().find(|known| known.name == name) {
                Some(known) => *known = host,
                None => self.hosts.push(host),
            }
        }
        Ok(())
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
    #[serde(default)]
    serverless: bool,
    #[serde(default)]
    interruptible: bool,
    #[serde(default)]
    in_vpc: bool,
    sizes: Option<Vec<SizeEntry>>,
    balancing: Option<Balancing>,
    scaling: Option<Scaling>,
    parameters: Table,
    #[serde(default)]
    bill: BTreeMap<String, ItemEntry>,
    minimum: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SizeEntry {
    #[serde(default)]
    name: String,
    cores: f64,
    memory_gb: f64,
    baseline_cores: Option<f64>,
    burst_seconds: Option<f64>,
    price: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemEntry {
    line: BillLine,
    per: Per,
    /// The name of a price, `size`, or `none`.
    price: String,
    #[serde(default)]
    free: f64,
}

impl Entry {
    fn host(self, prices: &BTreeMap<String, Price>, region: &str) -> Result<Host, String> {
        let mut unpriced = None;
        let mut price = |name: &str| {
            let found = prices.get(name).cloned();
            if found.is_none() && unpriced.is_none() {
                unpriced = Some(format!("the price list of {region} has no price {name}"));
            }
            found
        };
        let mut sizes = Vec::new();
        for size in self.sizes.unwrap_or_default() {
            let SizeEntry { name, cores, memory_gb, baseline_cores, burst_seconds, price: own } =
                size;
            if !(cores > 0.0 && memory_gb > 0.0) {
                return Err("a size has processors and memory above 0".into());
            }
            let price = own.and_then(|own| price(&own));
            let burst =
                baseline_cores.map(|cores| Burst { cores, seconds: burst_seconds.unwrap_or(0.0) });
            sizes.push(Size { name, cores, memory_gb, burst, price });
        }
        let mut bill = Vec::new();
        for (what, ItemEntry { line, per, price: own, free }) in self.bill {
            let price = match own.as_str() {
                "size" => Some(ItemPrice::BySize),
                // Takes away what the host that it is like pays for.
                "none" => None,
                own => price(own).map(ItemPrice::Fixed),
            };
            bill.extend(price.map(|price| BillItem { what, line, per, price, free }));
        }
        let minimum = self.minimum.and_then(|own| price(&own));
        for (name, parameter) in &self.parameters {
            if let Ok(Sourced { value, .. }) = parameter.clone().try_into()
                && !(value.is_finite() && value >= 0.0)
            {
                return Err(format!("parameter {name} must be 0 or more"));
            }
        }
        let parameters = Value::Table(self.parameters);
        let model = match (self.kind.as_str(), self.balancing, self.scaling) {
            ("fleet", Some(balancing), Some(scaling)) if !sizes.is_empty() => {
                let parameters = parameters.try_into().map_err(|error| error.to_string())?;
                Model::Fleet(Fleet { sizes, balancing, scaling, parameters })
            }
            ("fleet", ..) => return Err("a fleet needs sizes, balancing and scaling".into()),
            ("functions", None, None) if sizes.is_empty() => {
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
        let serverless = self.serverless || matches!(model, Model::Functions(_));
        let paradigm = if serverless { Paradigm::Serverless } else { Paradigm::LongRunning };
        let (name, title, short, note) = (self.name, self.title, self.short, self.note);
        let (interruptible, in_vpc) = (self.interruptible, self.in_vpc);
        Ok(Host {
            name,
            title,
            short,
            note,
            model,
            paradigm,
            interruptible,
            in_vpc,
            bill,
            minimum,
            unpriced,
        })
    }
}

/// Puts the values of a table over those of another; tables of names are put together, values replaced.
fn merge(base: &mut Table, over: &Table) {
    for (name, value) in over {
        match (base.get_mut(name), value) {
            (Some(Value::Table(base)), Value::Table(over))
                if matches!(name.as_str(), "parameters" | "bill" | "scaling") =>
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
    fn the_built_in_data_is_sound_in_every_region() {
        for region in REGIONS {
            let catalog = Catalog::read(region, None).expect("sound");
            assert!(catalog.hosts().len() >= 14, "{region}");
            for host in catalog.hosts() {
                assert_eq!(host.unpriced, None, "{} in {region}", host.name);
            }
        }
        assert!(Catalog::read("mars-1", None).is_err());
        let catalog = Catalog::built_in();
        let bill = |name: &str| catalog.host(name).expect("known").bill.len();
        assert_eq!(bill("lambda-http-api"), bill("lambda") + 1);
    }

    #[test]
    fn no_figure_is_from_memory() {
        let data = [prices::built_in(REGIONS[0]), prices::built_in(REGIONS[1])];
        for text in data.into_iter().flatten().flatten().chain([BUILT_IN]) {
            assert!(!text.to_lowercase().contains("from memory"));
        }
    }

    #[test]
    fn a_file_adds_hosts_and_prices_to_the_built_in_ones() {
        let text = r#"
            [price."mine"]
            usd = 5
            valid_on = 2026-11-01
            source = "my provider"
            [[host]]
            name = "mine"
            title = "My VM"
            short = "Mine"
            like = "vm"
            sizes = [{ cores = 2, memory_gb = 4, price = "mine" }]
            [host.bill]
            instance = { line = "compute", per = "instance-month", price = "size" }
        "#;
        let catalog = Catalog::read(REGIONS[0], Some(("my.toml", text))).expect("sound");
        assert!(catalog.host("mine").is_some_and(|host| host.unpriced.is_none()));
        assert_eq!(catalog.hosts().len(), Catalog::built_in().hosts().len() + 1);
        let undated = text.replace("valid_on = 2026-11-01", "");
        let error = Catalog::read(REGIONS[0], Some(("my.toml", &undated))).expect_err("undated");
        assert_eq!(
            error.to_string(),
            "my.toml: price mine has no valid_on: a price without a date is none"
        );
    }

    #[test]
    fn a_fault_is_one_line_with_the_host() {
        for (right, wrong) in [
            ("burst_seconds = ", "burst_secs = "),
            ("balancing = \"random\"", "balancing = \"sticky\""),
            ("value = 360, source", "value = 360, sauce"),
            ("value = 360, source", "value = -360, source"),
            ("kind = \"functions\"", "kind = \"magic\""),
            ("like = \"lambda\"", "like = \"lambada\""),
            ("[0, 120], [0.05, 157]", "[0, 120], [0.05, 17]"),
            ("line = \"compute\"", "line = \"magic\""),
        ] {
            let text = BUILT_IN.replacen(right, wrong, 1);
            assert_ne!(text, BUILT_IN, "{right} is in the data");
            let error = Catalog::parse("my.toml", &text).expect_err(wrong).to_string();
            assert!(error.starts_with("my.toml: host ") && !error.contains('\n'), "{error}");
        }
    }
}
