//! What customers do: look around, sign in, buy, look after their orders and their account.

use axum::http::StatusCode;
use rand::RngExt;
use rand_distr::{Distribution, Zipf};
use serde_json::{Value, json};
use time::{Date, Duration};

use super::draft::Draft;
use super::free_text;
use super::persona::{DeviceKind, Token};
use super::request::{ShopClient, ShopResponse};
use super::visit::{Pace, Visit, VisitEnd};
use crate::shop::{CATEGORIES, Endpoint, FILES, PRODUCTS, Release};

const POPULARITY_EXPONENT: f64 = 0.9;
/// A client gives up logging in after so many wrong passwords.
const LOGIN_ATTEMPTS_MAX: usize = 3;
/// Products taken out of the catalogue that old links still lead to.
const GONE_PRODUCTS: std::ops::Range<u32> = PRODUCTS + 1..PRODUCTS + 60;

/// Files that browsers keep without asking again.
const KEPT_LONG: [&str; 3] = ["vendor.js", "logo.svg", "favicon.ico"];

/// What brings a customer to the shop.
#[derive(Clone, Copy)]
enum Intent {
    Browse,
    Buy,
    Orders,
    Profile,
    Review,
    Export,
    Newsletter,
}

const INTENTS: [(Intent, u32); 7] = [
    (Intent::Browse, 22),
    (Intent::Buy, 40),
    (Intent::Orders, 12),
    (Intent::Profile, 12),
    (Intent::Review, 15),
    (Intent::Export, 11),
    (Intent::Newsletter, 9),
];

/// One visit of a customer, from the first page to the last.
///
/// # Errors
/// Whatever ends the visit early.
pub(super) async fn visit<C: ShopClient>(visit: &mut Visit<'_, C>, release: Release) -> Result<(), VisitEnd> {
    visit.open(release).await?;
    match visit.intent() {
        Intent::Browse => visit.browse(8).await,
        Intent::Buy => visit.buy(release).await,
        Intent::Orders => visit.look_at_orders().await,
        Intent::Profile => visit.edit_profile().await,
        Intent::Review => visit.review().await,
        Intent::Export => visit.export().await,
        Intent::Newsletter => visit.subscribe().await,
    }
}

