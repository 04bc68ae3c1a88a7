//! Log lines on standard error: text for people, or one JSON object a line for machines (A2).
//!
//! `main.rs` calls [`start`]; everybody else uses `tracing`. A line is `{timestamp, level, service, request_id, target,
//! message, …}`: the fields of the spans around it and its own, flat. `request_id` comes from the rim's span, or from the span
//! of a worker that acts on what a request caused. What must stay true: no secret is ever a field or part of a message
//! (a test reads the log of a whole story for them); one line is one write, so lines never mix.

use crate::config::{Config, LogFormat};
use serde_json::{Map, Value, json};
use std::fmt;
use std::io::{IsTerminal as _, Write};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt as text};

/// Who writes, in every line.
const SERVICE: &str = "airlock-coordinator";
/// The names that a line's own fields may not take.
const RESERVED: &[&str] = &["timestamp", "level", "service", "target", "message"];

/// Begins to log as the settings say. Call it once.
pub fn start(config: &Config) {
    // The settings were checked: an unreadable filter was refused there.
    let filter = EnvFilter::try_new(&config.log_filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let json = match config.log_format {
        LogFormat::Auto => !terminal,
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let begun = if json {
        tracing_subscriber::registry().with(filter).with(JsonLines::new(std::io::stderr)).try_init()
    } else {
        let layer = text::layer().with_ansi(terminal).with_writer(std::io::stderr);
        tracing_subscriber::registry().with(filter).with(layer).try_init()
    };
    match begun {
        Ok(()) => std::panic::set_hook(Box::new(panicked)),
        Err(error) => eprintln!("{SERVICE}: logs were begun already: {error}"),
    }
}

/// A panic as a line like every other, with the id of the request that met it.
fn panicked(info: &std::panic::PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, panic = info.payload_as_str().unwrap_or_default(), "a panic");
}

/// Writes each event as one JSON object in one line. `make` gives the place to write to.
pub struct JsonLines<M> {
    make: M,
}

impl<M, W> JsonLines<M>
where
    M: Fn() -> W,
    W: Write,
{
    /// Lines into what `make` gives.
    pub const fn new(make: M) -> Self {
        Self { make }
    }
}

/// The fields of a span or event.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::String(value.to_owned()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, json!(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, json!(value));
    }
}

impl<S, M, W> Layer<S> for JsonLines<M>
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    M: Fn() -> W + 'static,
    W: Write,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Map::new();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.extend(of_span.0.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
        }
        let mut own = Fields::default();
        event.record(&mut own);
        // Not every crate gives its events words; sqlx gives a summary of the statement.
        let words = own.0.remove("message").or_else(|| own.0.get("summary").cloned());
        let message = words.unwrap_or_else(|| event.metadata().target().into());
        fields.extend(own.0);
        let mut line = line(event, fields, message);
        line.push('\n');
        // A log that cannot be written has nowhere to say so.
        let _ = (self.make)().write_all(line.as_bytes());
    }
}

fn line(event: &Event<'_>, fields: Map<String, Value>, message: Value) -> String {
    let metadata = event.metadata();
    let now = jiff::Timestamp::now();
    let mut line = format!(
        "{{\"timestamp\":\"{now:.3}\",\"level\":\"{}\",\"service\":\"{SERVICE}\"",
        metadata.level().as_str().to_lowercase()
    );
    let mut put = |name: &str, value: &Value| line.push_str(&format!(",{}:{value}", Value::from(name)));
    if let Some(id) = fields.get("request_id") {
        put("request_id", id);
    }
    put("target", &Value::from(metadata.target()));
    put("message", &message);
    for (name, value) in fields.iter().filter(|(name, _)| *name != "request_id") {
        if RESERVED.contains(&name.as_str()) {
            put(&format!("field_{name}"), value);
        } else {
            put(name, value);
        }
    }
    line.push('}');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_flat_object_with_the_id_of_its_request() {
        let kept = Kept::default();
        let lines = JsonLines::new({
            let kept = kept.clone();
            move || kept.clone()
        });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            let span =
                tracing::info_span!("request", request_id = "r1", client_request_id = tracing::field::Empty);
            span.record("client_request_id", "theirs-1");
            span.in_scope(|| {
                tracing::warn!(took_ms = 7_u64, slow = true, level = "odd", "slow \"request\"\n")
            });
            tracing::info!("outside");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{text}");
        let first = &lines[0];
        assert_eq!(
            (&first["request_id"], &first["client_request_id"], &first["level"], &first["service"]),
            (&json!("r1"), &json!("theirs-1"), &json!("warn"), &json!(SERVICE))
        );
        assert_eq!(
            (&first["took_ms"], &first["slow"], &first["message"], &first["field_level"]),
            (&json!(7), &json!(true), &json!("slow \"request\"\n"), &json!("odd"))
        );
        assert!(
            first["timestamp"].as_str().is_some_and(|at| at.parse::<jiff::Timestamp>().is_ok()),
            "{first}"
        );
        assert_eq!((&lines[1]["request_id"], &lines[1]["message"]), (&Value::Null, &json!("outside")));
    }
}
