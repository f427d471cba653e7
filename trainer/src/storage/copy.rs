//! PostgreSQL's binary COPY format: <https://www.postgresql.org/docs/current/sql-copy.html>.

use sqlx::PgConnection;
use time::OffsetDateTime;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Seconds from the Unix epoch to PostgreSQL's, 2000-01-01.
const POSTGRES_EPOCH_S: i64 = 946_684_800;
/// Bytes that are sent at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// Rows in the binary format, written column by column.
#[derive(Debug)]
pub struct CopyRows {
    bytes: Vec<u8>,
    columns: i16,
    rows: u64,
}

impl CopyRows {
    /// For rows of that many columns.
    pub fn new(columns: i16) -> Self {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend_from_slice(&[0; 8]);
        Self { bytes, columns, rows: 0 }
    }

    pub fn begin_row(&mut self) {
        self.rows += 1;
        self.bytes.extend_from_slice(&self.columns.to_be_bytes());
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    pub fn null(&mut self) {
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    pub fn bytes(&mut self, value: &[u8]) {
        // A value is a part of a telemetry batch, which is far smaller than 2 GiB.
        let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(&value[..value.len().min(length.unsigned_abs() as usize)]);
    }

    /// Text without NUL characters, which PostgreSQL does not keep.
    pub fn text(&mut self, value: &str) {
        if value.contains('\0') {
            self.bytes(value.replace('\0', "\u{fffd}").as_bytes());
        } else {
            self.bytes(value.as_bytes());
        }
    }

    pub fn bigint(&mut self, value: i64) {
        self.bytes(&value.to_be_bytes());
    }

    pub fn smallint(&mut self, value: i16) {
        self.bytes(&value.to_be_bytes());
    }

    pub fn real(&mut self, value: f32) {
        self.bytes(&value.to_be_bytes());
    }

    pub fn boolean(&mut self, value: bool) {
        self.bytes(&[u8::from(value)]);
    }

    pub fn timestamp(&mut self, value: OffsetDateTime) {
        let microseconds = (value.unix_timestamp() - POSTGRES_EPOCH_S) * 1_000_000 + i64::from(value.microsecond());
        self.bigint(microseconds);
    }

    /// `None` becomes null.
    pub fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => write(self, value),
            None => self.null(),
        }
    }

    /// Sends the rows.
    ///
    /// # Errors
    /// When the database refuses them; the transaction is then failed.
    pub async fn send(mut self, connection: &mut PgConnection, statement: &str) -> sqlx::Result<u64> {
        self.bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        let mut copy = connection.copy_in_raw(statement).await?;
        for chunk in self.bytes.chunks(CHUNK_BYTES) {
            copy.send(chunk).await?;
        }
        copy.finish().await
    }
}
