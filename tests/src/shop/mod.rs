//! A sample shop: the API that apiward protects in tests and in the demo.
//!
//! Everything is in memory and the same at every start. [`Shop::router`] serves in process,
//! [`serve`] on a socket. [`Control`] switches the release and the outage while it runs; over
//! HTTP that is `GET` and `PUT /__control` on the control router, which has a port of its own.

mod accounts;
mod assets;
mod auth;
mod cart;
mod catalogue;
mod checkout;
mod clock;
mod control;
mod data;
mod endpoints;
mod error;
mod extract;
mod orders;
mod seed;
mod vocabulary;

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpListener;

pub use accounts::{Account, Address, AddressLines, Role};
pub use assets::FILES;
pub use clock::ShopClock;
pub use control::Control;
pub use endpoints::{Endpoint, Release};
pub use seed::{ADMINS, CUSTOMERS, PRODUCTS, accounts};
pub use vocabulary::{CATEGORIES, CITIES, FIRST_NAMES, LAST_NAMES, REVIEW_SENTENCES, STREETS};

use data::Data;
use error::ShopError;

/// Larger request bodies are answered with 413.
pub const BODY_BYTES_MAX: usize = 512 * 1024;

/// The shop with its data, its switches and its clock.
pub struct Shop {
    data: Mutex<Data>,
    control: Control,
    clock: ShopClock,
}

impl Shop {
    /// A freshly stocked shop.
    pub fn new(release: Release, clock: ShopClock) -> Arc<Self> {
        Arc::new(Self { data: Mutex::new(seed::data(clock.now())), control: Control::new(release), clock })
    }

    /// The switches: release and outage.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// The public API, of all releases; which one answers is decided per request.
    pub fn router(self: &Arc<Self>) -> Router {
        let mut router = Router::new();
        for endpoint in Endpoint::ALL {
            router = router.route(endpoint.template(), route(endpoint));
        }
        router
            .fallback(async || ShopError::NotFound("page"))
            .method_not_allowed_fallback(async || ShopError::MethodNotAllowed)
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .layer(middleware::from_fn_with_state(Arc::clone(self), outage))
            .with_state(Arc::clone(self))
    }

    /// `/__control`, for a port of its own that no customer reaches.
    pub fn control_router(self: &Arc<Self>) -> Router {
        control::router(Arc::clone(self))
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        // A handler that panicked must not take the whole sample shop with it.
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    fn timestamp(&self) -> String {
        self.now().format(&Rfc3339).unwrap_or_default()
    }

    fn require(&self, release: Release) -> Result<(), ShopError> {
        if self.control.release() >= release {
            return Ok(());
        }
        Err(ShopError::NotFound("page"))
    }
}

fn route(endpoint: Endpoint) -> axum::routing::MethodRouter<Arc<Shop>> {
    let method = MethodFilter::try_from(endpoint.method()).unwrap_or(MethodFilter::GET);
    match endpoint {
        Endpoint::Login => on(method, auth::login),
        Endpoint::ListProducts => on(method, catalogue::list_products),
        Endpoint::GetProduct => on(method, catalogue::get_product),
        Endpoint::ListReviews => on(method, catalogue::list_reviews),
        Endpoint::PostReview => on(method, catalogue::post_review),
        Endpoint::Search => on(method, catalogue::search),
        Endpoint::GetCart => on(method, cart::get_cart),
        Endpoint::AddCartItem => on(method, cart::add_item),
        Endpoint::UpdateCartItem => on(method, cart::update_item),
        Endpoint::RemoveCartItem => on(method, cart::remove_item),
        Endpoint::Checkout => on(method, checkout::checkout),
        Endpoint::ListOrders => on(method, orders::list_orders),
        Endpoint::GetOrder => on(method, orders::get_order),
        Endpoint::GetProfile => on(method, accounts::get_profile),
        Endpoint::UpdateProfile => on(method, accounts::update_profile),
        Endpoint::AddAddress => on(method, accounts::add_address),
        Endpoint::Export => on(method, orders::export),
        Endpoint::AdminListUsers => on(method, accounts::admin_list_users),
        Endpoint::AdminUpdateUser => on(method, accounts::admin_update_user),
        Endpoint::Newsletter => on(method, accounts::subscribe),
        Endpoint::Health => on(method, assets::health),
        Endpoint::Asset => on(method, assets::asset),
        Endpoint::Quote => on(method, checkout::quote),
        Endpoint::Recommendations => on(method, catalogue::recommendations),
        Endpoint::InternalDebug => on(method, assets::internal_debug),
    }
}

async fn outage(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    if shop.control.outage() {
        return ShopError::Unavailable.into_response();
    }
    next.run(request).await
}

/// Serves the public API on `listener` until `shutdown` completes.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    shop: &Arc<Shop>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, shop.router()).with_graceful_shutdown(shutdown).await
}

/// Serves `/__control` on `listener` until `shutdown` completes.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve_control(
    shop: &Arc<Shop>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, shop.control_router()).with_graceful_shutdown(shutdown).await
}
