//! Sessions as bytes of a fixed layout, little-endian: what lies in shared data, where others may write too.
//!
//! Reading takes any bytes: whatever does not fit is no session.

use super::activity::{Activity, EndpointActivity};
use super::caller::{ADDRESS_ENDPOINTS_MAX, AddressSession, CALLER_ENDPOINTS_MAX, CallerSession};
use super::decay::DecayedCount;
use super::distinct::DistinctCount;
use super::window::{Call, CallGap, CallOutcome, CallSymbol, CallWindow, VisitedEndpoints, WINDOW_CALLS_MAX};

/// Bytes of a caller's session.
pub const CALLER_SESSION_BYTES: usize = WINDOW_BYTES + 8 + 4 + ACTIVITY_BYTES + CALLER_ENDPOINTS_MAX * ENDPOINT_BYTES;
/// Bytes of an address's session.
pub const ADDRESS_SESSION_BYTES: usize = ACTIVITY_BYTES + ADDRESS_ENDPOINTS_MAX * ENDPOINT_BYTES;

/// Count of calls in it, all calls, visited set, and per call symbol, gap and outcome.
const WINDOW_BYTES: usize = 1 + 4 + 32 + WINDOW_CALLS_MAX * 6;
/// Time, three counts, two distinct counts, number of endpoints.
const ACTIVITY_BYTES: usize = 8 + 3 * 8 + 2 * 16 + 1;
const ENDPOINT_BYTES: usize = 4 + 8 + 16;

const _: () = assert!(CALLER_SESSION_BYTES <= 512 && ADDRESS_SESSION_BYTES <= 256);

impl CallerSession {
    /// [`CALLER_SESSION_BYTES`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(CALLER_SESSION_BYTES);
        let calls = self.window.calls();
        bytes.push(calls.len().min(WINDOW_CALLS_MAX) as u8);
        bytes.extend(self.window.count().to_le_bytes());
        for word in self.window.visited().0 {
            bytes.extend(word.to_le_bytes());
        }
        for place in 0..WINDOW_CALLS_MAX {
            let call = calls.get(place).copied().unwrap_or_default();
            bytes.extend(call.endpoint.0.to_le_bytes());
            bytes.extend([call.gap as u8, call.outcome as u8]);
        }
        bytes.extend(self.last_ms.to_le_bytes());
        bytes.extend(self.surprise_sum.to_le_bytes());
        write_activity(&self.activity, CALLER_ENDPOINTS_MAX, &mut bytes);
        bytes
    }

    /// `None` for anything but what [`Self::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != CALLER_SESSION_BYTES {
            return None;
        }
        let mut reader = Reader { rest: bytes };
        let calls_kept = usize::from(reader.byte()?);
        let count = reader.u32()?;
        let visited = VisitedEndpoints([reader.u64()?, reader.u64()?, reader.u64()?, reader.u64()?]);
        let mut calls = Vec::with_capacity(WINDOW_CALLS_MAX);
        for _ in 0..WINDOW_CALLS_MAX {
            let endpoint = CallSymbol(reader.u32()?);
            let gap = CallGap::from_byte(reader.byte()?)?;
            let outcome = CallOutcome::from_byte(reader.byte()?)?;
            calls.push(Call { endpoint, gap, outcome });
        }
        if calls_kept > WINDOW_CALLS_MAX {
            return None;
        }
        calls.truncate(calls_kept);
        let last_ms = reader.i64()?;
        let surprise_sum = f32::from_bits(reader.u32()?);
        if !surprise_sum.is_finite() || surprise_sum < 0.0 {
            return None;
        }
        let activity = read_activity(&mut reader, CALLER_ENDPOINTS_MAX)?;
        Some(Self { window: CallWindow::from_parts(calls, visited, count), activity, last_ms, surprise_sum })
    }
}

impl AddressSession {
    /// [`ADDRESS_SESSION_BYTES`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ADDRESS_SESSION_BYTES);
        write_activity(&self.activity, ADDRESS_ENDPOINTS_MAX, &mut bytes);
        bytes
    }

    /// `None` for anything but what [`Self::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != ADDRESS_SESSION_BYTES {
            return None;
        }
        let activity = read_activity(&mut Reader { rest: bytes }, ADDRESS_ENDPOINTS_MAX)?;
        Some(Self { activity })
    }
}

fn write_activity(activity: &Activity, endpoints_max: usize, bytes: &mut Vec<u8>) {
    bytes.extend(activity.at_ms.to_le_bytes());
    for count in [activity.calls, activity.failures, activity.response_bytes] {
        write_count(count, bytes);
    }
    for distinct in [activity.others, activity.logins] {
        write_distinct(distinct, bytes);
    }
    bytes.push(activity.endpoints.len().min(endpoints_max) as u8);
    for place in 0..endpoints_max {
        let known = activity.endpoints.get(place).copied().unwrap_or_default();
        bytes.extend(known.endpoint.0.to_le_bytes());
        write_count(known.calls, bytes);
        write_distinct(known.objects, bytes);
    }
}

fn write_count(count: DecayedCount, bytes: &mut Vec<u8>) {
    bytes.extend(count.minute.to_le_bytes());
    bytes.extend(count.hour.to_le_bytes());
}

fn write_distinct(distinct: DistinctCount, bytes: &mut Vec<u8>) {
    bytes.extend(distinct.bits.to_le_bytes());
    write_count(distinct.count, bytes);
}

fn read_activity(reader: &mut Reader<'_>, endpoints_max: usize) -> Option<Activity> {
    let at_ms = reader.i64()?;
    let (calls, failures, response_bytes) = (reader.count()?, reader.count()?, reader.count()?);
    let (others, logins) = (reader.distinct()?, reader.distinct()?);
    let kept = usize::from(reader.byte()?);
    if kept > endpoints_max {
        return None;
    }
    let mut endpoints = Vec::with_capacity(endpoints_max);
    for _ in 0..endpoints_max {
        let endpoint = CallSymbol(reader.u32()?);
        endpoints.push(EndpointActivity { endpoint, calls: reader.count()?, objects: reader.distinct()? });
    }
    endpoints.truncate(kept);
    Some(Activity { at_ms, calls, failures, response_bytes, others, logins, endpoints })
}

struct Reader<'b> {
    rest: &'b [u8],
}

impl Reader<'_> {
    fn take<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        let (taken, rest) = self.rest.split_first_chunk::<COUNT>()?;
        self.rest = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    fn finite(&mut self) -> Option<f32> {
        self.take().map(f32::from_le_bytes).filter(|number| number.is_finite())
    }

    fn count(&mut self) -> Option<DecayedCount> {
        Some(DecayedCount::from_parts(self.finite()?, self.finite()?))
    }

    fn distinct(&mut self) -> Option<DistinctCount> {
        Some(DistinctCount { bits: self.u64()?, count: self.count()? })
    }
}
