//! Who sends requests: callers with an identity, an address and a program; and scanners that try what might be there.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Zipf};

use super::seeds::Seed;
use super::words::{NOUNS, TECHNICAL};
use crate::traffic::address;

/// Some callers come far more often than others.
const ACTIVITY_EXPONENT: f64 = 0.5;
/// Of a hundred callers, so many never say who they are.
const ANONYMOUS_PERCENT: usize = 4;
const SCANNERS: usize = 6;
/// Of the scanners, the first ones hit pages that answer everything.
const SCANNERS_WITH_CATCH_ALL: usize = 2;
/// Networks of scanners, beyond those of callers.
const SCANNER_NETWORKS: usize = 470;

const PROGRAMS: [&str; 8] = [
    "python-requests/2.32.3",
    "okhttp/5.1.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0",
    "Go-http-client/2.0",
    "axios/1.11.0",
    "curl/8.14.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "terraform-provider/2.46",
];
const SCANNER_PROGRAMS: [&str; 3] =
    ["Mozilla/5.0 (compatible; Nmap Scripting Engine)", "gobuster/3.6", "python-requests/2.32.3"];

const WORDLIST: [&str; 40] = [
    "/.env",
    "/.git/config",
    "/wp-login.php",
    "/wp-admin/setup-config.php",
    "/xmlrpc.php",
    "/phpmyadmin/index.php",
    "/admin",
    "/admin/login",
    "/administrator/index.php",
    "/actuator/env",
    "/actuator/health",
    "/server-status",
    "/.aws/credentials",
    "/.DS_Store",
    "/config.json",
    "/backup.zip",
    "/backup.sql",
    "/db.sql.gz",
    "/console/",
    "/solr/admin/info/system",
    "/cgi-bin/luci",
    "/HNAP1",
    "/boaform/admin/formLogin",
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
    "/owa/auth/logon.aspx",
    "/manager/html",
    "/jenkins/script",
    "/swagger.json",
    "/v2/api-docs",
    "/openapi.json",
    "/graphql",
    "/api/v1/pods",
    "/debug/pprof/",
    "/metrics",
    "/telescope/requests",
    "/storage/logs/laravel.log",
    "/.vscode/sftp.json",
    "/robots.txt",
    "/sitemap.xml",
    "/favicon.ico",
];
const TRAVERSALS: [&str; 6] = [
    "/../../../../etc/passwd",
    "/..%2f..%2f..%2fetc%2fpasswd",
    "/static/%2e%2e/%2e%2e/windows/win.ini",
    "/cgi-bin/.%2e/.%2e/.%2e/bin/sh",
    "/download?file=../../../etc/shadow",
    "/....//....//etc/hosts",
];

/// A program somewhere, and whoever it speaks for.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub identity: Option<String>,
    pub address: String,
    pub program: &'static str,
}

#[derive(Debug)]
pub(super) struct Callers {
    clients: Vec<Client>,
}

impl Callers {
    /// `count` callers, at least one, of whom about three share two networks.
    pub fn new(count: usize, seed: Seed) -> Self {
        let count = count.max(1);
        let clients = (0..count).map(|index| {
            let own = seed.with("caller").with_number(index as u64);
            let anonymous = index % 100 < ANONYMOUS_PERCENT;
            Client {
                identity: (!anonymous).then(|| format!("u-{}", 1_000 + index)),
                address: address(index * 2 / 3, 10 + (index % 200) as u8, own.below(10) == 0).to_string(),
                program: PROGRAMS[own.with("program").below(PROGRAMS.len() as u64) as usize],
            }
        });
        Self { clients: clients.collect() }
    }

    pub fn pick(&self, rng: &mut impl Rng) -> &Client {
        let count = self.clients.len();
        let rank = Zipf::new(count as f64, ACTIVITY_EXPONENT).map_or(1, |activity| activity.sample(rng) as usize);
        &self.clients[rank.clamp(1, count) - 1]
    }
}

/// A request that belongs to no operation.
#[derive(Debug)]
pub(super) struct Probe {
    pub client: Client,
    pub method: &'static str,
    pub target: String,
    pub status: u16,
}

/// A request of one of the scanners; `known` is a path that the API answers.
pub(super) fn probe(known: &str, rng: &mut impl Rng) -> Probe {
    let scanner = rng.random_range(0..SCANNERS);
    let client = Client {
        identity: (scanner % 3 == 0).then(|| format!("u-{}", 90_000 + scanner)),
        address: address(SCANNER_NETWORKS + scanner, 66, false).to_string(),
        program: SCANNER_PROGRAMS[scanner % SCANNER_PROGRAMS.len()],
    };
    let target = target(known, rng);
    let answered = scanner < SCANNERS_WITH_CATCH_ALL && rng.random_bool(0.6);
    let status = match rng.random_range(0..20) {
        _ if answered => 200,
        0 => 403,
        1 => 400,
        2 => 405,
        3 => 301,
        _ => 404,
    };
    let method = ["GET", "GET", "GET", "GET", "GET", "GET", "GET", "HEAD", "POST", "OPTIONS"][rng.random_range(0..10)];
    Probe { client, method, target, status }
}

fn target(known: &str, rng: &mut impl Rng) -> String {
    let pick = |words: &[&'static str], rng: &mut _| words.choose(rng).copied().unwrap_or_default();
    match rng.random_range(0..10) {
        0..4 => pick(&WORDLIST, rng).to_owned(),
        4 => pick(&TRAVERSALS, rng).to_owned(),
        5..7 => {
            let extension = pick(&["", ".php", ".bak", ".old", ".jsp", "/"], rng);
            format!("/{}{extension}", pick(&[NOUNS.as_slice(), &TECHNICAL].concat(), rng))
        }
        7 => format!("/{:08x}/{}", rng.random::<u32>(), pick(&TECHNICAL, rng)),
        // Below what exists: another word, or the path of something else.
        8 => {
            let parent = known.rsplit_once('/').map_or("", |(parent, _)| parent);
            format!(
                "{parent}/{}",
                pick(&["admin", "debug", "internal", "backup", "export", "test", "old", "config"], rng)
            )
        }
        _ => format!("{}{}", known.trim_end_matches('/'), pick(&WORDLIST, rng)),
    }
}
