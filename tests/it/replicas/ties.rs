//! What belongs to one coordinator and bears no query id is found from every replica: transactions, logins by OAuth2,
//! assets of the web UI.

use http::{Method, header};

use crate::{
    harness::{
        client::Done,
        fleet::Fleet,
        gateway::{Gateway, groups},
        pair::MODES,
        trino,
    },
    pages::{self, Seen, Trino, UUID, hash},
};

/// Of two coordinators that are equally loaded either is chosen: so many turns, and both have had one.
const TURNS: usize = 64;

#[tokio::test]
async fn a_transaction_goes_on_at_any_replica() {
    // The first and the last: how URIs are made right says nothing of transactions, which no URI bears.
    for (mode, version, forwarded, uris) in MODES.into_iter().step_by(4) {
        let options = sluice::simulator::Options {
            version,
            forwarded,
            ..sluice::simulator::Options::default()
        };
        let a = trino::trino_with(options.clone()).await;
        let b = trino::trino_with(options).await;
        let yaml = groups(&[a.url(), b.url()], &format!(", uris: {uris}"));
        let fleet = Fleet::start(3, &yaml).await.healthy(2).await;
        let had = || (a.counts().statements > 0, b.counts().statements > 0);
        for round in 0..TURNS {
            if round >= 2 && had() == (true, true) {
                break;
            }
            let begun = within(&fleet.replicas[0], "NONE", "START TRANSACTION").await;
            let id = begun.header("x-trino-started-transaction-id").unwrap().to_owned();
            let own = if a.state_of(begun.id()).is_some() { &a } else { &b };
            for (at, sql) in [(1, "SELECT 1"), (2, "INSERT INTO t VALUES (1)"), (1, "COMMIT")] {
                let done = within(&fleet.replicas[at], &id, sql).await;
                assert_eq!(done.error_name(), None, "{mode}: {sql} at {at}");
                assert!(own.state_of(done.id()).is_some(), "{mode}: {sql} at {at}");
            }
        }
        assert_eq!((a.counts().transactions, b.counts().transactions), (0, 0), "{mode}");
        assert_eq!(had(), (true, true), "{mode}");
        fleet.end().await;
    }
}

async fn within(replica: &Gateway, transaction: &str, sql: &str) -> Done {
    let client = replica.client().with("x-trino-transaction-id", transaction);
    client.query(sql.to_owned()).await.unwrap()
}

fn trinos() -> Vec<Trino> {
    vec![Trino::new("a", "483", true), Trino::new("b", "483", true)]
}

async fn get(replica: &pages::Fleet, path: &str, cookies: &str) -> Seen {
    let request = replica.ask(Method::GET, path, "");
    let request = request.header("x-forwarded-host", "gw").header("x-forwarded-proto", "https");
    Seen::of(request.header(header::COOKIE, cookies)).await
}

fn state_of(location: &str) -> &str {
    location.split("state=").nth(1).unwrap().split('&').next().unwrap()
}

/// Begun at one, back from the provider at the other, and the token is polled at either. Where the provider is not asked
/// for `openid` there is no nonce, and so no cookie that tells whose state it is; here that coordinator wants its own.
#[tokio::test]
async fn an_exchange_of_OAuth2_goes_on_at_any_replica() {
    for (first, second) in [(0, 1), (1, 0)] {
        let replicas = pages::Fleet::start_two(trinos(), "auto").await;
        let (first, second) = (&replicas[first], &replicas[second]);
        let asked = first.ask(Method::POST, "/v1/statement", "").header("x-trino-user", "alice");
        let asked = asked.header("x-trino-routing-group", "b").body("SELECT 1");
        assert_eq!(Seen::of(asked).await.status, 401);
        let uuid = format!("b{UUID}");
        let initiate = format!("/_b/b/oauth2/token/initiate/{}", hash(&uuid));
        let begun = get(first, &initiate, "").await;
        assert_eq!((begun.status, begun.by()), (303, "b"));
        let callback = format!("/oauth2/callback?code=1&state={}", state_of(begun.location()));
        let back = get(second, &callback, "").await;
        assert_eq!((back.status, back.by()), (400, "b"), "{}", back.body);
        let nonce = begun.header("set-cookie").split(';').next().unwrap();
        let back = get(second, &callback, nonce).await;
        assert_eq!((back.status, back.by()), (200, "b"), "{}", back.body);
        for replica in [first, second] {
            let polled = get(replica, &format!("/_b/b/oauth2/token/{uuid}"), "").await;
            assert_eq!(polled.json()["token"], "token of b");
        }
    }
}

/// Two tabs that log in at once have two nonces, which do not tell whose state it is that comes back.
#[tokio::test]
async fn two_logins_at_the_UI_come_back_to_their_pages_at_another_replica() {
    let [first, second] = pages::Fleet::start_two(trinos(), "auto").await;
    let begun = [get(&first, "/_b/a/ui/sso", "").await, get(&first, "/_b/b/ui/sso", "").await];
    let nonce = |seen: &Seen| seen.header("set-cookie").split(';').next().unwrap().to_owned();
    let nonces = begun.each_ref().map(nonce).join("; ");
    for (begun, name) in begun.iter().zip(["a", "b"]) {
        let callback = format!("/oauth2/callback?code=1&state={}", state_of(begun.location()));
        let back = get(&second, &callback, &nonces).await;
        assert_eq!((back.status, back.by()), (303, name), "{}", back.body);
    }
}

/// A font is asked for by its stylesheet, whose path says nothing of the coordinator.
#[tokio::test]
async fn what_an_asset_asks_for_comes_from_its_coordinator_at_any_replica() {
    let [first, second] = pages::Fleet::start_two(trinos(), "auto").await;
    for name in ["b", "a"] {
        let style = format!("/ui/assets/index-{name}.css");
        assert_eq!(first.get(&style, &format!("/_b/{name}/ui/")).await.by(), name);
        let font = format!("/ui/assets/font-{name}.woff2");
        assert_eq!(second.get(&font, &style).await.by(), name);
        let inner = format!("/ui/assets/inner-{name}.svg");
        assert_eq!(first.get(&inner, &font).await.by(), name, "by what the other one has served");
    }
}
