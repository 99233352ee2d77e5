//! What the pages say with nothing in them, with one deployment, and with very many.

use std::io::Write;
use std::time::Duration;

use andon_core::chronicle::dna::Standing;
use andon_core::deployment::{Course, HostCounts, Summary};
use andon_core::release::ReleaseId;

use crate::scene::{Scene, WWW, past, scope};

const ALL: [&str; 3] = ["/dora", "/dna", "/hosts"];

#[tokio::test]
async fn pages_without_anything_in_them_teach() {
    let scene = Scene::new(None).await;
    scene.page("/dora").await.says("No deployment yet");
    for path in ["/dna", "/hosts"] {
        let page = scene.page(path).await;
        page.says("No host can be asked: error: line.star cannot be read");
        page.says_not("more");
    }
    assert_eq!(scene.json("/v1/hosts").await, serde_json::json!([]));
    assert_eq!(scene.json("/v1/dna").await, serde_json::json!([]));
    let dora = scene.json("/v1/dora").await;
    assert_eq!((&dora["now"]["deployments"], &dora["now"]["failure_rate"]), (&0.into(), &().into()));
    assert_eq!(dora["definitions"].as_array().unwrap().len(), 4);
    let days = scene.json("/v1/deployments/per-day?days=3&zone=Europe/Berlin").await;
    assert_eq!(days.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn pages_tell_of_the_first_deployment() {
    let scene = Scene::new(Some(WWW)).await;
    scene.counted().await;
    let hosts = scene.page("/hosts").await;
    hosts.says("not deployed yet");
    hosts.says_not("✘");
    scene.page("/dna").await.says("www → production: 4 hosts, where nothing runs");
    let (_, release) = scene.deploy("one").await;
    let dna = scene.until_page_says("/dna", release.as_str()).await;
    dna.says("4 current");
    dna.says("checkout: &lt;b&gt;retry&lt;/b&gt; on 409");
    dna.says("Every host that was asked runs what it should.");
    let hosts = scene.page("/hosts").await;
    hosts.says("web3.example.com");
    hosts.says("4 hosts");
    scene.page("/hosts?q=web3").await.says("1 of 4 hosts");
    scene.page("/hosts?q=nobody").await.says("0 of 4 hosts");
    let host = scene.page("/hosts/web3.example.com").await;
    host.says("href=\"/deployments/1\"");
    host.says("href=\"/deployments/1/hosts/web3.example.com\"");
    host.says("8080");
    assert_eq!(scene.get("/hosts/web9.example.com").await.status, 404);
    assert_eq!(scene.get("/hosts/%3Cscript%3E").await.status, 404);
    assert_eq!(scene.get("/v1/hosts/web9").await.status, 404);
    let dora = scene.page("/dora").await;
    dora.says("all services → production");
    dora.says("<dt>succeeded</dt><dd>1</dd>");
    dora.says("1 h");
    let keys = scene.json("/v1/dora?days=7&service=www").await;
    assert_eq!((&keys["now"]["deployments"], &keys["before"]["deployments"]), (&1.into(), &0.into()));
    assert_eq!(keys["now"]["lead_time"]["count"], 1);
    assert_eq!(scene.json("/v1/hosts/web3.example.com").await["services"][0]["standing"], "current");
}

#[tokio::test]
async fn laggards_and_silent_hosts_stand_apart_and_nothing_that_a_host_says_is_markup() {
    let scene = Scene::new(Some(WWW)).await;
    scene.deploy("one").await;
    let old = scene.json("/v1/dna").await;
    let (_, new) = scene.deploy("two").await;
    let first: ReleaseId = match old[0]["strands"][0]["releases"][0].as_str() {
        Some(name) => name.parse().unwrap(),
        None => scene.chronicle.now().deployments.rows().next().unwrap().release(),
    };
    scene.fleet.runs("web2.example.com", "www", &first);
    scene.fleet.silence("web4.example.com", "no <script>alert(1)</script> answer");
    scene.deploy("two").await; // Nothing to change but the laggard: the census looks again when it has ended.
    scene.fleet.runs("web2.example.com", "www", &first);
    scene.census.look(&[scope("www", "production")]);
    let hosts = scene.until_page_says("/hosts", "Do not answer").await;
    hosts.says("no &lt;script&gt;alert(1)&lt;/script&gt; answer");
    hosts.says_not("<script>alert");
    let strips = scene.json("/v1/dna").await;
    let standings: Vec<&str> = strips[0]["strands"]
        .as_array()
        .unwrap()
        .iter()
        .map(|strand| strand["standing"].as_str().unwrap())
        .collect();
    assert!(standings.contains(&Standing::Unknown.slug()), "{standings:?}");
    assert_eq!(strips[0]["current"], new.as_str());
    scene.page("/hosts/web4.example.com").await.says("It did not answer");
    scene.page("/dna").await.says("unknown");
}

#[tokio::test]
async fn words_that_make_no_sense_show_the_usual_page_and_refuse_a_program() {
    let scene = Scene::new(Some(WWW)).await;
    for path in ["/dora?days=x&environment=../x&service=", "/dna?service=%00", "/hosts?q=%F0%9F%98%80"] {
        scene.page(path).await;
    }
    for path in [
        "/v1/dora?days=0",
        "/v1/dora?days=x",
        "/v1/dora?nonsense=1",
        "/v1/deployments/per-day?zone=Nowhere/X",
    ] {
        assert_eq!(scene.get(path).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn canary_caught_failures_are_told_apart_on_the_page() {
    let scene = Scene::new(Some(WWW)).await;
    let of = |id, state| past(id, 40, scope("www", "production"), state);
    let caught = |id| Summary {
        hosts: HostCounts { total: 4, changed: 1, ..HostCounts::default() },
        course: Course { exposed: Some(1), ..of(id, "").course },
        ..of(id, "rolled_back")
    };
    let rows: Vec<Summary> = (1..=40)
        .map(|id| match id {
            10 | 20 => caught(id),
            30 => of(id, "rolled_back"),
            _ => of(id, "succeeded"),
        })
        .collect();
    scene.record(&rows).await;
    let page = scene.page("/dora").await;
    page.says("1 of 40");
    page.says("2 of 40 (5 %)");
    page.says("2.5 %");
    page.says("5 min");
    let keys = scene.json("/v1/dora").await;
    assert_eq!((&keys["now"]["failures"], &keys["now"]["failures_caught"]), (&1.into(), &2.into()));
    let days = scene.json("/v1/deployments/per-day?q=ERROR").await;
    let errors: u64 = days.as_array().unwrap().iter().map(|day| day["rolled_back"].as_u64().unwrap()).sum();
    assert_eq!(errors, 3);
}

/// A thousand hosts with fifty services on each: what goes over the wire stays small, whatever they run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_hosts_and_fifty_services_fit_on_a_page() {
    let services: String = (0..50)
        .map(|number| {
            format!(
                "service(\"shop{number}\", hosts = {{\"production\": web}}, release = directory(\"build\"), \
                 run = process(exec = \"{{release}}/www\"))\n"
            )
        })
        .collect();
    let line =
        format!("web = group(\"web\", [\"web%d.example.com\" % n for n in range(1, 1001)])\n{services}");
    let scene = Scene::new(Some(&line)).await;
    let mut rows: Vec<Summary> = Vec::new();
    for id in 1..=5_000u64 {
        rows.push(past(id, 5_000, scope(&format!("shop{}", id % 50), "production"), "succeeded"));
    }
    scene.record(&rows).await;
    for host in 1..=1_000u64 {
        for service in 0..50u64 {
            // Most are equal; some lag, some run what nobody deployed.
            let id = match (host * 31 + service * 17) % 97 {
                0 => 4_000,
                1 => 4_500,
                2 => 9_999,
                _ => 4_950,
            };
            let release = past(id + service, 20_000, scope("x", "y"), "").release;
            scene.fleet.runs(&format!("web{host}.example.com"), &format!("shop{service}"), &release);
        }
    }
    for host in 1..=30 {
        scene.fleet.silence(&format!("web{}.example.com", host * 33), "no route to host");
    }
    scene.census.look(
        &scene.line().services.keys().map(|name| scope(name.as_str(), "production")).collect::<Vec<_>>(),
    );
    tokio::time::timeout(Duration::from_secs(300), scene.counted()).await.unwrap();
    for path in ALL {
        let body = scene.page(path).await.body;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(body.as_bytes()).unwrap();
        let packed = packed.finish().unwrap().len();
        assert!(packed < 300_000, "{path}: {packed} of {}", body.len());
        println!("{path}: {} bytes, {packed} over the wire", body.len());
    }
}
