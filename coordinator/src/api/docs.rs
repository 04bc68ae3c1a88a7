//! The API's description for people: one page, written once from the document, that needs no network and runs no script.
//!
//! `mod.rs` merges [`router`]: `GET /docs` and its style sheet. Operations fold open by themselves (`details`), so the strictest
//! content security policy suffices. What must stay true: everything on the page comes from the document, escaped; nothing is
//! fetched from elsewhere.

mod html;
mod schema;

use self::html::{escaped, prose, row};
use super::codes::Code;
use crate::app::App;
use axum::Router;
use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::routing::get;
use serde_json::Value;
use std::fmt::Write as _;

/// Only its own style sheet: no script, no picture, no form, no frame.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const STYLE: &str = include_str!("docs/style.css");
/// The methods, in the order of the page.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// `GET /docs` and `/docs/style.css`.
pub fn router(document: &Value) -> Router<App> {
    let page = Bytes::from(page(document));
    let page = async move || {
        ([(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY)], page.clone())
    };
    let style =
        async || ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=3600")], STYLE);
    Router::new().route("/docs", get(page)).route("/docs/style.css", get(style))
}

/// The whole page.
pub fn page(document: &Value) -> String {
    let info = &document["info"];
    let (title, version) = (text(&info["title"]), text(&info["version"]));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} API {version}</title>\n<link rel=\"stylesheet\" href=\"/docs/style.css\">\n</head>\n<body>\n"
    );
    let groups = groups(document);
    out.push_str(&contents(&groups, &title, &version));
    out.push_str("<main>\n<header><h1>");
    let _ = write!(out, "{title} API <small>{version}</small></h1>");
    out.push_str(&prose(info["description"].as_str().unwrap_or_default()));
    out.push_str("<p><a href=\"/openapi.json\">openapi.json</a> is the same for programs (OpenAPI 3.1).</p></header>\n");
    out.push_str(&credentials(document));
    for group in &groups {
        out.push_str(&section(document, group));
    }
    out.push_str(&errors());
    out.push_str(&schemas(document));
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// One tag with its operations.
struct Group<'a> {
    name: &'a str,
    about: &'a str,
    operations: Vec<Operation<'a>>,
}

/// One operation and where it is found.
struct Operation<'a> {
    method: &'static str,
    path: &'a str,
    told: &'a Value,
}

impl Operation<'_> {
    fn id(&self) -> String {
        text(&self.told["operationId"])
    }

    /// As a heading: without a full stop.
    fn summary(&self) -> String {
        escaped(self.told["summary"].as_str().unwrap_or_default().trim_end_matches('.'))
    }
}

/// The document's operations by tag, in the order of tags; a tag without any is left out.
fn groups(document: &Value) -> Vec<Group<'_>> {
    let tags = document["tags"].as_array().into_iter().flatten();
    tags.filter_map(|tag| group(document, tag)).filter(|group| !group.operations.is_empty()).collect()
}

fn group<'a>(document: &'a Value, tag: &'a Value) -> Option<Group<'a>> {
    let (name, about) = (tag["name"].as_str()?, tag["description"].as_str().unwrap_or_default());
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object()? {
        for method in METHODS {
            if let Some(told) = item.get(method).filter(|told| told["tags"][0].as_str() == Some(name)) {
                operations.push(Operation { method, path, told });
            }
        }
    }
    Some(Group { name, about, operations })
}

