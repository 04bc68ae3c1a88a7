//! How the texts of the API are spelt, for its description: amounts, networks, moments, ids.
//!
//! Handlers' requests and answers hold `String` or the parsed type and name one of these as `#[schema(value_type = Amount)]`, so
//! that the document says the form once. Nothing is ever made of these types; what reads a text decides what is taken.

use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// An exact amount in whole units of the asset: no sign, no exponent, no spaces.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, pattern = r"^(0|[1-9][0-9]{0,29})(\.[0-9]{1,18})?$", max_length = 49, example = "125.5")]
pub struct Amount(());

/// An exact amount that may be below zero: differences and changes only.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, pattern = r"^-?(0|[1-9][0-9]{0,29})(\.[0-9]{1,18})?$", max_length = 50, example = "-0.5")]
pub struct SignedAmount(());

/// An exact amount in the contract's base units.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, pattern = r"^(0|[1-9][0-9]{0,77})$", max_length = 78, example = "125500000")]
pub struct AmountBase(());

/// A whole number, which may be below zero, too large for some readers of JSON.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, pattern = r"^-?(0|[1-9][0-9]{0,77})$", max_length = 79, example = "4711")]
pub struct Whole(());

/// A network by its CAIP-2 name.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, pattern = r"^(eip155:[1-9][0-9]{0,18}|tron:0x[0-9a-f]{8})$", example = "tron:0x2b6653dc")]
pub struct NetworkName(());

/// An asset by its code.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, pattern = r"^[A-Z][A-Z0-9]{0,11}$", example = "USDT")]
pub struct AssetName(());

/// An address as its network writes it.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 64, example = "TWd4WrZ9wn84f5x1hZhL4DHvk738ns5jwb")]
pub struct AddressText(());

/// A moment: RFC 3339, UTC.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-20T14:40:24.013Z")]
pub struct Moment(());

/// A text out of a closed list, as `#[param(schema_with = …)]` of a function that calls this.
pub fn one_of(names: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build()
}
