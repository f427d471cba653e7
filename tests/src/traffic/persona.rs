//! Who uses the shop: accounts, the devices they come with, and where from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use time::OffsetDateTime;

use crate::shop::{self, Account};

/// The same people come back in every run, whatever its seed.
const POPULATION_SEED: u64 = 0x0000_9e0e;
/// Of ten people, this many come over IPv6.
const IPV6_OF_TEN: usize = 1;
/// People per network, in quarters: four people in three networks.
const NETWORKS_PER_FOUR: usize = 3;

/// Where the networks of phones, probes and attackers begin; those of homes begin at 0.
const MOBILE_NETWORKS: usize = 300;
const PROBE_NETWORKS: usize = 400;
const ATTACKER_NETWORKS: usize = 480;

const BROWSERS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.{m} Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_{m} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.{m} Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Mobile Safari/537.36",
];
const APPS: [&str; 2] = ["ShopApp/4.{m}.1 (iOS 18; iPhone15,2)", "ShopApp/4.{m}.0 okhttp/5.1.0"];
const LANGUAGES: [&str; 5] =
    ["de-DE,de;q=0.9,en;q=0.8", "en-GB,en;q=0.9", "en-US,en;q=0.5", "fr-FR,fr;q=0.9,en;q=0.7", "es-ES,es;q=0.9"];

/// What kind of program sends the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeviceKind {
    Browser,
    App,
    Monitor,
}

/// A token as its client keeps it.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub value: String,
    pub expires_at: OffsetDateTime,
    /// Survives the end of the visit.
    pub remembered: bool,
}

/// A program on a machine, with its habits and its address.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub kind: DeviceKind,
    pub address: IpAddr,
    pub user_agent: String,
    pub accept_language: &'static str,
    pub content_type: &'static str,
    /// The anonymous session cookie of browsers.
    pub cookie: Option<String>,
    /// Sends a space in a query as `+`, otherwise as `%20`.
    pub plus_for_space: bool,
    pub assets_cached: bool,
    pub token: Option<Token>,
}

/// A person, or a program that stands for one.
#[derive(Clone, Debug)]
pub(super) struct Persona {
    pub account: Account,
    pub devices: Vec<Device>,
    /// How the app names the phone it runs on.
    pub phone_model: String,
}

/// An address in network `network` of the benchmarking range 198.18.0.0/15, which nobody uses.
pub(crate) fn address(network: usize, host: u8, ipv6: bool) -> IpAddr {
    let network = (network % 512) as u16;
    if ipv6 {
        let host = 0x100 + u16::from(host);
        return IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, network, 0, 0, 0, 0, host));
    }
    let [high, low] = network.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(198, 18 + high, low, host))
}

fn versioned(pattern: &str, rng: &mut impl Rng) -> String {
    pattern
        .replace("{v}", &rng.random_range(138..=142).to_string())
        .replace("{m}", &rng.random_range(0..=6).to_string())
}

fn pick<T: Copy>(choices: &[T], rng: &mut impl Rng) -> T {
    *choices.choose(rng).unwrap_or(&choices[0])
}

fn browser(address: IpAddr, rng: &mut impl Rng) -> Device {
    let session = format!("sid={:032x}", rng.random::<u128>());
    let cookie = match rng.random_range(0..4) {
        0 => format!("{session}; theme=dark"),
        1 => format!("{session}; consent=all"),
        _ => session,
    };
    Device {
        kind: DeviceKind::Browser,
        address,
        user_agent: versioned(pick(&BROWSERS, rng), rng),
        accept_language: pick(&LANGUAGES, rng),
        content_type: "application/json",
        cookie: Some(cookie),
        plus_for_space: rng.random_bool(0.5),
        assets_cached: false,
        token: None,
    }
}

fn app(address: IpAddr, rng: &mut impl Rng) -> Device {
    Device {
        kind: DeviceKind::App,
        address,
        user_agent: versioned(pick(&APPS, rng), rng),
        accept_language: pick(&LANGUAGES, rng),
        content_type: "application/json; charset=utf-8",
        cookie: None,
        plus_for_space: false,
        assets_cached: false,
        token: None,
    }
}

impl Persona {
    /// The person behind the account at `index`: an address of their own, a browser or the app,
    /// and for some both.
    pub fn of_account(index: usize, account: Account) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(POPULATION_SEED + index as u64);
        let network = index * NETWORKS_PER_FOUR / 4;
        let ipv6 = index % 10 < IPV6_OF_TEN;
        let home = address(network, 10 + (index % 200) as u8, ipv6);
        let mut devices = vec![if rng.random_bool(0.7) { browser(home, &mut rng) } else { app(home, &mut rng) }];
        if rng.random_bool(0.3) {
            // On the way, everybody's phone shares the mobile operators' networks.
            let mobile = address(MOBILE_NETWORKS + index % 12, 10 + (index % 200) as u8, false);
            devices.push(app(mobile, &mut rng));
        }
        Self {
            account,
            devices,
            phone_model: pick(&["iPhone 15", "Pixel 9", "Galaxy S25", "Fairphone 5", "Anna's iPad"], &mut rng)
                .to_owned(),
        }
    }

    /// An attacker with a valid customer account, in one of the attackers' networks.
    pub fn attacker(account: Account, index: usize, network: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(POPULATION_SEED ^ (index as u64 + 1));
        let host = address(ATTACKER_NETWORKS + network, 50 + index as u8, false);
        Self { account, devices: vec![browser(host, &mut rng)], phone_model: String::new() }
    }

    /// An uptime probe, which has no account of its own but sits in a network.
    pub fn monitor(index: usize) -> Self {
        let mut accounts = shop::accounts();
        Self {
            account: accounts.swap_remove(0),
            devices: vec![Device {
                kind: DeviceKind::Monitor,
                address: address(PROBE_NETWORKS + index, 7, false),
                user_agent: format!("uptime-probe/2.{index}"),
                accept_language: "en",
                content_type: "application/json",
                cookie: None,
                plus_for_space: false,
                assets_cached: false,
                token: None,
            }],
            phone_model: String::new(),
        }
    }
}
