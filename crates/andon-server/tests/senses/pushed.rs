//! What programs push: StatsD over real sockets, OpenMetrics by hand, through segments to another reader.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

use andon_core::analysis::{Measure, Reading};
use andon_core::line::Source;
use andon_core::name::HostName;
use andon_core::time::Time;
use andon_server::clock;
use andon_server::senses::pushed::directory;
use andon_server::senses::{Look, PushError, PushReceiver, Pushed, Senses};

use super::{arms, member, orders};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const LIMIT: Duration = Duration::from_secs(30);

async fn receiver(data: &Path) -> PushReceiver {
    PushReceiver::start(&directory(data), Some(ANY), Some(ANY)).await.unwrap()
}

fn pushed(measure: Measure, of: Option<&str>) -> andon_core::line::Watched {
    let every = Duration::from_millis(100);
    orders(measure, Source::Pushed { name: "orders".into(), of: of.map(str::to_owned), every })
}

/// Reads until `enough` of the sums says so.
async fn read_until(reader: &mut Pushed, enough: impl Fn(&Pushed) -> bool) {
    let end = tokio::time::Instant::now() + LIMIT;
    while !enough(reader) {
        assert!(tokio::time::Instant::now() < end, "{reader:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        reader.read(clock::now()).unwrap();
    }
}

fn count(reader: &Pushed, name: &str, host: &str) -> Option<f64> {
    reader.of(name).find(|(own, _)| own.as_str() == host).map(|(_, sum)| sum.count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statsd_arrives_over_both_sockets_and_mistakes_are_told_a_few_times() {
    let data = tempfile::tempdir().unwrap();
    let receiver = receiver(data.path()).await;
    let mut reader = Pushed::open(&directory(data.path()));
    let udp = UdpSocket::bind(ANY).unwrap();
    let to = receiver.statsd_udp().unwrap();
    udp.send_to(b"orders:1|c|@0.1|#host:web1\norders:2|c|#host:web2\nheap:7|g|#host:web1\n", to).unwrap();
    udp.send_to(b"mails:3|c", to).unwrap();
    for n in 0..100 {
        udp.send_to(format!("bad{n}").as_bytes(), to).unwrap();
    }
    let mut tcp = TcpStream::connect(receiver.statsd_tcp().unwrap()).unwrap();
    tcp.write_all(&[b'x'; 1 << 20]).unwrap();
    tcp.write_all(
        b"\norders:5|c|#host:web1\nheap:-2|g|#host:web1\nt:20|ms|#host:web1\nt:30|ms|#host:web1\nlast:1|c",
    )
    .unwrap();
    drop(tcp);
    read_until(&mut reader, |reader| {
        count(reader, "orders", "web1") == Some(15.0)
            && ["mails", "last"].iter().all(|name| count(reader, name, "127.0.0.1").is_some())
    })
    .await;
    assert_eq!(count(&reader, "orders", "web2"), Some(2.0));
    assert_eq!(count(&reader, "mails", "127.0.0.1"), Some(3.0));
    assert_eq!((count(&reader, "t_count", "web1"), count(&reader, "t_sum", "web1")), (Some(2.0), Some(50.0)));
    let heap = reader.of("heap").next().unwrap().1.level;
    assert!(heap == Some(5.0) || heap == Some(7.0), "the sockets are read in any order: {heap:?}");
    let mut told = Vec::new();
    let end = tokio::time::Instant::now() + LIMIT;
    while told.len() < 17 && tokio::time::Instant::now() < end {
        told.extend(receiver.complaints());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(told.iter().any(|one| one.contains("a line begins with `name:value|`: bad")), "{told:?}");
    let taken = PushReceiver::start(&directory(data.path()), None, None).await;
    assert!(matches!(taken, Err(PushError::Taken(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openmetrics_is_taken_in_whole_or_not_at_all_and_only_growth_counts() {
    let data = tempfile::tempdir().unwrap();
    let receiver = receiver(data.path()).await;
    let mut reader = Pushed::open(&directory(data.path()));
    let push = |text: &str, host: Option<&str>| {
        let host = host.map(|host| HostName::new(host).unwrap());
        receiver.receive_openmetrics(text.as_bytes(), host.as_ref())
    };
    assert_eq!(
        push("orders_total{shop=\"nl\"} 1000\norders_total{shop=\"be\"} 5\n", Some("web1")).unwrap(),
        2
    );
    assert_eq!(
        push("orders_total{shop=\"nl\"} 1004\norders_total{shop=\"be\"} 6\n", Some("web1")).unwrap(),
        2
    );
    // A program that began anew, and one that goes on.
    push("orders_total{shop=\"nl\"} 3\norders_total{shop=\"be\"} 7\n", Some("web1")).unwrap();
    push("orders_total{shop=\"nl\"} 4\nheap{host=\"web2\"} 8\nodd NaN\n", Some("web1")).unwrap();
    let told = |text: &str| push(text, None).unwrap_err().to_string();
    assert_eq!(
        told("orders_total 1\n"),
        "orders_total does not say which host it comes from; add a label `host`"
    );
    assert_eq!(
        told("orders_total{host=\"web1\",shop=\"nl\"} 900\norders 1 2 3 4"),
        "what was pushed is not OpenMetrics text: line 2: only a time may stand behind the value of orders"
    );
    assert!(told("a:b{host=\"web1\"} 1").contains("a name consists of"));
    assert!(matches!(receiver.receive_openmetrics(&[0xff], None), Err(PushError::NotText)));
    read_until(&mut reader, |reader| count(reader, "orders", "web1") == Some(7.0)).await;
    assert_eq!(reader.of("heap").next().unwrap().1.level, Some(8.0));
    // Names without end are not taken in without end.
    let many: String = (0..10_000).map(|n| format!("n{n}{{host=\"web1\"}} 1\n")).collect();
    assert!(matches!(push(&many, None), Err(PushError::TooMany(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sense_of_what_is_pushed_tells_nought_from_missing_and_goes_on_after_a_torn_end() {
    let data = tempfile::tempdir().unwrap();
    let watched = [pushed(Measure::Rate, Some("requests"))];
    let mut senses = Senses::new(&watched, data.path(), data.path());
    let silent = senses.look(&arms(), None).await.silent;
    assert!(silent[0].contains("orders: nobody receives what programs push"), "{silent:?}");
    let first = receiver(data.path()).await;
    let push = |receiver: &PushReceiver, text: &str| {
        receiver.receive_openmetrics(text.as_bytes(), None).unwrap();
    };
    push(&first, "orders_total{host=\"web1\"} 10\nrequests_total{host=\"web1\"} 100\n");
    let mut look = Look::default();
    let end = tokio::time::Instant::now() + LIMIT;
    while look.reading(0, &member("web1")) == Reading::Missing {
        assert!(tokio::time::Instant::now() < end, "{look:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        look = senses.look(&arms(), None).await;
    }
    assert_eq!(
        look.reading(0, &member("web2")),
        Reading::Missing,
        "who never pushed is not known to count nought"
    );
    push(&first, "orders_total{host=\"web1\"} 14\nrequests_total{host=\"web1\"} 180\n");
    let (mut events, mut of) = (0, 0);
    while of == 0 {
        assert!(tokio::time::Instant::now() < end, "{look:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        look = senses.look(&arms(), None).await;
        if let Reading::Count { events: more, of: more_of } = look.reading(0, &member("web1")) {
            (events, of) = (events + more, of + more_of);
        }
    }
    assert_eq!((events, of), (4, 80));
    drop(first);
    // The machine went down in the middle of a record, and comes back.
    let segment = std::fs::read_dir(directory(data.path())).unwrap().map(|entry| entry.unwrap().path());
    let segment = segment.filter(|path| path.extension().is_some_and(|end| end == "pushed")).max().unwrap();
    std::fs::File::options().append(true).open(segment).unwrap().write_all(&[9, 0, 0, 0, 1, 2]).unwrap();
    let second = loop {
        match PushReceiver::start(&directory(data.path()), Some(ANY), None).await {
            Ok(receiver) => break receiver,
            Err(error) => assert!(tokio::time::Instant::now() < end, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let udp = UdpSocket::bind(ANY).unwrap();
    udp.send_to(b"orders_total:6|c|#host:web1\nrequests_total:60|c|#host:web1", second.statsd_udp().unwrap())
        .unwrap();
    let (mut events, mut of) = (0, 0);
    while of < 60 {
        assert!(tokio::time::Instant::now() < end, "{look:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        look = senses.look(&arms(), None).await;
        if let Reading::Count { events: more, of: more_of } = look.reading(0, &member("web1")) {
            (events, of) = (events + more, of + more_of);
        }
    }
    assert_eq!((events, of), (6, 60));
    assert!(!Pushed::open(Path::new("/nowhere")).is_alive(Time(0)));
}
