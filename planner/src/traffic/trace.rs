//! A recorded traffic, read from CSV with the columns `minute,requests` or `second,requests`.
//! Long because the faults of a file are tested beside the reader.

use std::io::Read as _;
use std::time::Duration;

use super::Traffic;

/// The most requests of one second that are believed: a thousand times the largest public trace.
pub(crate) const MOST_PER_SECOND: u64 = 10_000_000;

/// The most intervals of one trace: a year by the second.
const MOST_INTERVALS: u64 = 32_000_000;

/// The longest interval that tells anything of a peak: a day, in seconds.
pub(crate) const LONGEST_INTERVAL: u64 = 86_400;

/// What an offset that is skipped means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gaps {
    /// A fault of the file.
    #[default]
    Refuse,
    /// No requests.
    Empty,
    /// No data: as many requests as in the interval before.
    Repeat,
}

/// Why a file is no trace: the file, the row and the reason in one line.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {}{reason}", row.map(|row| format!("row {row}: ")).unwrap_or_default())]
pub struct TraceError {
    /// The name of the file.
    pub file: String,
    /// The line of the file, the header being 1; `None` if it is about the file.
    pub row: Option<u64>,
    /// What is wrong there.
    pub reason: String,
}

impl Traffic {
    /// Whether a file begins like a trace: a first column called `minute` or `second`.
    #[must_use]
    pub fn is_trace(bytes: &[u8]) -> bool {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.to_ascii_lowercase();
        [&b"minute"[..], b"second"].iter().any(|unit| line.starts_with(unit))
    }

    /// Reads a trace. Rows are `offset,requests`, offsets rise by the same step, which is the interval.
    ///
    /// # Errors
    /// [`TraceError`] names the first row that is wrong.
    pub fn parse(file: &str, name: &str, bytes: &[u8], gaps: Gaps) -> Result<Self, TraceError> {
        let fault =
            |row: Option<u64>, reason: String| TraceError { file: file.into(), row, reason };
        let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        // Spreadsheets separate by what their language leaves free.
        let separator = [b';', b'\t'].into_iter().find(|separator| header.contains(separator));
        // A line ends with \n, the last one too, so that the reader's own count of lines tells the row.
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .delimiter(separator.unwrap_or(b','))
            .terminator(csv::Terminator::Any(b'\n'))
            .from_reader(bytes.chain(&b"\n"[..]));
        let header = reader.byte_headers().map_err(|error| fault(Some(1), error.to_string()))?;
        let name_of = |column| header.get(column).map(<[u8]>::to_ascii_lowercase);
        let unit = match (name_of(0).as_deref(), name_of(1).as_deref(), header.len()) {
            (Some(b"second"), Some(b"requests"), 2) => 1,
            (Some(b"minute"), Some(b"requests"), 2) => 60,
            _ => {
                let cells = header.iter().map(String::from_utf8_lossy).collect::<Vec<_>>();
                let found = shorten(&cells.join(","));
                let reason = format!(
                    "expected the header minute,requests or second,requests, found {found}"
                );
                return Err(fault(Some(1), reason));
            }
        };
        let mut rows = Rows { unit, gaps, first: None, step: None, last: 0, counts: Vec::new() };
        let mut record = csv::ByteRecord::new();
        loop {
            let found = reader.read_byte_record(&mut record);
            let row = Some(reader.position().line().saturating_sub(1));
            match found {
                Ok(false) => break,
                Ok(true) => rows.take(&record).map_err(|reason| fault(row, reason))?,
                Err(error) => return Err(fault(row, error.to_string())),
            }
        }
        if rows.counts.is_empty() {
            return Err(fault(None, "has no rows".into()));
        }
        let interval = Duration::from_secs(rows.step.unwrap_or(1) * unit);
        Ok(Self::new(name, interval, rows.counts))
    }
}

/// The rows so far.
struct Rows {
    unit: u64,
    gaps: Gaps,
    first: Option<u64>,
    step: Option<u64>,
    last: u64,
    counts: Vec<u64>,
}

