//! Publishing: the next serial of a scope, signed and stored.

use anyhow::Context as _;
use apiward_detector::bundle::{Bundle, SecretKey, seal};
use apiward_detector::watchlist::Watchlist;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use crate::payload_exceptions;
use crate::storage::{LockName, lock_in_transaction};

/// Why a model is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    Training,
    Activation,
    RollBack,
    /// What people decided about payload findings changed.
    Exception,
}

impl Cause {
    fn name(self) -> &'static str {
        match self {
            Cause::Training => "training",
            Cause::Activation => "activation",
            Cause::RollBack => "roll-back",
            Cause::Exception => "exception",
        }
    }
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Publication {
    pub scope: String,
    pub model: String,
    pub serial: u64,
    /// SHA-256 of the signed file, hexadecimal digits.
    pub etag: String,
}

/// Signs bundles and gives them serials.
#[derive(Debug, Clone)]
pub struct Publisher {
    key: SecretKey,
    /// Serial of the first publication of a scope.
    serial_floor: u64,
}

impl Publisher {
    pub fn new(key: SecretKey, serial_floor: u64) -> Self {
        Self { key, serial_floor: serial_floor.max(1) }
    }

    /// The key by which filters check what this publisher signs.
    pub fn public_key(&self) -> String {
        self.key.public().to_string()
    }

    /// The signed file and its SHA-256 in hexadecimal digits.
    ///
    /// # Errors
    /// When it cannot be signed within the limits of a bundle.
    pub fn seal(&self, content: &Bundle) -> anyhow::Result<(String, Vec<u8>)> {
        let bytes = seal(content, &self.key).context("sign the bundle")?;
        let etag = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((etag, bytes))
    }

    /// The signed watchlist.
    ///
    /// # Errors
    /// When it cannot be signed within its limits.
    pub fn seal_watchlist(&self, watchlist: &Watchlist) -> anyhow::Result<Vec<u8>> {
        watchlist.seal(&self.key).context("sign the watchlist")
    }

    /// Takes the scope's publication lock to the end of the transaction: what is read of its publications after that stays so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock(&self, transaction: &mut PgConnection, scope: &str) -> sqlx::Result<()> {
        lock_in_transaction(transaction, LockName::Publication { scope }).await
    }

    /// Publishes a stored model's content under the scope's next serial, within the caller's transaction.
    ///
    /// # Errors
    /// When it cannot be signed within the limits of a bundle or the database refuses.
    pub async fn publish(
        &self,
        transaction: &mut PgConnection,
        mut content: Bundle,
        cause: Cause,
    ) -> anyhow::Result<Publication> {
        let scope = content.manifest.scope.clone();
        self.lock(transaction, &scope).await?;
        let newest: Option<i64> = sqlx::query_scalar("select max(serial) from publications where scope = $1")
            .bind(&scope)
            .fetch_one(&mut *transaction)
            .await?;
        let newest = newest.map(u64::try_from).transpose().context("a stored serial is negative")?;
        let serial = newest.map_or(self.serial_floor, |newest| self.serial_floor.max(newest + 1));
        content.manifest.serial = serial;
        content.policy.payload_exceptions = payload_exceptions::of_scope(transaction, &scope).await?;
        let (etag, bytes) = self.seal(&content)?;
        sqlx::query(
            "insert into publications (scope, serial, model, cause, etag, bundle) values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&scope)
        .bind(i64::try_from(serial).context("the serial is too high for the database")?)
        .bind(&content.manifest.model)
        .bind(cause.name())
        .bind(&etag)
        .bind(&bytes)
        .execute(&mut *transaction)
        .await
        .context("store the publication")?;
        sqlx::query("update publications set bundle = null where scope = $1 and serial < $2 and bundle is not null")
            .bind(&scope)
            .bind(serial.cast_signed())
            .execute(&mut *transaction)
            .await?;
        Ok(Publication { scope, model: content.manifest.model, serial, etag })
    }
}
