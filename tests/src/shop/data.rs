//! Everything the shop remembers, in memory.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

use super::accounts::{Account, Address};
use super::cart::Cart;
use super::catalogue::{Product, Review};
use super::checkout::Quote;
use super::error::ShopError;
use super::orders::Order;

/// The shop's store. Ordered maps keep its answers the same from run to run.
pub(super) struct Data {
    products: BTreeMap<u32, Product>,
    reviews: BTreeMap<u32, Vec<Review>>,
    /// By the number in the account's id, so that lists come in order of registration.
    accounts: BTreeMap<u32, Account>,
    carts: BTreeMap<String, Cart>,
    /// In order of time.
    orders: Vec<Order>,
    order_index: BTreeMap<Uuid, usize>,
    orders_by_user: BTreeMap<String, Vec<usize>>,
    pub quotes: BTreeMap<Uuid, Quote>,
    pub subscribers: BTreeSet<String>,
    rng: ChaCha8Rng,
}

fn account_number(user_id: &str) -> Option<u32> {
    user_id.strip_prefix("u-")?.parse().ok()
}

impl Data {
    pub fn new(
        products: Vec<Product>,
        reviews: BTreeMap<u32, Vec<Review>>,
        accounts: Vec<Account>,
        rng: ChaCha8Rng,
    ) -> Self {
        Self {
            products: products.into_iter().map(|product| (product.id, product)).collect(),
            reviews,
            accounts: accounts
                .into_iter()
                .filter_map(|account| Some((account_number(&account.id)?, account)))
                .collect(),
            carts: BTreeMap::new(),
            orders: Vec::new(),
            order_index: BTreeMap::new(),
            orders_by_user: BTreeMap::new(),
            quotes: BTreeMap::new(),
            subscribers: BTreeSet::new(),
            rng,
        }
    }

    pub fn new_uuid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.rng.random()).into_uuid()
    }

    pub fn products(&self) -> impl Iterator<Item = &Product> {
        self.products.values()
    }

    pub fn product(&self, id: u32) -> Result<&Product, ShopError> {
        self.products.get(&id).ok_or(ShopError::NotFound("product"))
    }

    /// Oldest first.
    pub fn reviews(&self, product_id: u32) -> &[Review] {
        self.reviews.get(&product_id).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn add_review(&mut self, product_id: u32, review: Review) {
        self.reviews.entry(product_id).or_default().push(review);
    }

    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    pub fn account(&self, user_id: &str) -> Result<&Account, ShopError> {
        account_number(user_id).and_then(|number| self.accounts.get(&number)).ok_or(ShopError::NotFound("user"))
    }

    pub fn account_mut(&mut self, user_id: &str) -> Result<&mut Account, ShopError> {
        account_number(user_id).and_then(|number| self.accounts.get_mut(&number)).ok_or(ShopError::NotFound("user"))
    }

    pub fn account_by_email(&self, email: &str) -> Option<&Account> {
        self.accounts.values().find(|account| account.email == email)
    }

    pub fn address(&self, user_id: &str, address_id: u32) -> Result<&Address, ShopError> {
        self.account(user_id)?
            .addresses
            .iter()
            .find(|address| address.id == address_id)
            .ok_or(ShopError::NotFound("address"))
    }

    pub fn cart(&self, user_id: &str) -> Option<&Cart> {
        self.carts.get(user_id)
    }

    pub fn cart_mut(&mut self, user_id: &str) -> &mut Cart {
        self.carts.entry(user_id.to_owned()).or_default()
    }

    /// Orders must be added in order of time.
    pub fn add_order(&mut self, order: Order) {
        let index = self.orders.len();
        self.order_index.insert(order.id, index);
        self.orders_by_user.entry(order.user_id.clone()).or_default().push(index);
        self.orders.push(order);
    }

    pub fn order(&self, id: Uuid) -> Option<&Order> {
        self.order_index.get(&id).and_then(|index| self.orders.get(*index))
    }

    /// Oldest first.
    pub fn orders_of(&self, user_id: &str) -> impl DoubleEndedIterator<Item = &Order> {
        self.orders_by_user
            .get(user_id)
            .map(Vec::as_slice)
            .unwrap_or_default()
            .iter()
            .filter_map(|index| self.orders.get(*index))
    }

    pub fn all_orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.iter()
    }
}