impl Rows {
    fn take(&mut self, record: &csv::ByteRecord) -> Result<(), String> {
        let (Some(offset), Some(requests), 2) = (record.get(0), record.get(1), record.len()) else {
            return Err(format!("expected 2 columns, found {}", record.len()));
        };
        let offset = number("the offset", offset)?;
        let requests = number("requests", requests)?;
        let missing = match (self.first, self.step) {
            (None, _) => {
                self.first = Some(offset);
                0
            }
            (Some(_), _) if offset <= self.last => {
                let last = self.last;
                return Err(format!("offset {offset} does not come after {last}"));
            }
            (Some(_), None) => {
                let step = offset - self.last;
                if step > LONGEST_INTERVAL / self.unit {
                    return Err(format!(
                        "offset {offset} is {step} after {}: an interval of more than a day tells nothing of a peak",
                        self.last
                    ));
                }
                self.step = Some(step);
                0
            }
            (Some(_), Some(step)) => {
                let passed = offset - self.last;
                if !passed.is_multiple_of(step) {
                    let last = self.last;
                    return Err(format!(
                        "offset {offset} is {passed} after {last}, but the interval is {step}"
                    ));
                }
                passed / step - 1
            }
        };
        self.fill(offset, missing)?;
        let seconds = self.step.unwrap_or(1) * self.unit;
        if requests / seconds > MOST_PER_SECOND {
            return Err(format!(
                "{requests} requests in {seconds} s are more than {MOST_PER_SECOND} a second"
            ));
        }
        self.counts.push(requests);
        self.last = offset;
        Ok(())
    }

    fn fill(&mut self, offset: u64, missing: u64) -> Result<(), String> {
        if missing == 0 {
            return Ok(());
        }
        if self.counts.len() as u64 + missing > MOST_INTERVALS {
            return Err(format!("offset {offset} makes more than {MOST_INTERVALS} intervals"));
        }
        let value = match self.gaps {
            Gaps::Refuse => {
                let (plural, last) = (if missing == 1 { "" } else { "s" }, self.last);
                return Err(format!(
                    "a gap of {missing} interval{plural} after offset {last}; \
                     say what it means with --gaps empty or --gaps repeat"
                ));
            }
            Gaps::Empty => 0,
            Gaps::Repeat => self.counts.last().copied().unwrap_or(0),
        };
        self.counts.extend((0..missing).map(|_| value));
        Ok(())
    }
}

fn number(what: &str, field: &[u8]) -> Result<u64, String> {
    let text = String::from_utf8_lossy(field);
    let text = text.trim();
    let found = shorten(text);
    if let Some(rest) = text.strip_prefix('-')
        && rest.parse::<f64>().is_ok()
    {
        return Err(format!("{what} must not be negative, found {found}"));
    }
    // 180.0 is a whole number that an export wrote with its fraction.
    let whole = text.split_once('.').filter(|(_, rest)| rest.bytes().all(|byte| byte == b'0'));
    let text = whole.map_or(text, |(whole, _)| whole);
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| format!("{what} is too large: {found}"));
    }
    Err(format!("{what} must be a whole number, found {found}"))
}

