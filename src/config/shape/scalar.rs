//! One value against one schema: text, numbers, booleans, and texts with a form of their own.

use std::net::SocketAddr;

use ipnet::IpNet;
use serde_json::Value as Json;

use super::words::{choices, format_of};
use crate::config::{
    nearest,
    tree::{Text, Value},
    units::{Bytes, Span},
};

/// What a single value may be.
pub(super) struct Scalar<'a>(&'a Json);

impl<'a> Scalar<'a> {
    pub(super) fn of(schema: &'a Json) -> Self {
        Self(schema)
    }

    /// The value as the model takes it, or what is wrong with it.
    pub(super) fn fit(&self, value: &Value) -> Result<Json, String> {
        let choices = choices(self.0);
        match (super::type_of(self.0), value) {
            _ if !choices.is_empty() => chosen(&choices, value),
            ("boolean", Value::Bool(yes)) => Ok(Json::Bool(*yes)),
            ("integer", Value::Integer(number)) => self.whole(*number, &number.to_string()),
            ("number", Value::Float(number)) => self.share(*number, &number.to_string()),
            ("number", Value::Integer(number)) => {
                let near = i32::try_from(*number).map_or(f64::MAX, f64::from);
                self.share(near, &number.to_string())
            }
            ("boolean" | "integer" | "number", Value::Text(text)) if text.written.is_some() => {
                self.filled_in(text)
            }
            ("string", Value::Text(text)) => self.text(text),
            ("string", Value::Integer(number)) if format_of(self.0) == "bytes" => {
                Bytes::parse(&number.to_string()).map(|size| Json::String(size.to_string()))
            }
            _ => Err(wrong_type(value)),
        }
    }

    /// `workers: ${ENV:WORKERS}` is text in the file and a number behind it.
    fn filled_in(&self, text: &Text) -> Result<Json, String> {
        let unfit = || format!("what {} holds does not fit", text.quoted());
        if super::type_of(self.0) == "boolean" {
            return text.value.parse().map(Json::Bool).map_err(|_| unfit());
        }
        if super::type_of(self.0) == "number" {
            return self.share(text.value.parse().map_err(|_| unfit())?, &text.quoted());
        }
        self.whole(text.value.parse().map_err(|_| unfit())?, &text.quoted())
    }

    /// A number with a point in it; one that is none (`.nan`) lies outside of every range.
    fn share(&self, number: f64, shown: &str) -> Result<Json, String> {
        let bound = |key| self.0.get(key).and_then(Json::as_f64);
        let least = bound("minimum").unwrap_or(f64::MIN);
        let most = bound("maximum").unwrap_or(f64::MAX);
        match number {
            fitting if (least..=most).contains(&fitting) => Ok(Json::from(fitting)),
            small if small < least => Err(format!("{shown} is too small")),
            _ => Err(format!("{shown} is too large")),
        }
    }

    fn whole(&self, number: i128, shown: &str) -> Result<Json, String> {
        let bound = |key| self.0.get(key).and_then(Json::as_u64).map(i128::from);
        let least = bound("minimum").unwrap_or(0);
        let most = bound("maximum").unwrap_or(u32::MAX.into());
        match u64::try_from(number) {
            Ok(fitting) if (least..=most).contains(&number) => Ok(Json::from(fitting)),
            _ if number < least => Err(format!("{shown} is too small")),
            _ => Err(format!("{shown} is too large")),
        }
    }

    fn text(&self, text: &Text) -> Result<Json, String> {
        let value = text.value.as_str();
        let fits = match format_of(self.0) {
            "span" => Span::parse(value).is_ok(),
            "bytes" => Bytes::parse(value).is_ok(),
            "socket-address" => value.parse::<SocketAddr>().is_ok(),
            "cidr" => value.parse::<IpNet>().is_ok(),
            _ => return Ok(Json::from(value)),
        };
        if fits { Ok(Json::from(value)) } else { Err(format!("{} does not fit", text.quoted())) }
    }
}

/// A value of a type that no key of this place takes.
pub(super) fn wrong_type(value: &Value) -> String {
    format!("{} does not belong here", value.kind())
}

fn chosen(choices: &[&str], value: &Value) -> Result<Json, String> {
    let Value::Text(text) = value else {
        return Err(wrong_type(value));
    };
    if choices.contains(&text.value.as_str()) {
        return Ok(Json::from(text.value.as_str()));
    }
    let hint = nearest::hint(&text.value, choices.iter().copied());
    Err(format!("{} is none of them{hint}", text.quoted()))
}
