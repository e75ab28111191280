//! Notes in a database: the same statements on every kind of it.

use anyhost::db::{Db, Driver};
use anyhost::{Error, async_trait};
use sqlx::{Encode, FromRow, IntoArguments, Type};

use crate::input::{Draft, Page};
use crate::note::Note;

/// Where notes are kept.
#[async_trait]
pub(crate) trait Store: Send + Sync + 'static {
    async fn create(&self, draft: Draft) -> Result<Note, Error>;

    /// The notes of a page in the order of their ids, and one more if there is a next page.
    async fn list(&self, page: Page) -> Result<Vec<Note>, Error>;

    async fn read(&self, id: i64) -> Result<Option<Note>, Error>;

    async fn replace(&self, id: i64, draft: Draft) -> Result<Option<Note>, Error>;

    /// Whether there was such a note.
    async fn delete(&self, id: i64) -> Result<bool, Error>;
}

#[async_trait]
impl<DB: Driver> Store for Db<DB>
where
    DB::Arguments: IntoArguments<DB>,
    for<'q> i64: Encode<'q, DB> + Type<DB>,
    for<'q> String: Encode<'q, DB> + Type<DB>,
    for<'r> Note: FromRow<'r, DB::Row>,
    for<'r> (i64,): FromRow<'r, DB::Row>,
{
    async fn create(&self, Draft { title, body }: Draft) -> Result<Note, Error> {
        let now = crate::note::now()?;
        let mut tx = self.begin().await?;
        let note = sqlx::query_as::<DB, Note>(
            "INSERT INTO notes (title, body, created_at, updated_at) VALUES ($1, $2, $3, $3) RETURNING *",
        )
        .bind(title)
        .bind(body)
        .bind(now)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(note)
    }

    async fn list(&self, Page { limit, after }: Page) -> Result<Vec<Note>, Error> {
        let notes =
            sqlx::query_as::<DB, Note>("SELECT * FROM notes WHERE id > $1 ORDER BY id LIMIT $2")
                .bind(after)
                .bind(limit + 1)
                .fetch_all(self)
                .await?;
        Ok(notes)
    }

    async fn read(&self, id: i64) -> Result<Option<Note>, Error> {
        let note = sqlx::query_as::<DB, Note>("SELECT * FROM notes WHERE id = $1")
            .bind(id)
            .fetch_optional(self)
            .await?;
        Ok(note)
    }

    async fn replace(&self, id: i64, Draft { title, body }: Draft) -> Result<Option<Note>, Error> {
        let now = crate::note::now()?;
        let mut tx = self.begin().await?;
        let note = sqlx::query_as::<DB, Note>(
            "UPDATE notes SET title = $2, body = $3, updated_at = $4 WHERE id = $1 RETURNING *",
        )
        .bind(id)
        .bind(title)
        .bind(body)
        .bind(now)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(note)
    }

    async fn delete(&self, id: i64) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let deleted = sqlx::query_as::<DB, (i64,)>("DELETE FROM notes WHERE id = $1 RETURNING id")
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(deleted.is_some())
    }
}