/// A text that fits a line whatever a file holds.
fn shorten(text: &str) -> String {
    let short = text.chars().filter(|char| !char.is_control()).take(40).collect::<String>();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("\"{short}{dots}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, gaps: Gaps) -> Result<Traffic, TraceError> {
        Traffic::parse("t.csv", "t", text.as_bytes(), gaps)
    }

    #[track_caller]
    fn refusal(text: &str) -> String {
        parse(text, Gaps::Refuse).expect_err("no trace").to_string()
    }

    #[test]
    fn the_step_of_the_offsets_is_the_interval() {
        let hourly = parse("minute,requests\n0,5\n60,7\n120,0\n", Gaps::Refuse).expect("a trace");
        assert_eq!(hourly.interval(), Duration::from_secs(3600));
        assert_eq!(hourly.counts(), [5, 7, 0]);
        let one = parse("second,requests\n0,9\n", Gaps::Refuse).expect("a trace");
        assert_eq!((one.span(), one.peak()), (1.0, 9.0));
    }

    #[test]
    fn what_is_wrong_is_one_line_with_file_row_and_reason() {
        for (text, line) in [
            (
                "",
                r#"t.csv: row 1: expected the header minute,requests or second,requests, found """#,
            ),
            ("minute,requests\n", "t.csv: has no rows"),
            (
                "hour,requests\n0,1\n",
                r#"t.csv: row 1: expected the header minute,requests or second,requests, found "hour,requests""#,
            ),
            (
                "minute,requests\n0,1\n1,many\n",
                r#"t.csv: row 3: requests must be a whole number, found "many""#,
            ),
            (
                "minute,requests\n0,1\n1,-4\n",
                r#"t.csv: row 3: requests must not be negative, found "-4""#,
            ),
            (
                "minute,requests\n0,1\n1,1.5\n",
                r#"t.csv: row 3: requests must be a whole number, found "1.5""#,
            ),
            (
                "minute,requests\n0,1\n1,\n",
                r#"t.csv: row 3: requests must be a whole number, found """#,
            ),
            (
                "minute,requests\n0,1\n1,99999999999999999999999\n",
                r#"t.csv: row 3: requests is too large: "99999999999999999999999""#,
            ),
            (
                "minute,requests\n0,1\n1,18446744073709551615\n",
                "t.csv: row 3: 18446744073709551615 requests in 60 s are more than 10000000 a second",
            ),
            ("minute,requests\n0,1\n1,2\n1,3\n", "t.csv: row 4: offset 1 does not come after 1"),
            ("minute,requests\n5,1\n3,2\n", "t.csv: row 3: offset 3 does not come after 5"),
            (
                "minute,requests\n0,1\n2,2\n5,3\n",
                "t.csv: row 4: offset 5 is 3 after 2, but the interval is 2",
            ),
            (
                "minute,requests\n0,1\n1,2\n4,3\n",
                "t.csv: row 4: a gap of 2 intervals after offset 1; say what it means with --gaps empty or --gaps repeat",
            ),
            ("minute,requests\n0,1,2\n", "t.csv: row 2: expected 2 columns, found 3"),
            ("minute,requests\n0\n", "t.csv: row 2: expected 2 columns, found 1"),
            (
                "minute,requests\r\n0,1\r\n1,y\r\n",
                r#"t.csv: row 3: requests must be a whole number, found "y""#,
            ),
            (
                "minute,requests\n0,1\n1,z",
                r#"t.csv: row 3: requests must be a whole number, found "z""#,
            ),
            (
                "minute,requests\n0,1\n\n1,x\n",
                r#"t.csv: row 4: requests must be a whole number, found "x""#,
            ),
        ] {
            assert_eq!(refusal(text), line);
        }
    }

    #[test]
    fn a_gap_is_what_it_is_said_to_be() {
        let text = "minute,requests\n0,1\n1,2\n4,3\n";
        let counts = |gaps| parse(text, gaps).expect("a trace").counts().to_vec();
        assert_eq!(counts(Gaps::Empty), [1, 2, 0, 0, 3]);
        assert_eq!(counts(Gaps::Repeat), [1, 2, 2, 2, 3]);
        let wide = parse("second,requests\n0,1\n1,1\n18446744073709551615,1\n", Gaps::Empty);
        assert!(wide.expect_err("too wide").to_string().contains("more than 32000000 intervals"));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut random = crate::Random::new(5);
        let alphabet = b"minute,rquscod0123456789-.\n\r\" \xff\0";
        for _ in 0..20_000 {
            let mut text = b"minute,requests\n0,1\n".to_vec();
            let many = random.below(40);
            text.extend((0..many).map(|_| alphabet[random.below(alphabet.len())]));
            if let Err(error) = Traffic::parse("t", "t", text.as_slice(), Gaps::Repeat) {
                assert_eq!(error.to_string().lines().count(), 1);
            }
        }
    }
}
