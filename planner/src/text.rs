//! Numbers as people read them.

/// A number with at most three figures that matter, and k, M or G.
pub(crate) fn count(number: f64) -> String {
    let (number, unit) = match number.abs() {
        n if n >= 1e9 => (number / 1e9, "G"),
        n if n >= 1e6 => (number / 1e6, "M"),
        n if n >= 1e4 => (number / 1e3, "k"),
        _ => (number, ""),
    };
    format!("{}{unit}", short(number))
}

/// A rate: as [`count`].
pub(crate) fn rate(number: f64) -> String {
    count(number)
}

fn short(number: f64) -> String {
    match number.abs() {
        n if n >= 100.0 => format!("{number:.0}"),
        n if n >= 10.0 => trim(format!("{number:.1}")),
        n if n >= 0.1 => trim(format!("{number:.2}")),
        0.0 => "0".into(),
        _ => trim(format!("{number:.4}")),
    }
}

fn trim(text: String) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// US dollars.
pub(crate) fn dollars(number: f64) -> String {
    match number {
        n if n >= 10_000.0 => format!("${}", count(n)),
        n if n >= 100.0 => format!("${n:.0}"),
        n if n > 0.0 && n < 0.01 => "under $0.01".into(),
        n => format!("${n:.2}"),
    }
}

/// A share of one, as percent.
pub(crate) fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".into(),
        n if n < 0.01 => "under 0.01 %".into(),
        // What is not all must not look like it.
        n if n < 100.0 && n > 99.9 => "over 99.9 %".into(),
        n => format!("{} %", trim(format!("{n:.*}", usize::from(n < 10.0) + 1))),
    }
}

/// A duration in seconds, with the unit that fits.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        0.0 => "0 ms".into(),
        s if s < 0.001 => format!("{:.0} µs", s * 1e6),
        s if s < 0.01 => format!("{:.1} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 100.0 => format!("{} s", trim(format!("{s:.2}"))),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

/// A text that begins with a capital letter.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A text in lines of at most so many characters: the first begins with a bullet, the others are indented as far.
pub(crate) fn wrap(bullet: &str, text: &str, width: usize) -> String {
    let indent = " ".repeat(bullet.chars().count());
    let (mut lines, mut line) = (String::new(), bullet.to_owned());
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            lines.push_str(line.trim_end());
            lines.push('\n');
            line = indent.clone();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push_str(line.trim_end());
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_true() {
        for (number, text) in [
            (0.0, "0"),
            (0.0123, "0.0123"),
            (3.7, "3.7"),
            (12.0, "12"),
            (1234.0, "1234"),
            (65_432.0, "65.4k"),
            (3.1e7, "31M"),
        ] {
            assert_eq!(count(number), text);
        }
        assert_eq!(dollars(0.001), "under $0.01");
        assert_eq!(dollars(7.0), "$7.00");
        assert_eq!(percent(0.9999), "over 99.9 %");
        assert_eq!(percent(0.5), "50 %");
        assert_eq!(percent(0.00123), "0.12 %");
        assert_eq!(duration(0.0123), "12 ms");
        assert_eq!(duration(1.5), "1.5 s");
    }
}
