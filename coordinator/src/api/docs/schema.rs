//! Schemas on the page: a type's name with its link, a table of fields, an example made of the fields' own examples.

use super::html::{escaped, row};
use super::{prose_of, text};
use serde_json::{Map, Value, json};

/// How deep an example goes into schemas that name each other.
const DEPTH_MAX: usize = 6;

/// The type in a few words.
pub fn named(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        let name = escaped(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if let Some(choices) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        return choices.iter().map(named).collect::<Vec<_>>().join(" or ");
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return parts.iter().map(named).collect::<Vec<_>>().join(" and ");
    }
    let kinds: Vec<String> = match &schema["type"] {
        Value::String(kind) => vec![escaped(kind)],
        Value::Array(kinds) => kinds.iter().map(text).collect(),
        _ => vec!["any".to_owned()],
    };
    let kinds: Vec<String> = kinds
        .into_iter()
        .map(|kind| match kind.as_str() {
            "array" => format!("list of {}", named(&schema["items"])),
            "object" if schema["additionalProperties"].is_object() => {
                format!("map to {}", named(&schema["additionalProperties"]))
            }
            "null" => "<i>null</i>".to_owned(),
            _ => kind,
        })
        .collect();
    format!("{}{}", kinds.join(" or "), limits(schema))
}

/// What a value must keep to.
fn limits(schema: &Value) -> String {
    let mut said = Vec::new();
    if let Some(values) = schema["enum"].as_array().filter(|values| values.len() <= 12) {
        let values: Vec<String> =
            values.iter().map(|value| format!("<code>{}</code>", text(value))).collect();
        said.push(values.join(" "));
    }
    for (key, word) in
        [("minimum", "≥"), ("maximum", "≤"), ("minLength", "length ≥"), ("maxLength", "length ≤")]
    {
        if let Some(value) = schema.get(key).filter(|value| value.is_number()) {
            said.push(format!("{word} {value}"));
        }
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        said.push(format!("<code class=\"re\">{}</code>", escaped(pattern)));
    }
    if said.is_empty() { String::new() } else { format!("<span class=\"lim\">{}</span>", said.join(", ")) }
}

/// The fields of an object, those of its parts included; nothing for other types.
pub fn fields(document: &Value, schema: &Value) -> String {
    let mut rows = String::new();
    for part in parts(document, schema) {
        let required: Vec<&str> =
            part["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, field) in part["properties"].as_object().into_iter().flatten() {
            let needed = if required.contains(&name.as_str()) { "" } else { " <i>optional</i>" };
            rows.push_str(&row(&[
                format!("<code>{}</code>{needed}", escaped(name)),
                named(field),
                prose_of(field),
            ]));
        }
    }
    if !rows.is_empty() {
        return format!("<table class=\"fields\"><tbody>{rows}</tbody></table>");
    }
    format!("<p>{}</p>", named(schema))
}

/// An object's schema, or those that it is put together from.
fn parts<'a>(document: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let schema = resolved(document, schema);
    match schema["allOf"].as_array() {
        Some(all) => all.iter().flat_map(|part| parts(document, part)).collect(),
        None => vec![schema],
    }
}

/// A JSON example; nothing for other kinds.
pub fn example(document: &Value, kind: &str, schema: &Value) -> String {
    let value = if kind == "application/json" { sample(document, schema, DEPTH_MAX) } else { Value::Null };
    if !value.is_object() || value.as_object().is_some_and(Map::is_empty) {
        return String::new();
    }
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    format!("<details class=\"ex\"><summary>Example</summary><pre>{}</pre></details>", escaped(&text))
}

fn sample(document: &Value, schema: &Value, depth: usize) -> Value {
    let told = resolved(document, schema);
    if let Some(example) = told.get("example") {
        return example.clone();
    }
    if let Some(first) = told["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    let choices = told["oneOf"].as_array().or(told["anyOf"].as_array());
    if let Some(choice) = choices.and_then(|choices| choices.iter().find(|one| one["type"] != "null")) {
        return if depth == 0 { Value::Null } else { sample(document, choice, depth - 1) };
    }
    let kind = match &told["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").and_then(Value::as_str),
        kind => kind.as_str(),
    };
    match kind {
        Some("string") => json!("…"),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("array") if depth > 0 => json!([sample(document, &told["items"], depth - 1)]),
        Some("array") => json!([]),
        _ if depth > 0 => {
            let mut object = Map::new();
            for part in parts(document, told) {
                for (name, field) in part["properties"].as_object().into_iter().flatten() {
                    object.insert(name.clone(), sample(document, field, depth - 1));
                }
            }
            Value::Object(object)
        }
        _ => json!({}),
    }
}

/// The name that a reference ends in.
fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str().and_then(|target| target.rsplit('/').next())
}

/// What a reference leads to; the schema itself if it is none.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|target| document.pointer(target.trim_start_matches('#')));
    target.unwrap_or(schema)
}
