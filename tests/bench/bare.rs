//! The bare HTTP server that ours is measured against: actix-web reading and writing the same JSON, doing nothing else.
//!
//! It runs in a process of its own, like the service: this binary again, told so by the environment.

use std::{net::SocketAddr, path::Path};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Deserialize;

use crate::support::leash::Leashed;

const LISTEN: &str = "BANDPASS_BENCH_BARE";
const SAMPLE: &str = "BANDPASS_BENCH_SAMPLE";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only the reading of it is measured")]
struct NewRequest {
    group: String,
    duration: Option<String>,
    justification: Option<String>,
}

async fn answer(body: web::Json<NewRequest>, sample: web::Data<serde_json::Value>) -> HttpResponse {
    drop(body);
    HttpResponse::Created().json(sample.as_ref())
}

/// Whether this process is that server.
pub fn is_wanted() -> bool {
    std::env::var_os(LISTEN).is_some()
}

/// Serves until it is killed.
pub fn serve() {
    let address: SocketAddr = std::env::var(LISTEN).ok().and_then(|a| a.parse().ok()).expect("an address");
    let sample = std::env::var(SAMPLE).ok().and_then(|p| std::fs::read(p).ok()).expect("a sample answer");
    let sample: serde_json::Value = serde_json::from_slice(&sample).expect("the sample is JSON");
    let sample = web::Data::new(sample);
    let server = HttpServer::new(move || App::new().app_data(sample.clone()).route("/api/v1/requests", web::post().to(answer))).workers(2);
    actix_web::rt::System::new().block_on(server.bind(address).expect("a free port").run()).expect("the server runs");
}

/// Starts it with as many threads as the service, answering `sample`.
pub async fn start(folder: &Path, sample: &[u8]) -> (Leashed, SocketAddr) {
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
    let file = folder.join("sample.json");
    std::fs::write(&file, sample).expect("the sample");
    let program = std::env::current_exe().expect("this binary");
    let none: [&str; 0] = [];
    let leashed = Leashed::spawn(&program, &none, folder, &folder.join("bare.log"), |command| {
        command.env(LISTEN, address.to_string()).env(SAMPLE, &file);
    });
    while tokio::net::TcpStream::connect(address).await.is_err() {
        assert!(leashed.is_alive(), "the bare server ended instead of starting");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    (leashed, address)
}
