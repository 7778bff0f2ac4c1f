//! Bodies: form, multipart or JSON, read within limits of bytes and time.

use std::collections::BTreeMap;
use std::fmt;

use axum::body::Body;
use axum::extract::{FromRequest, Multipart};
use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http_body_util::BodyExt;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::request::{MAX_FIELDS, Pairs, given_twice, shown, too_many_fields};
use super::{Failure, Gate};
use crate::code::{Limit, Problem};

/// The fields of a request's body. At most [`MAX_FIELDS`]; one that is given twice is refused, since
/// two readers might each believe another one.
#[derive(Debug)]
pub(crate) enum Fields {
    /// Of a form: texts.
    Form(Pairs),
    /// Of a JSON object: each value as it stands there.
    Json(BTreeMap<String, Box<RawValue>>),
}

impl Fields {
    /// Reads the body of a request.
    pub(super) async fn read(gate: &Gate, parts: &Parts, body: Body) -> Result<Self, Failure> {
        let time = gate.config.limits.body_seconds;
        let read = Self::read_untimed(gate, parts, body);
        tokio::time::timeout(time, read)
            .await
            .map_err(|_| Failure::of_limit(Limit::BodySeconds, "the body did not arrive in time"))?
    }

    async fn read_untimed(gate: &Gate, parts: &Parts, body: Body) -> Result<Self, Failure> {
        // What the head announces was judged with it; a body of chunks announces nothing.
        let limit = gate.config.limits.body_bytes;
        if parts.headers.contains_key(CONTENT_ENCODING) {
            let detail = "a body with a Content-Encoding is not taken";
            return Err(Failure::new(Problem::UnsupportedMediaType, detail));
        }
        Self::parse(parts, whole(body, limit).await?).await
    }

    async fn parse(parts: &Parts, bytes: Bytes) -> Result<Self, Failure> {
        let media_type = parts.headers.get(CONTENT_TYPE).map_or("", |value| {
            value.to_str().unwrap_or("?").split(';').next().unwrap_or_default().trim()
        });
        let is = |name: &str| media_type.eq_ignore_ascii_case(name);
        if is("multipart/form-data") {
            // Boxed: its state is large, and every other body would carry it along.
            return Box::pin(Self::multipart(parts, bytes)).await;
        }
        if is("application/json") {
            return Self::parse_json(&bytes);
        }
        if is("application/x-www-form-urlencoded") || (media_type.is_empty() && bytes.is_empty()) {
            return Ok(Self::Form(Pairs::parse(&bytes)?));
        }
        let detail = "Content-Type must be application/x-www-form-urlencoded, \
                      multipart/form-data or application/json";
        Err(Failure::new(Problem::UnsupportedMediaType, detail))
    }

    /// Reads a JSON object.
    pub(crate) fn parse_json(bytes: &[u8]) -> Result<Self, Failure> {
        let members: Members = serde_json::from_slice(bytes).map_err(|error| {
            // The library's own words would repeat what was sent.
            let (line, column) = (error.line(), error.column());
            let what = if error.is_data() { "not an object" } else { "no JSON" };
            Failure::field("body", &format!("{what} at line {line} column {column}"))
        })?;
        if members.beyond > 0 {
            return Err(too_many_fields());
        }
        let mut fields = BTreeMap::new();
        for (name, value) in members.first {
            if fields.contains_key(&name) {
                return Err(given_twice(&name));
            }
            fields.insert(name, value);
        }
        Ok(Self::Json(fields))
    }

    async fn multipart(parts: &Parts, bytes: Bytes) -> Result<Self, Failure> {
        let mut request = Request::new(Body::from(bytes));
        if let Some(value) = parts.headers.get(CONTENT_TYPE) {
            request.headers_mut().insert(CONTENT_TYPE, value.clone());
        }
        let broken = |error: &dyn std::fmt::Display| {
            Failure::field("body", &format!("not multipart/form-data: {error}"))
        };
        let mut multipart =
            Multipart::from_request(request, &()).await.map_err(|error| broken(&error))?;
        let mut pairs = Pairs::default();
        while let Some(field) = multipart.next_field().await.map_err(|error| broken(&error))? {
            let name = field.name().unwrap_or_default().to_owned();
            let bytes = field.bytes().await.map_err(|error| broken(&error))?;
            let text = String::from_utf8(bytes.into())
                .map_err(|_| Failure::field(shown(&name), "is not UTF-8"))?;
            pairs.push(name, text)?;
        }
        Ok(Self::Form(pairs))
    }

    /// The text of a field; `None` where it is missing or `null`.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        match self {
            Self::Form(pairs) => Ok(pairs.once(name)?.map(str::to_owned)),
            Self::Json(fields) => {
                let Some(raw) = fields.get(name) else {
                    return Ok(None);
                };
                serde_json::from_str(raw.get())
                    .map_err(|_| Failure::field(name, "must be a string"))
            }
        }
    }

    /// The values of a field that may be given more than once: all of them.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Failure> {
        match self {
            Self::Form(pairs) => Ok(pairs.all(name).map(str::to_owned).collect()),
            Self::Json(_) => Ok(self.text(name)?.into_iter().collect()),
        }
    }
}

/// All of a body, of at most `limit` bytes.
///
/// It is copied together as it comes: a piece holds on to all of the buffer that it was read into,
/// and a body may come a byte at a time.
async fn whole(mut body: Body, limit: usize) -> Result<Bytes, Failure> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|_| Failure::new(Problem::BadRequest, "the body ended before it was whole"))?;
        // Trailers say nothing here.
        let Ok(piece) = frame.into_data() else { continue };
        if piece.len() > limit.saturating_sub(whole.len()) {
            return Err(too_large(Limit::BodyBytes, limit));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(Bytes::from(whole))
}

/// The members of a JSON object in their order, none of them judged.
struct Members {
    first: Vec<(String, Box<RawValue>)>,
    /// How many there are beyond [`MAX_FIELDS`].
    beyond: usize,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members { first: Vec::new(), beyond: 0 };
                while members.first.len() < MAX_FIELDS {
                    let Some(member) = map.next_entry()? else { return Ok(members) };
                    members.first.push(member);
                }
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    members.beyond += 1;
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

/// 413, with the limit.
pub(super) fn too_large(limit: Limit, bytes: usize) -> Failure {
    let what = if limit == Limit::MessageBytes { "value" } else { "the body" };
    Failure::of_limit(limit, format!("{what} has a limit of {bytes} bytes"))
}
