//! The client of a request: the peer of its connection, or the one that a trusted proxy names in a header.

mod hops;
mod networks;

use std::net::IpAddr;

use anyhost_core::adapter::{Caller, is_host};
use anyhost_core::{ConfigError, Scheme, Setting, Settings};
use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};

use hops::{Hop, address, forwarded, forwarded_for, from_the_right};
pub use networks::Networks;

/// The headers that are trusted if `TRUSTED_PROXIES` is set and `TRUSTED_HEADERS` is not.
const USUAL: &str = "x-forwarded-for,x-forwarded-proto,x-request-id";

/// Each proxy appends the address of its own client.
static FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The end of the name of a header that holds the client's address alone, such as `Fly-Client-IP`.
const ADDRESS: &str = "-ip";

/// The end of the name of a header that names the request, such as `X-Request-Id`.
const REQUEST_ID: &str = "-request-id";

/// Which peers are trusted to name the client. By default none: the client is the peer of the connection.
///
/// A header is trusted only if the operator or the platform says that the proxies set it: most proxies pass on
/// other headers of this kind as the client sent them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    proxies: Proxies,
    headers: Vec<HeaderName>,
}

/// The proxies between the client and this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Proxies {
    #[default]
    Nobody,
    /// This number of proxies, whatever their addresses: every connection comes from one.
    Hops(u8),
    /// Peers in these networks.
    Networks(Networks),
}

impl TrustedProxies {
    /// Trust in the one router before this process, as a platform promises it, and in these headers, which
    /// that router sets or overwrites whatever a client sends. Without headers no peer is trusted.
    ///
    /// # Errors
    /// [`ConfigError`] if a header says nothing about a client.
    pub fn router(headers: &[&str]) -> Result<Self, ConfigError> {
        let proxies = if headers.is_empty() { Proxies::Nobody } else { Proxies::Hops(1) };
        Ok(Self { proxies, headers: believed(&headers.join(","))? })
    }

    /// The trust with what the settings say put over it: `TRUSTED_PROXIES`, their number or their
    /// networks, and `TRUSTED_HEADERS`, which of their headers are believed.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is wrong.
    pub fn with(self, settings: &Settings) -> Result<Self, ConfigError> {
        let proxies = settings.get("TRUSTED_PROXIES")?.unwrap_or(self.proxies);
        let headers = match settings.text("TRUSTED_HEADERS") {
            Some(text) => believed(text)?,
            None if self.headers.is_empty() => believed(USUAL)?,
            None => self.headers,
        };
        Ok(Self { proxies, headers })
    }

    /// What a platform's router is believed, under the names of the settings that would say the same. Networks are
    /// only ever set, and shown as they were set.
    pub(crate) fn in_force(&self) -> Vec<(&'static str, String)> {
        let Proxies::Hops(hops) = &self.proxies else { return Vec::new() };
        let headers: Vec<&str> = self.headers.iter().map(HeaderName::as_str).collect();
        vec![("TRUSTED_PROXIES", hops.to_string()), ("TRUSTED_HEADERS", headers.join(", "))]
    }

    /// Returns whether trusted proxies are told by their addresses.
    pub(crate) fn names_networks(&self) -> bool {
        matches!(self.proxies, Proxies::Networks(_))
    }

    /// Whether the peer's word is believed.
    pub(crate) fn believes(&self, peer: Option<IpAddr>) -> bool {
        match &self.proxies {
            Proxies::Nobody => false,
            Proxies::Hops(_) => true,
            Proxies::Networks(networks) => networks.contain(peer),
        }
    }

