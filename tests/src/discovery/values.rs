//! Values of path parameters, as real services write them.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use super::names;
use super::seeds::Seed;

pub(super) use super::names::NameStyle;

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const HEX: &[u8] = b"0123456789abcdef";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// Crockford's alphabet, of ULIDs.
const CROCKFORD: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters of GitHub's advisory ids.
const ADVISORY: &[u8] = b"23456789cfghjmpqrvwx";

/// How the values of a parameter look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ValueKind {
    /// Growing numbers with gaps of up to `gap`.
    Sequence {
        first: u64,
        gap: u64,
    },
    LongInteger {
        digits: usize,
    },
    Snowflake,
    /// Counts from 1 within the parent, as issues do.
    Ordinal,
    SmallInteger {
        below: u64,
    },
    Uuid,
    Hex {
        length: usize,
    },
    /// 40 hexadecimal digits, now and then the first 7.
    Sha,
    /// `sha256:` and 64 hexadecimal digits.
    Digest,
    Base62 {
        length: usize,
    },
    /// ULID: 26 characters that begin with the time.
    SortableId,
    /// `cus_9s6XKzkNRiz8i3`
    PrefixedId {
        prefix: String,
        length: usize,
    },
    AccessKey,
    Name(NameStyle),
    Choice(Vec<String>),
    /// `global` or `enterprise_3471`
    Scope,
    Date,
    Year,
    Month,
    Email,
    Phone,
    Ipv4,
    Ipv6,
    Domain,
    Urn(String),
    Version,
    Tag,
    TagOrDigest,
    Branch,
    /// `main...feature`
    BranchPair,
    FilePath,
    FileName,
    /// Degrees with a fraction.
    Coordinate {
        limit: i32,
    },
    /// `GHSA-…`
    Advisory,
    /// `CVE-…`
    Vulnerability,
    Barcode,
    StockCode,
}

impl ValueKind {
    /// How many objects there are; fewer below a parent.
    pub fn pool_size(&self, nested: bool, parent: Seed) -> u64 {
        let below_parent = 3 + parent.below(40);
        match self {
            Self::Choice(choices) => choices.len() as u64,
            Self::Scope => 60,
            Self::Ordinal => 1 + parent.below(90),
            Self::SmallInteger { below } => *below,
            Self::Year => 12,
            Self::Month => 24,
            Self::Date => 500,
            Self::Version | Self::Tag | Self::Branch | Self::BranchPair if nested => 2 + parent.below(20),
            Self::Version => 30,
            Self::Coordinate { .. } => 5_000,
            Self::Name(NameStyle::Repository | NameStyle::Kebab | NameStyle::Image) if nested => 1 + parent.below(12),
            Self::Name(NameStyle::Constant | NameStyle::Dotted | NameStyle::Snake) if nested => 2 + parent.below(14),
            Self::Name(NameStyle::Organisation | NameStyle::Kebab) => 150,
            Self::Name(NameStyle::Repository | NameStyle::Snake | NameStyle::Constant | NameStyle::Dotted) => 300,
            _ if nested => below_parent,
            _ => 1_500,
        }
    }

    /// Newer objects are asked for more often than old ones.
    pub fn prefers_newest(&self) -> bool {
        matches!(
            self,
            Self::Sequence { .. } | Self::LongInteger { .. } | Self::Snowflake | Self::Ordinal | Self::Sha | Self::Date
        )
    }

