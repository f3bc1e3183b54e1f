//! The development sign-in leaves nothing behind that opens anything, and is nothing for real people (semantics.md, 31).


use crate::{
    house,
    signin_house::run,
    support::{
        browser::Browser,
        database::Database,
        http::{self, request},
        issuer::Issuer,
        service::{Folder, Service, program},
    },
};

async fn status(service: &Service, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    http::once(service.address(), &request("GET", "/api/v1/requests", &[("Authorization", &bearer)], None)).await.unwrap().status
}

#[test]
fn what_was_made_under_it_ends_with_it_and_real_people_keep_it_out() {
    run(|| async {
        let folder = Folder::new("bandpass_development");
        house::write(folder.path());
        let database = Database::sqlite(folder.path());
        let issuer = Issuer::start().await;
        let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", &database);
        service.set("SIGNIN__DEVELOPMENT_REAL_PEOPLE", "false");
        let target = "[[connector]]\nname = \"target\"\nkind = \"memory\"\n";
        let development = format!("[signin]\nmode = \"development\"\n{target}");
        service.configure(&development);
        service.start().await;
        let mut anybody = Browser::new(service.address());
        assert_eq!(anybody.post("/signin", "person=ada").await.status, 303);
        let csrf = anybody.csrf("/tokens").await;
        let made = anybody.post("/tokens", &format!("csrf={csrf}&label=x&expires=90d&read=on&admin=on")).await;
        let page = String::from_utf8(made.body).unwrap();
        let by_page = format!("bp_{}", page.split_once(">bp_").unwrap().1.split_once('<').unwrap().0);
        let by_operator = service.tokens(&["ada".to_owned()], "read").remove(0);
        assert_eq!((status(&service, &by_page).await, status(&service, &by_operator).await), (200, 200));
        service.stop();
        service.configure(&format!("[signin]\nmode = \"oidc\"\n{target}{}", issuer.settings("corp", crate::signin_house::USUAL)));
        service.start().await;
        assert_eq!((status(&service, &by_page).await, status(&service, &by_operator).await), (401, 200), "what the operator made on the machine stays");
        // Ann signs in with the issuer: from now on there are real people here.
        let front = crate::signin_house::Front { service, issuer, folder, database };
        front.signed_in("ann").await;
        let mut service = front.service;
        service.stop();
        service.configure(&development);
        let told = service.run(&["serve"]);
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(!told.status.success() && said.contains("`signin.development_real_people = true`"), "{said}");
        service.set("SIGNIN__DEVELOPMENT_REAL_PEOPLE", "true");
        service.start().await;
        assert_eq!(status(&service, &by_page).await, 200);
        service.stop();
    });
}
