//! A proxy before a recording server, and the two judgements about a case.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use andon_proxy::{Config, Proxy};
use tokio::sync::oneshot;

use crate::exchange::{Client, Response};
use crate::recorder::{Answer, Recorder, well};
use crate::strict::{self, Reading, Request};

/// A proxy and its server.
pub(crate) struct Stage {
    address: SocketAddr,
    recorder: Recorder,
    end: Option<oneshot::Sender<()>>,
}

impl Stage {
    /// With a server that is content with everything.
    pub(crate) fn start() -> Self {
        Self::with(Arc::new(well), "")
    }

    /// With a server of the test's own, and more lines of configuration.
    pub(crate) fn with(answer: Answer, more: &str) -> Self {
        let recorder = Recorder::start(answer);
        let text = format!(
            "workers = 1\n[[listen]]\naddress = \"127.0.0.1:0\"\npool = \"www\"\n\
             [pools.www]\nretries = 0\nservers = [{{ name = \"web1\", address = \"{}\" }}]\n{more}\n",
            recorder.address()
        );
        let config = Config::parse(&text).unwrap();
        let (end, ended) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listeners = Proxy::bind(&config, Vec::new()).unwrap();
                tell.send(listeners[0].local_address().unwrap()).unwrap();
                let proxy = Proxy::new(config).unwrap();
                let serving = proxy.serve(listeners, std::future::pending());
                // The end of the test cuts everything.
                tokio::select! { _ = serving => {}, _ = ended => {} }
            });
        });
        Self { address: told.recv().unwrap(), recorder, end: Some(end) }
    }

    /// A new connection to the proxy.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Where the proxy listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// All requests that reached the server, read strictly; a test fails when they can be read differently.
    pub(crate) fn reached(&self, case: &str) -> Vec<Request> {
        let mut requests = Vec::new();
        for bytes in self.recorder.recorded() {
            match strict::read(&bytes) {
                Ok(Reading::Whole(whole) | Reading::Partial(whole)) => requests.extend(whole),
                Err(why) => panic!("{case}: the server got {why}:\n{}", String::from_utf8_lossy(&bytes)),
            }
        }
        requests
    }

    /// Whether any byte reached the server.
    fn untouched(&self) -> bool {
        self.recorder.recorded().is_empty()
    }

    /// The bytes are refused with one of the statuses, the connection ends, and nothing reaches the server.
    pub(crate) fn refuses(&self, case: &str, bytes: &[u8], statuses: &[u16]) {
        let mut client = self.client();
        client.say(bytes);
        let response = client.response(false);
        let status = response.as_ref().map(|response| response.status);
        assert!(status.is_some_and(|status| statuses.contains(&status)), "{case}: {response:?}");
        assert!(client.ends(), "{case}: the connection goes on behind {status:?}");
        assert!(self.untouched(), "{case}: {:?}", self.recorder.recorded());
    }

    /// The bytes are passed on as one request that every server reads in the same way, and the client gets its answer.
    pub(crate) fn passes(&self, case: &str, bytes: &[u8], body: &[u8]) -> Request {
        let before = self.reached(case).len();
        let mut client = self.client();
        client.say(bytes);
        let response = client.response(bytes.starts_with(b"HEAD"));
        assert_eq!(response.as_ref().map(|response| response.status), Some(200), "{case}: {response:?}");
        let mut reached = self.reached(case);
        assert_eq!(reached.len(), before + 1, "{case}: {reached:?}");
        let request = reached.remove(before);
        assert_eq!(request.body, body, "{case}");
        request
    }

    /// Either it is refused with 4xx or 5xx and the connection ends, or what reaches the server is one unambiguous request
    /// without the word `smuggled` in its target.
    pub(crate) fn is_safe_with(&self, case: &str, bytes: &[u8]) -> Option<Response> {
        let mut client = self.client();
        client.say(bytes);
        let response = client.response(bytes.starts_with(b"HEAD"));
        match &response {
            Some(response) if response.status < 400 => {
                for request in self.reached(case) {
                    assert!(!request.target.contains("smuggled"), "{case}: {request:?}");
                }
            }
            _ => {
                assert!(client.ends(), "{case}: the connection goes on behind {response:?}");
                assert!(self.reached(case).is_empty(), "{case}: {:?}", self.reached(case));
            }
        }
        response
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            let _ = end.send(());
        }
    }
}
