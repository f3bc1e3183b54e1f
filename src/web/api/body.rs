//! A JSON body that may be left out. One that is there is read strictly: actix's own `Option<Json<…>>` takes a body of another
//! type, or with unknown fields, for none, and then a vote goes through whose sender meant something else.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web::Json};
use serde::de::DeserializeOwned;

/// What was sent, or the default when nothing was.
pub struct Sent<T>(pub T);

/// Whether a request says that a body follows (RFC 9112, 6.3).
fn has_body(request: &HttpRequest) -> bool {
    let length = request.headers().get(header::CONTENT_LENGTH);
    request.headers().contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|l| l.as_bytes() != b"0")
}

impl<T: DeserializeOwned + Default + 'static> FromRequest for Sent<T> {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if !has_body(request) {
            return Box::pin(async { Ok(Self(T::default())) });
        }
        let read = Json::<T>::from_request(request, payload);
        Box::pin(async { read.await.map(|body| Self(body.into_inner())) })
    }
}
