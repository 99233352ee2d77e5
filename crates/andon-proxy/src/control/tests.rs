//! The control socket against real clients, with a proxy that only remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Mutex;

use andon_core::balance::{ServerSight, ServerState, Traffic};
use andon_core::name::ServerName;

use super::*;

/// One pool with one server, which does what it is told.
#[derive(Default)]
struct Remembering {
    wishes: Mutex<Wishes>,
    sockets: Vec<std::net::TcpListener>,
    left: AtomicBool,
}

impl Steering for Remembering {
    fn pools(&self) -> Vec<String> {
        vec!["www".to_owned()]
    }

    fn show(&self, pool: &str) -> Result<PoolSight, BalancerFailure> {
        if pool != "www" {
            let reason = format!("there is no pool {pool:?}");
            return Err(BalancerFailure { kind: FailureKind::Missing, reason, details: String::new() });
        }
        let out = self.wishes.lock().unwrap().values().any(|traffic| *traffic == Traffic::Out);
        let state = if out { ServerState::Out } else { ServerState::Up };
        let server = ServerSight { state, weight: 100, sessions: Some(0), queued: 0, counters: None };
        let servers = BTreeMap::from([(ServerName::new("web1").unwrap(), server)]);
        Ok(PoolSight { servers, changed: BTreeSet::new() })
    }

    fn assert(&self, pool: &str, wishes: &Wishes) -> Result<PoolSight, BalancerFailure> {
        self.wishes.lock().unwrap().extend(wishes.clone());
        self.show(pool)
    }

    async fn reload(&self) -> Result<(), BalancerFailure> {
        Ok(())
    }

    fn sockets(&self) -> io::Result<Vec<(String, OwnedFd)>> {
        let duplicate = |listener: &std::net::TcpListener| {
            Ok((listener.local_addr()?.to_string(), listener.try_clone()?.into()))
        };
        self.sockets.iter().map(duplicate).collect()
    }

    fn leave(&self) -> Duration {
        self.left.store(true, Ordering::Relaxed);
        Duration::from_secs(7)
    }
}

struct Stage {
    path: PathBuf,
    steering: Arc<Remembering>,
    leaving: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
    _directory: tempfile::TempDir,
}

fn stage(steering: Remembering) -> Stage {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let socket = ControlSocket::bind(&path, 0o600).unwrap();
    let (leaving, steering) = (watch::Sender::new(false), Arc::new(steering));
    let serving = tokio::spawn(socket.serve(Arc::clone(&steering), leaving.clone()));
    Stage { path, steering, leaving, serving, _directory: directory }
}

fn out() -> ToProxy {
    let wishes = BTreeMap::from([(ServerName::new("web1").unwrap(), Traffic::Out)]);
    ToProxy::Assert { pool: "www".into(), wishes }
}

fn state(answer: &FromProxy) -> ServerState {
    let FromProxy::Sight { sight: Ok(sight) } = answer else { panic!("{answer:?}") };
    sight.servers[&ServerName::new("web1").unwrap()].state.clone()
}