impl<C: ShopClient> Visit<'_, C> {
    fn intent(&mut self) -> Intent {
        let total: u32 = INTENTS.iter().map(|(_, weight)| weight).sum();
        let mut draw = self.rng.random_range(0..total);
        for (intent, weight) in INTENTS {
            if draw < weight {
                return intent;
            }
            draw -= weight;
        }
        Intent::Browse
    }

    fn product(&mut self) -> u32 {
        Zipf::new(f64::from(PRODUCTS), POPULARITY_EXPONENT)
            .map_or(1, |popularity| popularity.sample(&mut self.rng) as u32)
    }

    /// The first requests of a visit: files of the page, the profile of a known customer,
    /// and since release 2 recommendations.
    async fn open(&mut self, release: Release) -> Result<(), VisitEnd> {
        if self.device().kind == DeviceKind::Browser && self.chance(0.4) {
            self.load_files().await?;
        }
        if self.token().is_none() {
            return Ok(());
        }
        let refused = self.chance(0.1);
        if refused && let Some(token) = &mut self.device().token {
            // The shop has changed its key since, so the signature is wrong.
            let signature_at = token.value.rfind('.').map_or(0, |dot| dot + 1);
            let reversed: String = token.value[signature_at..].chars().rev().collect();
            token.value.replace_range(signature_at.., &reversed);
        }
        // With most tokens the page knows from its own storage who is there.
        if refused || self.chance(0.7) {
            let response = self.send(Pace::Click, Draft::to(Endpoint::GetProfile)).await?;
            if response.status == StatusCode::UNAUTHORIZED {
                self.device().token = None;
                return Ok(());
            }
        }
        if release >= Release::Two && self.chance(0.6) {
            self.send(Pace::Program, Draft::to(Endpoint::Recommendations)).await?;
        }
        Ok(())
    }

    async fn load_files(&mut self) -> Result<(), VisitEnd> {
        // Caches are emptied now and then.
        let cached = self.device().assets_cached && !self.chance(0.15);
        for (file, _, bytes) in FILES {
            let kept = KEPT_LONG.contains(&file) || self.chance(0.4);
            if cached && kept {
                continue;
            }
            let tag = cached.then(|| format!("\"{file}-{bytes}\""));
            let draft = Draft::at(Endpoint::Asset, file).if_none_match(tag);
            self.send(Pace::Program, draft).await?;
        }
        self.device().assets_cached = true;
        Ok(())
    }

    /// Signs in unless the device still holds a token.
    ///
    /// # Errors
    /// Gives up after too many wrong passwords.
    pub(super) async fn sign_in(&mut self) -> Result<(), VisitEnd> {
        if self.token().is_some() {
            return Ok(());
        }
        self.device().token = None;
        for _ in 0..LOGIN_ATTEMPTS_MAX {
            let remember = self.chance(0.45);
            let mut password = self.persona.account.password.clone();
            if self.chance(0.09) {
                match self.rng.random_range(0..3) {
                    0 => password = password.to_uppercase(),
                    1 => password.truncate(password.len() - 1),
                    _ => password.push('1'),
                }
            }
            let mut body = json!({"email": self.persona.account.email, "password": password});
            if remember {
                body["remember"] = json!(true);
            }
            if self.device().kind == DeviceKind::App && self.chance(0.6) {
                body["device_name"] = json!(self.persona.phone_model);
            }
            let response = self.send(Pace::Type, Draft::to(Endpoint::Login).json(&body)).await?;
            if response.status == StatusCode::OK {
                self.keep_token(&response, remember);
                return Ok(());
            }
        }
        Err(VisitEnd::GaveUp)
    }

    fn keep_token(&mut self, response: &ShopResponse, remembered: bool) {
        let body = response.json();
        let (Some(value), Some(expires_in_s)) = (body["token"].as_str(), body["expires_in"].as_i64()) else {
            return;
        };
        let expires_at = self.now + Duration::seconds(expires_in_s - 60);
        self.device().token = Some(Token { value: value.to_owned(), expires_at, remembered });
    }

    /// Lists, searches and opens products, about `steps` times; the last product seen is returned.
    async fn look_around(&mut self, steps: usize) -> Result<u32, VisitEnd> {
        let mut last = self.product();
        for _ in 0..self.rng.random_range(1..=steps) {
            match self.rng.random_range(0..100) {
                0..32 => self.list().await?,
                32..52 => self.search().await?,
                52..86 => {
                    last = self.product();
                    self.open_product(last).await?;
                }
                _ => {
                    let page = self.chance(0.15).then(|| self.rng.random_range(2..4));
                    let draft = Draft::at(Endpoint::ListReviews, last).query_if("page", page);
                    self.send(Pace::Read, draft).await?;
                }
            }
        }
        Ok(last)
    }

    async fn browse(&mut self, steps: usize) -> Result<(), VisitEnd> {
        self.look_around(steps).await.map(|_| ())
    }

    async fn list(&mut self) -> Result<(), VisitEnd> {
        let mut draft = Draft::to(Endpoint::ListProducts);
        if self.chance(0.6) {
            draft = draft.query("category", *self.pick(&CATEGORIES));
        }
        if self.chance(0.15) {
            draft = draft.query("sort", *self.pick(&["price", "-price", "name", "rating"]));
        }
        if self.chance(0.05) {
            draft = draft.query("min_price", self.rng.random_range(1..20) * 500);
        }
        if self.chance(0.06) {
            draft = draft.query("max_price", self.rng.random_range(2..40) * 500);
        }
        if self.chance(0.05) {
            draft = draft.query("in_stock", "true");
        }
        let pages = if self.chance(0.25) { self.rng.random_range(2..4) } else { 1 };
        for page in 1..=pages {
            let next = (page > 1).then_some(page);
            self.send(Pace::Read, draft.clone().query_if("page", next)).await?;
        }
        Ok(())
    }

    async fn search(&mut self) -> Result<(), VisitEnd> {
        let words = free_text::search(&mut self.rng);
        let page = self.chance(0.07).then_some(2);
        let draft = Draft::to(Endpoint::Search).query("q", words).query_if("page", page);
        self.send(Pace::Type, draft).await?;
        Ok(())
    }

    async fn open_product(&mut self, id: u32) -> Result<(), VisitEnd> {
        let id = if self.chance(0.035) { self.rng.random_range(GONE_PRODUCTS) } else { id };
        let mut draft = Draft::at(Endpoint::GetProduct, id);
        if self.chance(0.045) {
            draft = draft.query("ref", *self.pick(&["newsletter", "friend"]));
        } else if self.chance(0.045) {
            draft = draft.query("utm_source", *self.pick(&["mail", "social"]));
        }
        self.send(Pace::Read, draft).await?;
        Ok(())
    }

    async fn buy(&mut self, release: Release) -> Result<(), VisitEnd> {
        if self.chance(0.4) {
            self.sign_in().await?;
        }
        let mut product = self.look_around(3).await?;
        self.sign_in().await?;
        if release >= Release::Two && self.chance(0.5) {
            let draft = Draft::to(Endpoint::Recommendations).query("product", product.min(PRODUCTS));
            self.send(Pace::Program, draft).await?;
        }
        let wanted = if self.chance(0.35) { self.rng.random_range(2..4) } else { 1 };
        for _ in 0..wanted {
            self.add_to_cart(product).await?;
            product = self.product();
        }
        let cart = self.send(Pace::Click, Draft::to(Endpoint::GetCart)).await?.json();
        let wants = self.change_cart(&cart).await?;
        if wants && self.chance(0.85) {
            self.check_out(release).await?;
        }
        Ok(())
    }

    pub(super) async fn add_to_cart(&mut self, product: u32) -> Result<(), VisitEnd> {
        let quantity = if self.chance(0.2) { self.rng.random_range(2..7) } else { 1 };
        let mut body = json!({"product_id": product, "quantity": quantity});
        if self.chance(0.15) {
            body["options"] = json!({"gift_wrap": self.chance(0.7)});
            if self.chance(0.6) {
                body["options"]["engraving"] = json!(free_text::engraving(&mut self.rng));
            }
        }
        self.send(Pace::Click, Draft::to(Endpoint::AddCartItem).json(&body)).await?;
        Ok(())
    }

    /// Whether anything is left to buy.
    async fn change_cart(&mut self, cart: &Value) -> Result<bool, VisitEnd> {
        let lines: Vec<u64> = cart["items"]
            .as_array()
            .map(|items| items.iter().filter_map(|item| item["id"].as_u64()).collect())
            .unwrap_or_default();
        let Some(line) = lines.last().copied() else {
            return Ok(false);
        };
        if self.chance(0.3) {
            let body = json!({"quantity": self.rng.random_range(1..6)});
            let draft = Draft::at(Endpoint::UpdateCartItem, line).json(&body);
            self.send(Pace::Click, draft).await?;
        }
        if lines.len() > 1 && self.chance(0.6) {
            self.send(Pace::Click, Draft::at(Endpoint::RemoveCartItem, line)).await?;
        }
        Ok(true)
    }

    fn payment(&mut self) -> Value {
        match self.rng.random_range(0..20) {
            0..12 => json!({"method": "card", "token": format!("tok_{:016x}", self.rng.random::<u64>())}),
            12..17 => json!({"method": "paypal", "payer": self.persona.account.email}),
            _ => json!({"method": "invoice"}),
        }
    }

    /// From the cart to the order, with the second thoughts and double clicks of real people.
    ///
    /// # Errors
    /// Whatever ends the visit early.
    pub(super) async fn check_out(&mut self, release: Release) -> Result<(), VisitEnd> {
        let mut order = json!({"address_id": 1});
        if self.chance(0.35) {
            order["delivery"] = json!(self.pick(&["express", "standard", "pickup"]));
        }
        if self.chance(0.25) {
            // Every third code is one that has run out.
            order["coupon"] =
                json!(self.pick(&["WELCOME10", "AUTUMN10", "FRIENDS10", "AUTUMN10", "SUMMER15", "WELCOME20",]));
        }
        let mut quote_id = Value::Null;
        if release >= Release::Two {
            let draft = Draft::to(Endpoint::Quote).json(&order);
            let mut quote = self.send(Pace::Click, draft).await?;
            if quote.status == StatusCode::BAD_REQUEST {
                forget(&mut order, "coupon");
                let draft = Draft::to(Endpoint::Quote).json(&order);
                quote = self.send(Pace::Click, draft).await?;
            }
            quote_id = quote.json()["quote_id"].clone();
        }
        order["payment"] = self.payment();
        if quote_id.is_string() {
            order["quote_id"] = quote_id;
        }
        if self.chance(0.14) {
            order["note"] = json!(free_text::delivery_note(&mut self.rng));
        }
        let draft = Draft::to(Endpoint::Checkout).json(&order);
        let mut placed = self.send(Pace::Type, draft.clone()).await?;
        if placed.status == StatusCode::BAD_REQUEST {
            forget(&mut order, "coupon");
            let draft = Draft::to(Endpoint::Checkout).json(&order);
            placed = self.send(Pace::Click, draft).await?;
        } else if self.chance(0.13) {
            // A double click: the cart is empty by then.
            self.send(Pace::Program, draft).await?;
        }
        if let (Some(id), true) = (placed.json()["id"].as_str(), self.chance(0.5)) {
            self.send(Pace::Click, Draft::at(Endpoint::GetOrder, id)).await?;
        }
        Ok(())
    }

    async fn look_at_orders(&mut self) -> Result<(), VisitEnd> {
        self.sign_in().await?;
        let list = self.send(Pace::Click, Draft::to(Endpoint::ListOrders)).await?.json();
        let ids: Vec<&str> = list["orders"]
            .as_array()
            .map(|orders| orders.iter().filter_map(|order| order["id"].as_str()).collect())
            .unwrap_or_default();
        for _ in 0..self.rng.random_range(1..3) {
            if !ids.is_empty() {
                let id = *self.pick(&ids);
                self.send(Pace::Read, Draft::at(Endpoint::GetOrder, id)).await?;
            }
        }
        Ok(())
    }

    async fn edit_profile(&mut self) -> Result<(), VisitEnd> {
        self.sign_in().await?;
        self.send(Pace::Click, Draft::to(Endpoint::GetProfile)).await?;
        if self.chance(0.8) {
            let change = self.profile_change();
            self.send(Pace::Type, Draft::to(Endpoint::UpdateProfile).json(&change)).await?;
        }
        if self.chance(0.7) {
            let (city, zip, country) = free_text::city(&mut self.rng);
            let mut address = json!({
                "label": self.pick(&["home", "work", "parents", "Büro", "Mum's place"]),
                "street": free_text::street(&mut self.rng),
                "zip": zip,
                "city": city,
                "country": country,
            });
            if self.chance(0.45) {
                address["company"] = json!(free_text::company(&mut self.rng));
            }
            let draft = Draft::at(Endpoint::AddAddress, self.persona.account.id.clone());
            self.send(Pace::Type, draft.json(&address)).await?;
        }
        Ok(())
    }

    fn profile_change(&mut self) -> Value {
        let mut change = json!({"phone": free_text::phone(&mut self.rng)});
        if self.chance(0.45) {
            change["name"] = json!(free_text::name(&mut self.rng));
        }
        if self.chance(0.6) {
            change["language"] = json!(self.pick(&["de", "en", "fr"]));
        }
        if self.chance(0.45) {
            change["birthday"] = json!(format!(
                "{}-{:02}-{:02}",
                self.rng.random_range(1945..2008),
                self.rng.random_range(1..=12),
                self.rng.random_range(1..=28)
            ));
        }
        if self.chance(0.45) {
            change["newsletter"] = json!(self.chance(0.5));
        }
        change
    }

    async fn review(&mut self) -> Result<(), VisitEnd> {
        self.sign_in().await?;
        let product = self.rng.random_range(1..=PRODUCTS);
        self.open_product(product).await?;
        self.send(Pace::Read, Draft::at(Endpoint::ListReviews, product)).await?;
        let text = free_text::review(&mut self.rng);
        let mut body = json!({"rating": self.rng.random_range(1..=5), "text": text});
        if self.chance(0.4) {
            body["title"] = json!(free_text::review_title(&mut self.rng));
        }
        let complete = Draft::at(Endpoint::PostReview, product).json(&body);
        if self.chance(0.22) {
            // Too short at first; the form asks for more.
            body["text"] = json!(self.pick(&["ok", "Great!", "👍", "nice", "Super", "top"]));
            let draft = Draft::at(Endpoint::PostReview, product).json(&body);
            self.send(Pace::Type, draft).await?;
        }
        self.send(Pace::Type, complete.clone()).await?;
        if self.chance(0.22) {
            self.send(Pace::Program, complete).await?;
        }
        Ok(())
    }

    async fn export(&mut self) -> Result<(), VisitEnd> {
        self.sign_in().await?;
        self.send(Pace::Click, Draft::to(Endpoint::ListOrders)).await?;
        let since = self.chance(0.5).then(|| {
            let months_ago = self.rng.random_range(1..12);
            first_of_month(self.now.date() - Duration::days(30 * months_ago))
        });
        let format = self.chance(0.5).then(|| *self.pick(&["csv", "csv", "json"]));
        let draft = Draft::to(Endpoint::Export).query_if("since", since).query_if("format", format);
        self.send(Pace::Click, draft).await?;
        Ok(())
    }

    async fn subscribe(&mut self) -> Result<(), VisitEnd> {
        self.look_around(2).await?;
        let number = self.rng.random_range(1..100_000);
        let known = self.chance(0.35);
        let email = if known { self.persona.account.email.clone() } else { format!("friend+{number}@post.example") };
        let mut fields = vec![("email", email)];
        if self.chance(0.45) {
            fields.push(("frequency", (*self.pick(&["weekly", "monthly"])).to_owned()));
        }
        let draft = Draft::to(Endpoint::Newsletter).form(fields);
        let sent = self.send(Pace::Type, draft.clone()).await?;
        if sent.status == StatusCode::ACCEPTED && self.chance(0.3) {
            self.send(Pace::Program, draft).await?;
        }
        Ok(())
    }
}

fn forget(order: &mut Value, field: &str) {
    if let Some(fields) = order.as_object_mut() {
        fields.remove(field);
    }
}

fn first_of_month(date: Date) -> String {
    format!("{:04}-{:02}-01", date.year(), u8::from(date.month()))
}
