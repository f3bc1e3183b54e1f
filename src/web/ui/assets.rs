//! The stylesheet, the script and the icon, built in.

use actix_web::{HttpResponse, web::Path};

use crate::web::problem::Problem;

const ICON: &str = include_str!("../assets/icon.svg");

/// One asset by name.
pub async fn asset(name: Path<String>) -> Result<HttpResponse, Problem> {
    let (kind, body) = match name.as_str() {
        "bandpass.css" => ("text/css; charset=utf-8", include_str!("../assets/bandpass.css")),
        "bandpass.js" => ("text/javascript; charset=utf-8", include_str!("../assets/bandpass.js")),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return Err(Problem::not_found("file")),
    };
    Ok(HttpResponse::Ok().content_type(kind).insert_header(("Cache-Control", "no-cache")).body(body))
}

/// The icon where browsers look for it.
pub async fn favicon() -> HttpResponse {
    HttpResponse::Ok().content_type("image/svg+xml").body(ICON)
}
