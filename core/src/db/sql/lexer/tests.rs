//! What is a string, an identifier and a comment in each kind of database.

use super::*;

fn words(text: &str, kind: Kind) -> Vec<String> {
    let text = Lexer::new(text, kind).map(|token| match token {
        Token::Word(word) => word.to_owned(),
        Token::Quoted(name) => format!("<{name}>"),
        Token::Text(text) => format!("'{text}'"),
        Token::Assignment => ":=".into(),
        Token::Executable => "!".into(),
        Token::Symbol(byte) => char::from(byte).to_string(),
    });
    text.collect()
}

#[test]
fn strings_identifiers_and_comments_are_those_of_the_kind_of_database() {
    use Kind::{MySql, Postgres, Sqlite};
    for (kind, text, expected) in [
        (Postgres, "a 'it''s; b' c", "a|'it''s; b'|c"),
        (Postgres, r"'a\' b E'c\'d' e", r"'a\'|b|'c\'d'|e"),
        (MySql, r#"'a\'b' "c\";d" `e;f` g"#, r#"'a\'b'|'c\";d'|<e;f>|g"#),
        (Sqlite, r#""a;""b" [c;d] `e` f"#, r#"<a;""b>|<c;d>|<e>|f"#),
        (Postgres, "$$a;b$$ $x$c$$;$x$ $1 a$1", "'a;b'|'c$$;'|a$1"),
        (Postgres, "a /* b /* c */ ; */ d -- e;\nf", "a|d|f"),
        (
            MySql,
            "a /* b /* c */ d -- e;\nf # g;\nh 1--1 /*!50 i*/ /*M! j */",
            "a|d|f|h|1|-|-|1|!|!",
        ),
        (Sqlite, "a--b\nc", "a|c"),
        (Postgres, "a[1] # b ::int", "a|[|1|]|#|b|:|:|int"),
        (MySql, "@a := 1", "@|a|:=|1"),
        (Postgres, "'never ends ; a", "'never ends ; a'"),
        (Postgres, "$a$never ends", "'never ends'"),
        (MySql, r"'ends in \", r"'ends in \'"),
        (Postgres, "größe 'ä' \"ü\" é", "größe|'ä'|<ü>|é"),
        (Postgres, "", ""),
        (Postgres, "/* never ends", ""),
        (Postgres, "'", "''"),
        (Sqlite, "$name ?1 :a", "?|1|:|a"),
    ] {
        assert_eq!(words(text, kind).join("|"), expected, "{kind:?}: {text}");
    }
}