/// What is where.
fn contents(groups: &[Group<'_>], title: &str, version: &str) -> String {
    let mut out = format!(
        "<nav aria-label=\"Contents\"><p class=\"brand\"><a href=\"#top\">{title}</a> <small>{version}</small></p>\n<ul>"
    );
    out.push_str("<li><a href=\"#credentials\">Credentials</a></li>");
    for group in groups {
        let name = escaped(group.name);
        let _ = write!(out, "<li><details><summary>{name}</summary><ul>");
        for operation in &group.operations {
            let (method, id, path) = (operation.method, operation.id(), escaped(operation.path));
            let summary = operation.summary();
            let _ = write!(
                out,
                "<li><a href=\"#{id}\" title=\"{path}\"><span class=\"m {method}\">{method}</span> {summary}</a></li>"
            );
        }
        out.push_str("</ul></details></li>\n");
    }
    out.push_str(
        "<li><a href=\"#errors\">Errors</a></li><li><a href=\"#schemas\">Schemas</a></li></ul></nav>\n",
    );
    out
}

fn credentials(document: &Value) -> String {
    let mut out = "<section id=\"credentials\"><h2>Credentials</h2>\n<table><tbody>".to_owned();
    for (name, scheme) in document["components"]["securitySchemes"].as_object().into_iter().flatten() {
        out.push_str(&row(&[format!("<code>{}</code>", escaped(name)), prose_of(scheme)]));
    }
    out.push_str("</tbody></table></section>\n");
    out
}

fn section(document: &Value, group: &Group<'_>) -> String {
    let name = escaped(group.name);
    let mut out = format!("<section id=\"group-{name}\"><h2>{name}</h2>{}\n", prose(group.about));
    for operation in &group.operations {
        out.push_str(&shown(document, operation));
    }
    out.push_str("</section>\n");
    out
}

fn shown(document: &Value, operation: &Operation<'_>) -> String {
    let Operation { method, path, told } = operation;
    let (id, path, summary) = (operation.id(), escaped(path), operation.summary());
    let mut out = format!(
        "<details class=\"op\" id=\"{id}\"><summary><span class=\"m {method}\">{method}</span>\
         <code class=\"path\">{path}</code><span class=\"sum\">{summary}</span></summary>\n<div class=\"body\">"
    );
    out.push_str(&prose_of(told));
    out.push_str(&who_may(told));
    let parameters: Vec<&Value> = told["parameters"].as_array().into_iter().flatten().collect();
    if !parameters.is_empty() {
        out.push_str("<h3>Parameters</h3><table><thead><tr><th>name</th><th>in</th><th>type</th><th></th></tr></thead><tbody>");
        for parameter in parameters {
            let needed = if parameter["required"] == true { " <b class=\"req\">required</b>" } else { "" };
            let name = format!("<code>{}</code>{needed}", text(&parameter["name"]));
            let kind = schema::named(&parameter["schema"]);
            out.push_str(&row(&[name, text(&parameter["in"]), kind, prose_of(parameter)]));
        }
        out.push_str("</tbody></table>");
    }
    for (kind, content) in told["requestBody"]["content"].as_object().into_iter().flatten() {
        let _ = write!(out, "<h3>Request <code>{}</code></h3>", escaped(kind));
        out.push_str(&schema::fields(document, &content["schema"]));
        out.push_str(&schema::example(document, kind, &content["schema"]));
    }
    out.push_str(&answers(document, told));
    out.push_str("</div></details>\n");
    out
}

/// Roles, users and keys that may call it.
fn who_may(told: &Value) -> String {
    let allowed: Vec<String> = told["x-airlock-allowed"].as_array().into_iter().flatten().map(text).collect();
    if allowed.is_empty() {
        return "<p class=\"who\">Needs no credential.</p>".to_owned();
    }
    let chips: String = allowed.iter().map(|one| format!("<span class=\"chip\">{one}</span>")).collect();
    let step_up = if told["x-airlock-step-up"] == true { ", after a fresh second factor" } else { "" };
    format!("<p class=\"who\">For {chips}{step_up}</p>")
}

fn answers(document: &Value, told: &Value) -> String {
    let mut out = "<h3>Answers</h3><table><tbody>".to_owned();
    let mut shapes = String::new();
    let mut refusals = Vec::new();
    for (status, answer) in told["responses"].as_object().into_iter().flatten() {
        if answer.get("$ref").is_some() {
            refusals.push(escaped(status));
            continue;
        }
        let kinds = answer["content"].as_object().into_iter().flatten();
        let mut kind_names = String::new();
        for (kind, content) in kinds {
            let _ =
                write!(kind_names, "<code>{}</code> {} ", escaped(kind), schema::named(&content["schema"]));
            if kind == "application/json" {
                shapes.push_str(&schema::fields(document, &content["schema"]));
                shapes.push_str(&schema::example(document, kind, &content["schema"]));
            }
        }
        out.push_str(&row(&[
            format!("<b class=\"ok\">{}</b>", escaped(status)),
            kind_names,
            prose_of(answer),
        ]));
    }
    let refusals = refusals.join(", ");
    out.push_str(&row(&[
        refusals,
        "<a href=\"#schema-Error\">Error</a>".to_owned(),
        "see <a href=\"#errors\">Errors</a>".to_owned(),
    ]));
    out.push_str("</tbody></table>");
    out.push_str(&shapes);
    out
}

fn errors() -> String {
    let mut out = "<section id=\"errors\"><h2>Errors</h2><table><thead><tr><th>status</th><th>code</th><th></th></tr></thead><tbody>".to_owned();
    for code in Code::ALL {
        let retry = if code.retryable() { " <span class=\"chip\">retryable</span>" } else { "" };
        let name = format!("<code>{}</code>{retry}", code.name());
        out.push_str(&row(&[code.status().as_u16().to_string(), name, prose(code.about())]));
    }
    out.push_str("</tbody></table></section>\n");
    out
}

fn schemas(document: &Value) -> String {
    let mut out = "<section id=\"schemas\"><h2>Schemas</h2>\n".to_owned();
    for (name, told) in document["components"]["schemas"].as_object().into_iter().flatten() {
        let name = escaped(name);
        let _ = write!(
            out,
            "<details class=\"op\" id=\"schema-{name}\"><summary><code class=\"path\">{name}</code></summary><div class=\"body\">"
        );
        out.push_str(&prose_of(told));
        out.push_str(&schema::fields(document, told));
        out.push_str("</div></details>\n");
    }
    out.push_str("</section>\n");
    out
}

/// A string of the document, escaped.
fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

fn prose_of(value: &Value) -> String {
    prose(value["description"].as_str().unwrap_or_default())
}
