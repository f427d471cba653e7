//! The shop's endpoints: the truth that discovery and detection are measured against.

use axum::http::Method;
use serde::{Deserialize, Serialize};

/// A release of the shop. The second one adds two endpoints and a step in the checkout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(try_from = "u8", into = "u8")]
pub enum Release {
    /// Login, catalogue, cart, checkout, orders, profile and administration.
    #[default]
    #[value(name = "1")]
    One,
    /// Adds recommendations and a quote that every checkout needs.
    #[value(name = "2")]
    Two,
}

impl From<Release> for u8 {
    fn from(release: Release) -> Self {
        match release {
            Release::One => 1,
            Release::Two => 2,
        }
    }
}

impl TryFrom<u8> for Release {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            other => Err(format!("release {other} does not exist, choose 1 or 2")),
        }
    }
}

/// Every operation that the shop answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    Login,
    ListProducts,
    GetProduct,
    ListReviews,
    PostReview,
    Search,
    GetCart,
    AddCartItem,
    UpdateCartItem,
    RemoveCartItem,
    Checkout,
    ListOrders,
    GetOrder,
    GetProfile,
    UpdateProfile,
    AddAddress,
    Export,
    AdminListUsers,
    AdminUpdateUser,
    Newsletter,
    Health,
    Asset,
    Quote,
    Recommendations,
    /// Forgotten by the developers and known to attackers only.
    InternalDebug,
}

impl Endpoint {
    /// All endpoints, the forgotten one included.
    pub const ALL: [Self; 25] = [
        Self::Login,
        Self::ListProducts,
        Self::GetProduct,
        Self::ListReviews,
        Self::PostReview,
        Self::Search,
        Self::GetCart,
        Self::AddCartItem,
        Self::UpdateCartItem,
        Self::RemoveCartItem,
        Self::Checkout,
        Self::ListOrders,
        Self::GetOrder,
        Self::GetProfile,
        Self::UpdateProfile,
        Self::AddAddress,
        Self::Export,
        Self::AdminListUsers,
        Self::AdminUpdateUser,
        Self::Newsletter,
        Self::Health,
        Self::Asset,
        Self::Quote,
        Self::Recommendations,
        Self::InternalDebug,
    ];

    /// The endpoints that honest clients of `release` use.
    pub fn of_release(release: Release) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |endpoint| !endpoint.is_hidden() && endpoint.since() <= release)
    }

    /// Whether no honest client ever calls it.
    pub fn is_hidden(self) -> bool {
        self == Self::InternalDebug
    }

    /// The first release that has it.
    pub fn since(self) -> Release {
        match self {
            Self::Quote | Self::Recommendations => Release::Two,
            _ => Release::One,
        }
    }

    /// The HTTP method it answers to.
    pub fn method(self) -> Method {
        match self {
            Self::Login
            | Self::PostReview
            | Self::AddCartItem
            | Self::Checkout
            | Self::AddAddress
            | Self::Newsletter
            | Self::Quote => Method::POST,
            Self::UpdateCartItem => Method::PUT,
            Self::RemoveCartItem => Method::DELETE,
            Self::UpdateProfile | Self::AdminUpdateUser => Method::PATCH,
            _ => Method::GET,
        }
    }

    /// Its path with parameters in braces, as OpenAPI and axum write it.
    pub fn template(self) -> &'static str {
        match self {
            Self::Login => "/api/login",
            Self::ListProducts => "/api/products",
            Self::GetProduct => "/api/products/{id}",
            Self::ListReviews | Self::PostReview => "/api/products/{id}/reviews",
            Self::Search => "/api/search",
            Self::GetCart | Self::AddCartItem => "/api/cart",
            Self::UpdateCartItem | Self::RemoveCartItem => "/api/cart/items/{id}",
            Self::Checkout => "/api/checkout",
            Self::ListOrders => "/api/orders",
            Self::GetOrder => "/api/orders/{id}",
            Self::GetProfile | Self::UpdateProfile => "/api/users/me",
            Self::AddAddress => "/api/users/{id}/addresses",
            Self::Export => "/api/export",
            Self::AdminListUsers => "/api/admin/users",
            Self::AdminUpdateUser => "/api/admin/users/{id}",
            Self::Newsletter => "/api/newsletter",
            Self::Health => "/healthz",
            Self::Asset => "/assets/{file}",
            Self::Quote => "/api/checkout/quote",
            Self::Recommendations => "/api/recommendations",
            Self::InternalDebug => "/api/internal/debug",
        }
    }
}
