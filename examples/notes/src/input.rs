//! What clients send, checked before anything is done with it.

use anyhost::Error;
use http::StatusCode;
use serde::Deserialize;

/// The longest title, in characters.
const LONGEST_TITLE: usize = 200;

/// The largest page, and the default one.
const LARGEST_PAGE: i64 = 100;

/// A note that is to be written.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) body: String,
}

impl Draft {
    /// A draft from the JSON of a request body.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, Error> {
        // serde would take an array for the struct, by the order of its fields.
        if json.trim_ascii_start().first() == Some(&b'[') {
            return Err(Error::new(StatusCode::UNPROCESSABLE_ENTITY, "the body is not an object"));
        }
        let mut json = serde_json::Deserializer::from_slice(json);
        let draft =
            serde_path_to_error::deserialize(&mut json).map_err(|error| refused_json(&error));
        let draft: Self = draft?;
        json.end().map_err(|error| not_json(&error))?;
        draft.check()
    }

    fn check(self) -> Result<Self, Error> {
        let refused = |field: &str, problem: String| {
            Err(Error::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{field} {problem}"))
                .with_extension("field", field))
        };
        if self.title.trim().is_empty() {
            return refused("title", "is empty".into());
        }
        if self.title.chars().count() > LONGEST_TITLE {
            return refused("title", format!("is longer than {LONGEST_TITLE} characters"));
        }
        // PostgreSQL stores no NUL in text, and a note that one database takes all of them must take.
        for (field, text) in [("title", &self.title), ("body", &self.body)] {
            if text.contains('\0') {
                return refused(field, "contains a NUL character".into());
            }
        }
        Ok(self)
    }
}

fn not_json(error: &serde_json::Error) -> Error {
    Error::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}"))
}

/// JSON that is no draft: the problem names the field.
fn refused_json(error: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    let cause = error.inner();
    if !cause.is_data() {
        return not_json(cause);
    }
    let text = cause.to_string();
    let path = error.path().to_string();
    // A field that is missing or unknown is named by the text alone: "missing field `title` at line 1 …".
    let named = text.split_once("field `").and_then(|(_, rest)| rest.split_once('`'));
    let field = match named {
        Some((field, _)) => Some(field.to_owned()),
        None => (path != ".").then_some(path),
    };
    let detail = match &field {
        Some(field) if named.is_none() => format!("{field}: {text}"),
        _ => text.clone(),
    };
    let refused = Error::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    match field {
        Some(field) => refused.with_extension("field", field),
        None => refused,
    }
}

/// A page of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) limit: i64,
    pub(crate) after: i64,
}

impl Page {
    /// A page from the query of a request; what it does not name is ignored.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, Error> {
        let mut page = Self { limit: LARGEST_PAGE, after: 0 };
        for pair in query.unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "limit" => page.limit = number(name, value, 1, LARGEST_PAGE)?,
                "after" => page.after = number(name, value, 0, i64::MAX)?,
                _ => {}
            }
        }
        Ok(page)
    }
}

fn number(field: &str, text: &str, least: i64, most: i64) -> Result<i64, Error> {
    text.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        Error::new(
            StatusCode::BAD_REQUEST,
            format!("{field} is not a whole number from {least} to {most}"),
        )
        .with_extension("field", field)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(json: &str, status: u16, detail: &str) {
        let error = Draft::parse(json.as_bytes()).expect_err("refused");
        assert_eq!(error.status().as_u16(), status);
        assert!(error.to_string().contains(detail), "{error}");
    }

    #[test]
    fn a_refused_draft_names_its_field() {
        refused("{", 400, "EOF");
        refused("[]", 422, "the body is not an object");
        refused(r#" ["a","b"]"#, 422, "the body is not an object");
        refused("7", 422, "invalid type: integer");
        refused("{}", 422, "missing field `title`");
        refused(r#"{"title":7}"#, 422, "title: invalid type: integer");
        refused(r#"{"title":"a"} x"#, 400, "trailing characters");
        refused(r#"{"title":"a","titel":"b"}"#, 422, "unknown field `titel`");
        refused(r#"{"title":"  "}"#, 422, "title is empty");
        refused(
            &format!(r#"{{"title":"{}"}}"#, "é".repeat(201)),
            422,
            "title is longer than 200 characters",
        );
        refused(r#"{"title":"a","body":"\u0000"}"#, 422, "body contains a NUL character");
    }

    #[test]
    fn a_title_of_200_characters_fits() {
        let title = "é".repeat(200);
        let draft = Draft::parse(format!(r#"{{"title":"{title}"}}"#).as_bytes()).expect("fits");
        assert_eq!(draft, Draft { title, body: String::new() });
    }

    #[test]
    fn a_page_has_limits() {
        assert_eq!(Page::parse(None).expect("default"), Page { limit: 100, after: 0 });
        assert_eq!(
            Page::parse(Some("after=7&limit=2&x")).expect("fits"),
            Page { limit: 2, after: 7 }
        );
        for query in [
            "limit=0",
            "limit=101",
            "limit=abc",
            "limit=",
            "after=-1",
            "after=99999999999999999999",
        ] {
            let error = Page::parse(Some(query)).expect_err(query);
            assert_eq!(error.status(), StatusCode::BAD_REQUEST, "{query}");
        }
    }
}
