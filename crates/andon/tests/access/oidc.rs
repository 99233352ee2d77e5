//! Signing in by another system: a real OpenID provider on loopback.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use andon_testbed::balancer::free_ports;
use andon_testbed::oidc::{Account, OidcProvider};
use serde_json::Value;

use crate::browser::Browser;
use crate::house::House;
use crate::project::Project;

/// A server that lets in whom the provider knows, at example.com. The listener keeps its port for it.
fn house(provider: &OidcProvider, more: &str) -> (House, TcpListener) {
    let project = Project::local(1);
    project.write("secret", &format!("{}\n", OidcProvider::CLIENT_SECRET));
    let secret = project.path().join("secret");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    // The provider has to know where to send people back to, so the address is settled before the server starts.
    let (held, port) = free_ports(1).unwrap();
    let address = format!("127.0.0.1:{port}");
    let config = format!(
        "listen = \"{address}\"\nexternal_url = \"http://{address}\"\n[oidc]\nissuer = \"{}\"\nclient_id = \"{}\"\n\
         client_secret_file = \"{}\"\nscopes = [\"profile\", \"email\", \"groups\"]\n\
         allowed_domains = [\"example.com\"]\nlabel = \"Sign in at Example\"\n{more}",
        provider.issuer(),
        OidcProvider::CLIENT_ID,
        secret.display()
    );
    project.write("server.toml", &config);
    (House::in_project(project, &["--config", "server.toml", "--listen", &address]), held)
}

const GROUPS: &str = "[oidc.grants]\noperators = [\"deploy:www\", \"line\"]\nadmins = [\"admin\"]\n";
const CALLBACK: &str = "http://127.0.0.1/sign-in/oidc/return";

/// The path that the provider sends a browser back to.
fn back(provider: &OidcProvider, browser: &mut Browser<'_>, name: &str) -> String {
    let left = browser.get("/sign-in/oidc").is(303);
    let url = provider.sign_in(name, left.header("location")).unwrap();
    format!("/sign-in/oidc/return{}", url.split_once("/sign-in/oidc/return").unwrap().1)
}

#[test]
fn whom_the_provider_names_is_let_in_with_what_their_groups_may_do() {
    let mut stranger = Account::new("eve", &["admins"]);
    stranger.email = "eve@example.org".to_owned();
    let mut odd = Account::new("odd", &[]);
    odd.name = "<script>".to_owned();
    let accounts = [Account::new("ana", &["operators", "unknown"]), Account::new("ben", &[]), stranger, odd];
    let provider = OidcProvider::start(CALLBACK, &accounts).unwrap();
    let (house, _held) = house(&provider, GROUPS);
    // Nobody is a user yet, and nobody gets in without saying who they are.
    house.ask("GET", "/v1/me", "", "").is(401);
    let mut ana = Browser::new(&house);
    assert!(ana.get("/sign-in").is(200).body.contains("Sign in at Example"));
    let left = ana.get("/sign-in/oidc").is(303);
    let url = left.header("location");
    for part in ["code_challenge=", "code_challenge_method=S256", "state=", "nonce=", "scope=openid"] {
        assert!(url.contains(part), "{part} in {url}");
    }
    let path = back(&provider, &mut ana, "ana");
    let came = ana.get(&path).is(303);
    assert_eq!(came.header("location"), "/");
    assert_eq!(ana.who().as_deref(), Some("ana"));
    let me: Value = ana.send("GET", "/v1/me", "", "").json();
    assert_eq!(me["grants"], serde_json::json!(["deploy:www", "line"]));
    // The same way back a second time is none.
    let mut again = Browser::new(&house);
    again.get(&path).is(403);
    ana.get(&path).is(403);
    // Somebody without groups reads; somebody of another domain, or without a name that can be one, does not.
    let mut ben = Browser::new(&house);
    let path = back(&provider, &mut ben, "ben");
    ben.get(&path).is(303);
    ben.fetch("POST", "/v1/deployments", "{\"service\": \"www\"}").is(403);
    for (name, why) in [
        ("eve", "verified address of mail"),
        ("<script>", "no claim preferred_username that can be a user's name"),
    ] {
        let mut browser = Browser::new(&house);
        let path = back(&provider, &mut browser, name);
        let refused = browser.get(&path).is(403);
        assert!(refused.body.contains(why), "{refused:?}");
        assert!(!refused.body.contains("<script>") && browser.who().is_none());
    }
    let ledger = house.ledger();
    assert!(
        ledger.contains(&format!("\"issuer\":\"{}\"", provider.issuer())) && ledger.contains("\"oidc\""),
        "{ledger}"
    );
}