    /// Puts what a trusted peer's headers say over what the connection says.
    pub(crate) fn read(&self, mut seen: Caller, headers: &HeaderMap) -> Caller {
        let peer = seen.address;
        if !self.believes(peer) {
            return seen;
        }
        let (depth, hop) = if self.headers.contains(&FORWARDED) {
            self.walk(peer, forwarded(headers))
        } else if self.headers.contains(&FOR) {
            self.walk(peer, forwarded_for(headers))
        } else {
            (1, Hop::default())
        };
        let alone = self.ending(ADDRESS);
        let alone = alone
            .filter_map(|name| headers.get(name)?.to_str().ok())
            .find_map(|text| address(text.trim()));
        seen.address = alone.or(hop.address).or(seen.address);
        // A proxy that overwrites leaves one value; of those that add theirs each has its own.
        let said = |name: &HeaderName| {
            let trusted = self.headers.contains(name);
            trusted.then(|| from_the_right(headers, name).take(depth).last()).flatten()
        };
        let scheme = said(&PROTO).or(hop.scheme.as_deref());
        match scheme {
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => seen.scheme = Scheme::Https,
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => seen.scheme = Scheme::Http,
            _ => {}
        }
        let host = said(&HOST).or(hop.host.as_deref());
        if let Some(host) = host.filter(|host| !host.is_empty() && is_host(host)) {
            seen.host = Some(host.into());
        }
        seen
    }

    /// The id that a trusted peer gave a request.
    pub(crate) fn request_id<'h>(
        &self,
        peer: Option<IpAddr>,
        headers: &'h HeaderMap,
    ) -> Option<&'h str> {
        if matches!(self.proxies, Proxies::Nobody) || !self.believes(peer) {
            return None;
        }
        let mut ids = self.ending(REQUEST_ID).filter_map(|name| headers.get(name)?.to_str().ok());
        ids.find(|id| is_request_id(id))
    }

    /// The trusted headers whose names end like this.
    fn ending(&self, end: &str) -> impl Iterator<Item = &HeaderName> {
        self.headers.iter().filter(move |name| name.as_str().ends_with(end))
    }

    /// Returns the hop that is the client, and the number of proxies before it. The walk begins at the peer and goes on from
    /// a trusted proxy to the client that this proxy names. If a proxy names no address, the walk ends there.
    fn walk(&self, peer: Option<IpAddr>, hops: impl Iterator<Item = Hop>) -> (usize, Hop) {
        let mut depth = 0;
        let mut at = Hop { address: peer, ..Hop::default() };
        for hop in hops {
            let trusted = match &self.proxies {
                Proxies::Nobody => false,
                Proxies::Hops(hops) => depth < usize::from(*hops),
                Proxies::Networks(networks) => networks.contain(at.address),
            };
            if !trusted {
                break;
            }
            depth += 1;
            let seen = hop.address.is_some();
            // The scheme and the host may be said although the address is hidden.
            at = Hop { address: hop.address.or(at.address), ..hop };
            if !seen {
                break;
            }
        }
        (depth.max(1), at)
    }
}

impl Setting for Proxies {
    fn expected() -> String {
        format!("the number of proxies from 0 to 255, or {}", Networks::expected())
    }

    fn parse(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(0) => Some(Self::Nobody),
            Ok(hops) => Some(Self::Hops(hops)),
            Err(_) => Networks::parse(text).map(Self::Networks),
        }
    }
}

fn believed(text: &str) -> Result<Vec<HeaderName>, ConfigError> {
    let wrong = |name: &str| {
        let known = "x-forwarded-for, x-forwarded-proto, x-forwarded-host, forwarded, or names that \
                     end in -ip or -request-id";
        ConfigError::new("TRUSTED_HEADERS", format!("expected {known}, found {name:?}"))
    };
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let headers: Vec<HeaderName> = names
        .map(|text| {
            let name = HeaderName::try_from(text).map_err(|_| wrong(text))?;
            let ends = [ADDRESS, REQUEST_ID].iter().any(|end| name.as_str().ends_with(end));
            let known = ends || [&FOR, &PROTO, &HOST, &FORWARDED].contains(&&name);
            if known { Ok(name) } else { Err(wrong(text)) }
        })
        .collect::<Result<_, _>>()?;
    if headers.contains(&FOR) && headers.contains(&FORWARDED) {
        let problem = "x-forwarded-for and forwarded are two words for one thing: name the one that \
                       the proxies set";
        return Err(ConfigError::new("TRUSTED_HEADERS", problem));
    }
    Ok(headers)
}

/// What names a request without harm to logs and headers: 1 to 128 letters, digits and `-_.:/+=@`.
fn is_request_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&b))
}
