//! The engines of active models, kept loaded.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use apiward_detector::detector::Detector;
use sqlx::PgPool;

use crate::models::registry;

/// What was loaded from a publication.
#[derive(Clone)]
struct Loaded {
    serial: i64,
    /// `None` where the model does not judge callers.
    detector: Option<Arc<Detector>>,
}

/// One engine per scope; a scope's next publication takes the place of the one before.
#[derive(Clone, Default)]
pub struct ActiveDetectors {
    by_scope: Arc<Mutex<HashMap<String, Loaded>>>,
}

impl fmt::Debug for ActiveDetectors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_scope = self.by_scope.lock().unwrap_or_else(PoisonError::into_inner);
        formatter.debug_list().entries(by_scope.keys()).finish()
    }
}

impl ActiveDetectors {
    /// The engine with the scope's active model; `None` where there is none that judges callers.
    ///
    /// # Errors
    /// When the database fails, or the model cannot be loaded.
    pub async fn of(&self, pool: &PgPool, scope: &str) -> anyhow::Result<Option<Arc<Detector>>> {
        let serial: Option<i64> = sqlx::query_scalar("select max(serial) from publications where scope = $1")
            .bind(scope)
            .fetch_one(pool)
            .await?;
        let Some(serial) = serial else { return Ok(None) };
        match self.known(scope, serial) {
            Some(known) => Ok(known.detector),
            None => self.load(pool, scope, serial).await.context("load the active model"),
        }
    }

    /// `None` where that publication was not loaded yet.
    fn known(&self, scope: &str, serial: i64) -> Option<Loaded> {
        let by_scope = self.by_scope.lock().unwrap_or_else(PoisonError::into_inner);
        by_scope.get(scope).filter(|known| known.serial == serial).cloned()
    }

    /// Two that ask at once both load, and the last one stays.
    async fn load(&self, pool: &PgPool, scope: &str, serial: i64) -> anyhow::Result<Option<Arc<Detector>>> {
        let content = registry::active(&mut *pool.acquire().await?, scope).await?;
        let Some(content) = content else { return Ok(None) };
        let detector = tokio::task::spawn_blocking(move || Detector::load(content)).await??;
        let detector = detector.judges_callers().then(|| Arc::new(detector));
        let mut by_scope = self.by_scope.lock().unwrap_or_else(PoisonError::into_inner);
        by_scope.insert(scope.to_owned(), Loaded { serial, detector: detector.clone() });
        Ok(detector)
    }
}
