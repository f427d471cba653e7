//! The models of the store.

use anyhow::Context as _;
use apiward_detector::bundle::{BUNDLE_SCHEMA, Bundle};
use serde::Serialize;
use sqlx::{FromRow, PgConnection, PgPool};
use time::OffsetDateTime;

/// Columns of [`ModelEntry`], for every statement that yields it. `active` is the publication with the scope's highest serial.
const ENTRIES: &str = "select models.id, models.scope, models.state, models.reason, models.parent, models.created_at,
         models.hash_key_id, models.report,
         (select max(serial) from publications where publications.model = models.id) as serial,
         coalesce((select publications.model = models.id from publications where publications.scope = models.scope
             order by serial desc limit 1), false) as active
     from models";

/// What the registry tells of a model.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct ModelEntry {
    pub id: String,
    pub scope: String,
    /// `ready` or `rejected`.
    pub state: String,
    /// Why it was rejected.
    pub reason: Option<String>,
    pub parent: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    pub hash_key_id: String,
    /// The learning report: figures on held-out traffic.
    pub report: serde_json::Value,
    /// The highest serial under which it was published.
    pub serial: Option<i64>,
    /// Whether filters of its scope get it now.
    pub active: bool,
}

/// A model that is to be stored.
#[derive(Debug)]
pub struct NewModel<'m> {
    /// Its manifest names id, scope, parent and hash key.
    pub content: &'m Bundle,
    pub report: &'m serde_json::Value,
    /// Why it must not be published; `None` when it may.
    pub rejected: Option<&'m str>,
}

/// Stores a model. Training again on the same records makes the same one; then the latest word on it counts.
///
/// # Errors
/// When the content cannot be encoded or the database refuses.
pub async fn insert(connection: &mut PgConnection, model: &NewModel<'_>) -> anyhow::Result<()> {
    let manifest = &model.content.manifest;
    sqlx::query(
        "insert into models (id, scope, parent, state, reason, hash_key_id, report, content)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (id) do update set state = excluded.state, reason = excluded.reason, report = excluded.report,
             created_at = excluded.created_at",
    )
    .bind(&manifest.model)
    .bind(&manifest.scope)
    .bind(&manifest.parent)
    .bind(if model.rejected.is_some() { "rejected" } else { "ready" })
    .bind(model.rejected)
    .bind(&manifest.hash_key_id)
    .bind(model.report)
    .bind(model.content.encode().context("encode the model")?)
    .execute(connection)
    .await
    .context("store the model")?;
    Ok(())
}

/// The newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(pool: &PgPool, scope: Option<&str>, limit: u32) -> sqlx::Result<Vec<ModelEntry>> {
    let statement =
        format!("{ENTRIES} where $1::text is null or models.scope = $1 order by created_at desc, id limit $2");
    sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(scope).bind(i64::from(limit)).fetch_all(pool).await
}

/// # Errors
/// When the database fails.
pub async fn find(pool: &PgPool, id: &str) -> sqlx::Result<Option<ModelEntry>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{ENTRIES} where models.id = $1"))).bind(id).fetch_optional(pool).await
}

/// A model's content, serial 0.
///
/// # Errors
/// When there is no such model, it was made by another version, or the database fails.
pub async fn content(connection: &mut PgConnection, id: &str) -> anyhow::Result<Bundle> {
    let bytes: Option<Vec<u8>> =
        sqlx::query_scalar("select content from models where id = $1").bind(id).fetch_optional(connection).await?;
    let bytes = bytes.with_context(|| format!("there is no model {id}"))?;
    let bundle: Bundle = rmp_serde::from_slice(&bytes)
        .with_context(|| format!("the model {id} was made by another version of apiward: train a new one"))?;
    anyhow::ensure!(
        bundle.manifest.schema == BUNDLE_SCHEMA,
        "the model {id} has schema {}, this trainer publishes {BUNDLE_SCHEMA}: train a new one",
        bundle.manifest.schema
    );
    Ok(bundle)
}

/// The active model of a scope.
///
/// # Errors
/// When the database fails or the model was made by another version.
pub async fn active(connection: &mut PgConnection, scope: &str) -> anyhow::Result<Option<Bundle>> {
    let id: Option<String> =
        sqlx::query_scalar("select model from publications where scope = $1 order by serial desc limit 1")
            .bind(scope)
            .fetch_optional(&mut *connection)
            .await?;
    match id {
        Some(id) => content(connection, &id).await.map(Some),
        None => Ok(None),
    }
}

/// The model to which a roll-back goes: the one that was active before the active one first was.
///
/// # Errors
/// When the database fails.
pub async fn before_active(connection: &mut PgConnection, scope: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "select model from publications where scope = $1 and serial < (
             select min(serial) from publications where scope = $1 and model = (
                 select model from publications where scope = $1 order by serial desc limit 1))
         order by serial desc limit 1",
    )
    .bind(scope)
    .fetch_optional(connection)
    .await
}