    /// The value of object number `index`, the same at each call. `parent` moves the numbers of nested objects apart.
    pub fn value(&self, index: u64, parent: Seed, object: Seed) -> String {
        let mut rng = object.rng();
        match self {
            Self::Sequence { first, gap } => {
                let offset = parent.below(first.saturating_mul(8)) / gap * gap;
                (first + offset + index * gap + object.below(*gap)).to_string()
            }
            Self::Ordinal => (1 + 2 * index + object.below(2)).to_string(),
            // Scattered, since low indexes are the popular ones.
            Self::SmallInteger { below } if *below > 100 => (index * 7_919 % below).to_string(),
            Self::SmallInteger { .. } => index.to_string(),
            Self::LongInteger { digits } => {
                let floor = 10_u64.pow(*digits as u32 - 1);
                (floor + floor / 1_000 * (index % 900) + rng.random_range(0..floor / 10)).to_string()
            }
            Self::Snowflake => {
                let milliseconds =
                    41_000_000_000_u64.wrapping_mul(8) + index * 86_400_000 + rng.random_range(0..86_400_000);
                ((milliseconds << 22) | u64::from(rng.random::<u32>() >> 10)).to_string()
            }
            Self::Uuid => uuid(&mut rng),
            Self::Hex { length } => characters(HEX, *length, &mut rng),
            Self::Sha => characters(HEX, if object.below(8) == 0 { 7 } else { 40 }, &mut rng),
            Self::Digest => digest(&mut rng),
            Self::Base62 { length } => characters(BASE62, *length, &mut rng),
            Self::SortableId => format!("01J{}", characters(CROCKFORD, 23, &mut rng)),
            Self::PrefixedId { prefix, length } => format!("{prefix}_{}", characters(BASE62, *length, &mut rng)),
            Self::AccessKey => format!("AK{}", characters(UPPER, 18, &mut rng)),
            Self::Name(style) => names::name(*style, &mut rng),
            Self::Choice(choices) => choices[index as usize % choices.len()].clone(),
            Self::Scope if index == 0 => "global".to_owned(),
            Self::Scope => format!("enterprise_{}", rng.random_range(1_000..10_000_000)),
            Self::Date => date(index),
            Self::Year => (2015 + index).to_string(),
            Self::Month => format!("{}-{:02}", 2025 + index / 12, 1 + index % 12),
            Self::Email => format!("{}@{}", names::name(NameStyle::User, &mut rng), names::domain(&mut rng)),
            Self::Phone => format!("+{}{}", rng.random_range(1..99), rng.random_range(100_000_000_u64..999_999_999)),
            Self::Ipv4 => {
                let [a, b, c] = rng.random::<[u8; 3]>();
                format!("{}.{a}.{b}.{c}", rng.random_range(11..223))
            }
            Self::Ipv6 => {
                format!("2604:a880:{:x}:{:x}::{:x}", rng.random::<u16>(), rng.random::<u8>(), rng.random::<u16>())
            }
            Self::Domain => names::domain(&mut rng),
            Self::Urn(noun) => format!("urn:{noun}:{}", uuid(&mut rng)),
            Self::Version => version(&mut rng),
            Self::Tag => tag(&mut rng),
            Self::TagOrDigest if rng.random_bool(0.4) => digest(&mut rng),
            Self::TagOrDigest => tag(&mut rng),
            Self::Branch => names::branch(index, &mut rng),
            Self::BranchPair => format!("{}...{}", names::branch(0, &mut rng), names::branch(index + 1, &mut rng)),
            Self::FilePath => names::file_path(&mut rng),
            Self::FileName => names::file_name(&mut rng),
            Self::Coordinate { limit } => {
                let degrees = f64::from(*limit) * rng.random_range(-0.99..0.99);
                format!("{degrees:.*}", rng.random_range(4..7))
            }
            Self::Advisory => {
                let part = |rng: &mut _| characters(ADVISORY, 4, rng);
                format!("GHSA-{}-{}-{}", part(&mut rng), part(&mut rng), part(&mut rng))
            }
            Self::Vulnerability => format!("CVE-{}-{}", rng.random_range(2015..2027), rng.random_range(1_000..60_000)),
            Self::Barcode => format!("97{}", rng.random_range(10_000_000_000_u64..99_999_999_999)),
            Self::StockCode => format!("{}-{:05}", characters(&UPPER[..26], 3, &mut rng), rng.random_range(1..99_999)),
        }
    }
}

fn characters(alphabet: &[u8], length: usize, rng: &mut impl Rng) -> String {
    (0..length).map(|_| char::from(*alphabet.choose(rng).unwrap_or(&b'0'))).collect()
}

/// Version 4, random.
fn uuid(rng: &mut impl Rng) -> String {
    uuid::Builder::from_random_bytes(rng.random()).into_uuid().to_string()
}

fn digest(rng: &mut impl Rng) -> String {
    format!("sha256:{}", characters(HEX, 64, rng))
}

fn version(rng: &mut impl Rng) -> String {
    let (major, minor, patch) = (rng.random_range(0..6), rng.random_range(0..20), rng.random_range(0..30));
    match rng.random_range(0..4) {
        0 => format!("v{major}.{minor}.{patch}"),
        1 => format!("{}", 1 + minor),
        _ => format!("{major}.{minor}.{patch}"),
    }
}

fn tag(rng: &mut impl Rng) -> String {
    let (major, minor, patch) = (rng.random_range(0..6), rng.random_range(0..20), rng.random_range(0..30));
    match rng.random_range(0..10) {
        0 => "latest".to_owned(),
        1 => "stable".to_owned(),
        2 => format!("{major}.{minor}-alpine"),
        3 => format!("2026{:02}{:02}", 1 + minor % 12, 1 + patch % 28),
        4 => format!("v{major}.{minor}.{patch}-rc.{}", 1 + patch % 4),
        5 => format!("{major}.{minor}"),
        _ => format!("v{major}.{minor}.{patch}"),
    }
}

/// Day `index` counted from the first of January 2025, in months of 28 days.
fn date(index: u64) -> String {
    let month = index / 28;
    format!("{}-{:02}-{:02}", 2025 + month / 12, 1 + month % 12, 1 + index % 28)
}
