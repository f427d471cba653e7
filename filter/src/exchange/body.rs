//! A body as it comes: copied up to the limit, counted to its end.

/// What was read of the body so far.
#[derive(Debug, Clone, Default)]
pub struct BodyReader {
    bytes_max: usize,
    read: Vec<u8>,
    /// Bytes that came, read or not.
    total: u64,
    /// The last callback held the body back, so that the next one sees all of it again.
    held_back: bool,
}

impl BodyReader {
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, ..Self::default() }
    }

    /// Takes what a body callback was called for. `size` is the chunk's, or that of all that is held back so far; `first` reads
    /// that many bytes of it.
    pub fn take(&mut self, size: usize, first: impl FnOnce(usize) -> Vec<u8>) {
        if self.held_back {
            self.read = first(self.bytes_max.min(size));
            self.total = size as u64;
            return;
        }
        let room = self.bytes_max.saturating_sub(self.read.len()).min(size);
        if room > 0 {
            self.read.extend_from_slice(&first(room));
        }
        self.total = self.total.saturating_add(size as u64);
    }

    /// Whether nothing more will be read, though more may come.
    pub fn is_full(&self) -> bool {
        self.total >= self.bytes_max as u64
    }

    pub fn hold_back(&mut self, held_back: bool) {
        self.held_back = held_back;
    }

    pub fn read(&self) -> &[u8] {
        &self.read
    }

    /// Bytes that came so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn into_read(self) -> Vec<u8> {
        self.read
    }

    /// Length of the body, bytes: what came, or what was declared where the rest is still to come.
    pub fn length(&self, declared: Option<u64>) -> u64 {
        self.total.max(declared.filter(|_| self.is_full()).unwrap_or(0))
    }
}