#[test]
fn a_way_back_that_was_not_begun_in_this_browser_signs_nobody_in() {
    let provider =
        OidcProvider::start(CALLBACK, &[Account::new("ana", &[]), Account::new("eve", &[])]).unwrap();
    let (house, _held) = house(&provider, GROUPS);
    let (mut ana, mut eve) = (Browser::new(&house), Browser::new(&house));
    // Eve's own way back, in ana's browser: ana would act as eve without knowing.
    let eves = back(&provider, &mut eve, "eve");
    ana.get(&eves).is(403);
    back(&provider, &mut ana, "ana");
    ana.get(&eves).is(403);
    assert_eq!(ana.who(), None);
    // Another state, another code, none at all, and what the provider itself refuses.
    let path = back(&provider, &mut ana, "ana");
    let changed = path.replace("state=", "state=x");
    ana.get(&changed).is(403);
    let path = back(&provider, &mut ana, "ana");
    ana.get(&path.replace("code=", "code=x")).is(403);
    for path in [
        "/sign-in/oidc/return",
        "/sign-in/oidc/return?code=x&state=y",
        "/sign-in/oidc/return?error=access_denied",
    ] {
        back(&provider, &mut ana, "ana");
        ana.get(path).is(403);
    }
    assert_eq!(ana.who(), None);
}

#[test]
fn somebody_elsewhere_does_not_become_a_user_of_the_same_name_here() {
    let provider = OidcProvider::start(CALLBACK, &[Account::new("ana", &[])]).unwrap();
    let (house, _held) = house(&provider, "");
    house.users(&[]);
    let mut other = Browser::new(&house);
    let path = back(&provider, &mut other, "ana");
    let refused = other.get(&path).is(403);
    assert!(refused.body.contains("another way of signing in"), "{refused:?}");
    assert_eq!(other.who(), None);
    assert_eq!(Browser::of(&house, "ana").who().as_deref(), Some("ana"));
}

#[test]
fn a_provider_that_signs_with_new_keys_is_believed_again_without_a_restart() {
    let mut provider = OidcProvider::start(CALLBACK, &[Account::new("ana", &[])]).unwrap();
    let (house, _held) = house(&provider, "");
    for _ in 0..2 {
        let mut ana = Browser::new(&house);
        let path = back(&provider, &mut ana, "ana");
        ana.get(&path).is(303);
        assert_eq!(ana.who().as_deref(), Some("ana"));
        provider.renew_keys().unwrap();
    }
}

#[test]
fn whom_somebody_removed_does_not_come_back_by_signing_in_until_they_are_added_again() {
    let provider =
        OidcProvider::start(CALLBACK, &[Account::new("ana", &["admins"]), Account::new("ben", &[])]).unwrap();
    let (house, _held) = house(&provider, GROUPS);
    let sign_in = |name: &str| {
        let mut browser = Browser::new(&house);
        let path = back(&provider, &mut browser, name);
        (browser.get(&path), browser)
    };
    sign_in("ana").0.is(303);
    let mut ben = sign_in("ben").1;
    assert_eq!(ben.who().as_deref(), Some("ben"));
    // Whoever reads a feed elsewhere is led back here.
    let feed = ben.get("/feed.atom").is(200).body;
    assert!(feed.contains(&format!("href=\"http://{}/", house.address)), "{feed}");
    house.project.well(&["user", "remove", "ben"]);
    assert_eq!(ben.who(), None);
    let (refused, mut again) = sign_in("ben");
    assert!(refused.is(403).body.contains("ben was removed here"));
    assert_eq!(again.who(), None);
    house.project.well(&["user", "add", "ben", "--without-password"]);
    assert_eq!(sign_in("ben").1.who().as_deref(), Some("ben"));
}
