//! Simulated customers and attackers of the sample shop.
//!
//! [`run`] sends a [`Scenario`] through a [`ShopClient`]: [`HttpShop`] over the network, for
//! instance through Envoy, [`InProcessShop`] under a simulated clock, recording exchange JSONL.
//! Flows follow what the shop answers (tokens, ids, refusals), and everything is drawn from one seed.

mod attack;
mod customer;
mod draft;
mod free_text;
mod http;
mod in_process;
mod persona;
mod request;
mod run;
mod scenario;
mod schedule;
mod staff;
mod visit;

pub use attack::AttackKind;
pub use http::HttpShop;
pub use in_process::{Exchange, InProcessShop, write_lines};
pub(crate) use persona::address;
pub use request::{ExchangeKind, SendError, ShopClient, ShopRequest, ShopResponse};
pub use run::{RunError, generate, run};
pub use scenario::{AttackPlan, AttackShare, START, Scenario, ScenarioError};
pub use visit::SentExchange;

/// The host name that all clients ask for.
pub const HOST: &str = "shop.example";
