//! Socket activation: the sockets that systemd listens on and hands over.

use std::os::fd::OwnedFd;

use anyhost_core::adapter::{Exit, Failure};
use anyhost_core::{ConfigError, Settings};
use anyhost_server::Listener;
use listenfd::ListenFd;

use crate::environment;

/// The first descriptor that is handed over (`SD_LISTEN_FDS_START`).
const FIRST: usize = 3;

/// The names (`FileDescriptorName=`) of sockets on which TLS is spoken. Any other means HTTP: without one,
/// systemd gives a socket the name of its unit.
const TLS: [&str; 2] = ["tls", "https"];

/// Takes the sockets that systemd passed to this process, in the order of the unit; none if they were for another process.
///
/// # Errors
/// [`Exit::Config`] if the variables about them contradict each other, [`Exit::Bind`] if one is not a listening
/// socket.
pub(crate) fn inherited(settings: &Settings) -> Result<Vec<Listener>, Failure> {
    let names = names(settings)?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    // This clears the variables, so that no child process claims the sockets.
    let mut descriptors = environment::descriptors();
    names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let socket = take(&mut descriptors, index).map_err(|error| {
                let number = FIRST + index;
                let problem = format!("descriptor {number} ({name}) is no socket: {error}");
                Failure::new(Exit::Bind, problem)
            })?;
            let listener = Listener::inherited(socket)?;
            Ok(if TLS.contains(&name.as_str()) { listener.with_tls() } else { listener })
        })
        .collect()
}

/// The names of the sockets passed to this process, in order; systemd calls an unnamed one `unknown`.
fn names(settings: &Settings) -> Result<Vec<String>, ConfigError> {
    // Another process id: the sockets were passed to the parent process.
    if settings.get::<u32>("LISTEN_PID")? != Some(std::process::id()) {
        return Ok(Vec::new());
    }
    let count: usize = settings.get("LISTEN_FDS")?.unwrap_or(0);
    let names: Vec<String> = match settings.text("LISTEN_FDNAMES") {
        Some(names) => names.split(':').map(str::to_owned).collect(),
        None => vec!["unknown".into(); count],
    };
    if names.len() != count {
        let problem = format!("names {} sockets, and LISTEN_FDS says {count}", names.len());
        return Err(ConfigError::new("LISTEN_FDNAMES", problem));
    }
    Ok(names)
}

fn take(descriptors: &mut ListenFd, index: usize) -> std::io::Result<OwnedFd> {
    let missing = || std::io::Error::other("it is not there");
    if let Ok(socket) = descriptors.take_tcp_listener(index) {
        return socket.map(OwnedFd::from).ok_or_else(missing);
    }
    descriptors.take_unix_listener(index)?.map(OwnedFd::from).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(pid: u32, count: &str, all: Option<&str>) -> Result<Vec<String>, ConfigError> {
        let pid = pid.to_string();
        let mut pairs = vec![("LISTEN_PID", pid.as_str()), ("LISTEN_FDS", count)];
        pairs.extend(all.map(|all| ("LISTEN_FDNAMES", all)));
        names(&Settings::from_pairs(pairs))
    }

    #[test]
    fn sockets_have_the_names_of_their_units() {
        let own = std::process::id();
        assert_eq!(named(own, "2", Some("http:https")), Ok(vec!["http".into(), "https".into()]));
        assert_eq!(named(own, "1", None), Ok(vec!["unknown".into()]));
        assert_eq!(named(own + 1, "1", Some("http")), Ok(Vec::new()));
        assert_eq!(names(&Settings::default()), Ok(Vec::new()));
        assert_eq!(
            named(own, "2", Some("http")).map_err(|error| error.variable().to_owned()),
            Err("LISTEN_FDNAMES".to_owned())
        );
        assert_eq!(
            named(own, "two", None).map_err(|error| error.variable().to_owned()),
            Err("LISTEN_FDS".to_owned())
        );
    }
}