/// A client of another user: `None` when it was turned away without a word.
fn heard_as(uid: u32, path: &Path) -> Option<String> {
    use std::os::unix::process::CommandExt;
    let client = "import socket, sys\n\
        s = socket.socket(socket.AF_UNIX)\n\
        s.connect(sys.argv[1])\n\
        s.settimeout(20)\n\
        try: s.sendall(bytes.fromhex(sys.argv[2])); print(s.recv(4096).hex())\n\
        except ConnectionError: print()\n";
    let hello = ToProxy::Hello { protocol: PROTOCOL, version: "0".to_owned() };
    let frame = andon_api::frame::encode(&hello).unwrap();
    let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut command = std::process::Command::new("python3");
    let ran = command.args(["-c", client]).arg(path).arg(hex).uid(uid).current_dir("/").output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    Some(String::from_utf8(ran.stdout).unwrap().trim().to_owned()).filter(|heard| !heard.is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_is_turned_away_even_where_the_path_is_open_to_everybody() {
    assert!(rustix::process::geteuid().is_root(), "only root can be another user: run this as root");
    let dir = tempfile::Builder::new().prefix("andon-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = dir.path().join("control");
    let socket = ControlSocket::bind(&path, 0o600).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    let serving = tokio::spawn(socket.serve(Arc::new(Remembering::default()), watch::channel(false).0));
    let ask = |uid| {
        let path = path.clone();
        tokio::task::spawn_blocking(move || heard_as(uid, &path))
    };
    assert!(ask(0).await.unwrap().is_some(), "root is heard");
    assert_eq!(ask(65_534).await.unwrap(), None, "nobody is not");
    serving.abort();
}

#[tokio::test]
async fn many_clients_ask_and_steer_at_once() {
    let stage = stage(Remembering::default());
    let mut clients = Vec::new();
    for _ in 0..MAX_CLIENTS {
        clients.push(Client::connect(&stage.path).await.unwrap());
    }
    assert_eq!(clients[0].identity().pools, ["www"]);
    assert_eq!(state(&clients[0].ask(&out()).await.unwrap().0), ServerState::Out);
    for client in &mut clients {
        let show = ToProxy::Show { pool: "www".into() };
        assert_eq!(state(&client.ask(&show).await.unwrap().0), ServerState::Out);
    }
    // One more waits until somebody goes.
    drop(clients.pop());
    Client::connect(&stage.path).await.unwrap();
}

#[tokio::test]
async fn an_unknown_pool_is_said_and_the_connection_goes_on() {
    let stage = stage(Remembering::default());
    let mut client = Client::connect(&stage.path).await.unwrap();
    let (answer, _) = client.ask(&ToProxy::Show { pool: "wwww".into() }).await.unwrap();
    assert!(matches!(
        answer,
        FromProxy::Sight { sight: Err(BalancerFailure { kind: FailureKind::Missing, .. }) }
    ));
    client.ask(&ToProxy::Show { pool: "www".into() }).await.unwrap();
}

#[tokio::test]
async fn only_the_owner_may_connect_and_the_path_goes_with_the_socket() {
    let stage = stage(Remembering::default());
    let mode = std::fs::metadata(&stage.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    stage.leaving.send_replace(true);
    stage.serving.await.unwrap();
    assert!(!stage.path.exists());
}

#[tokio::test]
async fn a_socket_that_a_crash_left_is_replaced_and_a_file_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    drop(StdStream::connect(&path));
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let socket = ControlSocket::bind(&path, 0o660).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    drop(socket);
    std::fs::write(&path, "somebody's letter").unwrap();
    assert!(matches!(ControlSocket::bind(&path, 0o600), Err(ControlError::NotASocket(_))));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's letter");
}

#[tokio::test]
async fn nonsense_and_rudeness_end_the_connection_and_nothing_else() {
    let stage = stage(Remembering::default());
    let path = stage.path.clone();
    let answers = tokio::task::spawn_blocking(move || {
        use std::io::Read;
        let shouts: [&[u8]; 4] =
            [b"GET / HTTP/1.1\r\n\r\n", &[0xff; 64], &[0, 0, 0, 1, 0xff], &[0, 8, 0, 1, 0]];
        shouts.map(|shout| {
            let mut stream = StdStream::connect(&path).unwrap();
            stream.write_all(shout).unwrap();
            let mut answer = Vec::new();
            // The end may come as a reset, when more was said than was read.
            let _ = stream.read_to_end(&mut answer);
            String::from_utf8_lossy(&answer).into_owned()
        })
    });
    for answer in answers.await.unwrap() {
        assert!(answer.contains("confused"), "{answer:?}");
    }
    Client::connect(&stage.path).await.unwrap();
}

#[tokio::test]
async fn who_does_not_greet_is_not_heard() {
    let stage = stage(Remembering::default());
    let mut rude = Connection::new(UnixStream::connect(&stage.path).await.unwrap(), MAX_REQUEST);
    rude.send(&out(), &[]).await.unwrap();
    let (answer, _) = rude.receive::<FromProxy>().await.unwrap().unwrap();
    assert!(matches!(answer, FromProxy::Confused { .. }));
    assert!(stage.steering.wishes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_listening_sockets_go_to_the_heir_who_accepts_what_came_in_between() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let stage = stage(Remembering { sockets: vec![listener], ..Remembering::default() });
    let mut heir = Client::connect(&stage.path).await.unwrap();
    let mut other = Client::connect(&stage.path).await.unwrap();
    let (answer, mut descriptors) = heir.ask(&ToProxy::HandOver).await.unwrap();
    let expected = ListeningSocket { address: address.to_string() };
    assert_eq!(answer, FromProxy::Sockets { sockets: Ok(vec![expected]) });
    assert_eq!(descriptors.len(), 1);

    // Nobody else may take it over or change anything now.
    let (refused, none) = other.ask(&ToProxy::HandOver).await.unwrap();
    assert!(matches!(refused, FromProxy::Sockets { sockets: Err(_) }) && none.is_empty());
    assert!(matches!(other.ask(&out()).await.unwrap().0, FromProxy::Confused { .. }));

    let _client = std::net::TcpStream::connect(address).unwrap();
    let (leaving, _) = heir.ask(&ToProxy::Taken).await.unwrap();
    assert_eq!(leaving, FromProxy::Leaving { grace_ms: 7000 });
    assert!(stage.steering.left.load(Ordering::Relaxed));
    stage.serving.await.unwrap();
    let inherited: std::net::TcpListener = descriptors.remove(0).into();
    inherited.accept().unwrap();
    // The heir, and only the heir, still sees what is under way.
    heir.ask(&ToProxy::Show { pool: "www".into() }).await.unwrap();
    assert!(Client::connect(&stage.path).await.is_err());
}

#[tokio::test]
async fn a_successor_that_dies_before_it_takes_over_costs_nothing() {
    let stage = stage(Remembering::default());
    let mut failing = Client::connect(&stage.path).await.unwrap();
    failing.ask(&ToProxy::HandOver).await.unwrap();
    drop(failing);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let mut client = Client::connect(&stage.path).await.unwrap();
        if matches!(client.ask(&out()).await.unwrap().0, FromProxy::Sight { .. }) {
            break;
        }
        assert!(Instant::now() < deadline, "still handing over");
    }
    assert!(!stage.steering.left.load(Ordering::Relaxed));
}
