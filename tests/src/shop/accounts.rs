//! Customers and administrators: profile, addresses, administration, newsletter.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Shop;
use super::auth::Caller;
use super::error::ShopError;
use super::extract::{FormBody, JsonBody, PathParam, QueryParams, check_length};

const NAME_CHARS_MAX: usize = 80;
const LINE_CHARS_MAX: usize = 120;
const NOTE_CHARS_MAX: usize = 500;
/// A newer address takes the place of an older one beyond this.
const ADDRESSES_MAX: usize = 6;
const ADMIN_PAGE_USERS: usize = 20;

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Customer,
    Admin,
}

/// A postal address of an account.
#[derive(Clone, Debug, Serialize)]
pub struct Address {
    pub id: u32,
    #[serde(flatten)]
    pub lines: AddressLines,
}

/// What a client sends to add an address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddressLines {
    pub label: String,
    pub street: String,
    pub zip: String,
    pub city: String,
    pub country: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
}

/// A customer or an administrator, as stored.
#[derive(Clone, Debug)]
pub struct Account {
    /// `u-<number>`.
    pub id: String,
    pub email: String,
    pub password: String,
    pub role: Role,
    pub name: String,
    pub phone: Option<String>,
    pub language: String,
    pub birthday: Option<String>,
    pub newsletter: bool,
    pub addresses: Vec<Address>,
    pub blocked: bool,
    pub note: Option<String>,
}

/// The part of an account that its owner sees.
#[derive(Debug, Serialize)]
pub struct Profile {
    id: String,
    email: String,
    name: String,
    role: Role,
    phone: Option<String>,
    language: String,
    birthday: Option<String>,
    newsletter: bool,
    addresses: Vec<Address>,
}

impl Account {
    pub(super) fn profile(&self) -> Profile {
        Profile {
            id: self.id.clone(),
            email: self.email.clone(),
            name: self.name.clone(),
            role: self.role,
            phone: self.phone.clone(),
            language: self.language.clone(),
            birthday: self.birthday.clone(),
            newsletter: self.newsletter,
            addresses: self.addresses.clone(),
        }
    }

    fn for_administrators(&self) -> Value {
        json!({
            "id": self.id,
            "email": self.email,
            "name": self.name,
            "role": self.role,
            "blocked": self.blocked,
            "note": self.note,
            "addresses": self.addresses.len(),
        })
    }
}

pub(super) async fn get_profile(State(shop): State<Arc<Shop>>, caller: Caller) -> Result<Json<Profile>, ShopError> {
    Ok(Json(shop.data().account(&caller.user_id)?.profile()))
}

#[derive(Deserialize)]
pub(super) struct ProfileChange {
    name: Option<String>,
    phone: Option<String>,
    language: Option<String>,
    birthday: Option<String>,
    newsletter: Option<bool>,
}

pub(super) async fn update_profile(
    State(shop): State<Arc<Shop>>,
    caller: Caller,
    JsonBody(change): JsonBody<ProfileChange>,
) -> Result<Json<Profile>, ShopError> {
    if let Some(name) = &change.name {
        check_length("name", name, 1, NAME_CHARS_MAX)?;
    }
    if let Some(phone) = &change.phone {
        check_length("phone", phone, 5, 30)?;
    }
    if let Some(language) = &change.language {
        check_length("language", language, 2, 5)?;
    }
    let mut data = shop.data();
    let account = data.account_mut(&caller.user_id)?;
    if let Some(name) = change.name {
        account.name = name;
    }
    if let Some(language) = change.language {
        account.language = language;
    }
    if let Some(newsletter) = change.newsletter {
        account.newsletter = newsletter;
    }
    account.phone = change.phone.or_else(|| account.phone.take());
    account.birthday = change.birthday.or_else(|| account.birthday.take());
    Ok(Json(account.profile()))
}

pub(super) async fn add_address(
    State(shop): State<Arc<Shop>>,
    caller: Caller,
    PathParam(user_id): PathParam<String>,
    JsonBody(lines): JsonBody<AddressLines>,
) -> Result<(StatusCode, Json<Address>), ShopError> {
    if user_id != caller.user_id {
        return Err(ShopError::Forbidden("not your account"));
    }
    check_length("street", &lines.street, 3, LINE_CHARS_MAX)?;
    check_length("zip", &lines.zip, 3, 10)?;
    check_length("city", &lines.city, 1, LINE_CHARS_MAX)?;
    check_length("country", &lines.country, 2, 2)?;
    let mut data = shop.data();
    let account = data.account_mut(&caller.user_id)?;
    let id = account.addresses.iter().map(|address| address.id).max().unwrap_or(0) + 1;
    let address = Address { id, lines };
    if account.addresses.len() >= ADDRESSES_MAX {
        // The first one is the customer's home and stays.
        account.addresses.remove(1);
    }
    account.addresses.push(address.clone());
    Ok((StatusCode::CREATED, Json(address)))
}

#[derive(Deserialize)]
pub(super) struct UserQuery {
    q: Option<String>,
    page: Option<usize>,
}

/// The developers forgot to ask for the role: whoever is signed in gets the list (API5:2023 of OWASP's API Security Top 10,
/// broken function-level authorisation).
pub(super) async fn admin_list_users(
    State(shop): State<Arc<Shop>>,
    _caller: Caller,
    QueryParams(query): QueryParams<UserQuery>,
) -> Result<Json<Value>, ShopError> {
    let needle = query.q.unwrap_or_default().to_lowercase();
    let data = shop.data();
    let found: Vec<&Account> = data
        .accounts()
        .filter(|account| account.name.to_lowercase().contains(&needle) || account.email.contains(&needle))
        .collect();
    let page = query.page.unwrap_or(1).max(1);
    let users: Vec<Value> = found
        .iter()
        .skip((page - 1).saturating_mul(ADMIN_PAGE_USERS))
        .take(ADMIN_PAGE_USERS)
        .map(|account| account.for_administrators())
        .collect();
    Ok(Json(json!({"page": page, "total": found.len(), "users": users})))
}

#[derive(Deserialize)]
pub(super) struct UserChange {
    role: Option<Role>,
    blocked: Option<bool>,
    note: Option<String>,
}

pub(super) async fn admin_update_user(
    State(shop): State<Arc<Shop>>,
    caller: Caller,
    PathParam(user_id): PathParam<String>,
    JsonBody(change): JsonBody<UserChange>,
) -> Result<Json<Value>, ShopError> {
    caller.require_admin()?;
    if let Some(note) = &change.note {
        check_length("note", note, 0, NOTE_CHARS_MAX)?;
    }
    let mut data = shop.data();
    let account = data.account_mut(&user_id)?;
    account.role = change.role.unwrap_or(account.role);
    account.blocked = change.blocked.unwrap_or(account.blocked);
    account.note = change.note.or_else(|| account.note.take());
    Ok(Json(account.for_administrators()))
}

#[derive(Deserialize)]
pub(super) struct Subscription {
    email: String,
    #[serde(rename = "frequency")]
    _frequency: Option<String>,
}

pub(super) async fn subscribe(
    State(shop): State<Arc<Shop>>,
    FormBody(subscription): FormBody<Subscription>,
) -> Result<(StatusCode, Json<Value>), ShopError> {
    let (local, domain) =
        subscription.email.split_once('@').ok_or_else(|| ShopError::Invalid("email must be an address".to_owned()))?;
    check_length("email", local, 1, 64)?;
    check_length("email domain", domain, 3, LINE_CHARS_MAX)?;
    if !shop.data().subscribers.insert(subscription.email) {
        return Err(ShopError::Conflict { code: "already_subscribed", message: "this address is already subscribed" });
    }
    Ok((StatusCode::ACCEPTED, Json(json!({"status": "confirmation_sent"}))))
}
