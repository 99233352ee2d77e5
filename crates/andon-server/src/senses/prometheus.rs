//! A client of Prometheus' HTTP API: one question, one bounded answer. What is no number stays none: it is left out,
//! and never becomes nought.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use andon_core::legible;
use andon_core::quantity::format_duration;
use andon_core::time::Time;
use serde::Deserialize;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// The most that is read of an answer, in bytes.
const MAX_ANSWER: u64 = 4 << 20;
/// The most that is read of a file with a token, in bytes.
const MAX_TOKEN: u64 = 16 << 10;
/// How much of what a server says goes into a sentence, in bytes.
const MAX_QUOTE: usize = 300;
/// How long a question may take, all in all.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// One value of an instant query.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The labels that tell it from the others.
    pub labels: BTreeMap<String, String>,
    /// The value; always finite.
    pub value: f64,
}

/// What a server answered to an instant query.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The moment that it was evaluated for, by the server's own clock; `None` where nothing was found.
    pub at: Option<Time>,
    /// All values that are finite.
    pub samples: Vec<Sample>,
    /// How many were not.
    pub not_numbers: usize,
}

/// Why a source gave no numbers. The message is a sentence for people, without the name of the metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SenseError {
    /// It could not be reached, or did not answer in time.
    #[error("{0}")]
    Unreachable(String),
    /// It answered that it will not or cannot.
    #[error("{0}")]
    Refused(String),
    /// Its answer is not what was asked for.
    #[error("{0}")]
    Unusable(String),
}

/// A Prometheus server, or what speaks like one. Cheap to clone; connections are kept.
#[derive(Debug, Clone)]
pub struct Prometheus {
    url: String,
    token_file: Option<PathBuf>,
    agent: Agent,
}

impl Prometheus {
    /// The server at `url` (`http://prometheus:9090`). A token is read from its file at each question, so it may be
    /// renewed there.
    pub fn new(url: &str, token_file: Option<PathBuf>) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let agent = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .tls_config(tls)
            .user_agent("andon")
            .build()
            .into();
        Self { url: url.trim_end_matches('/').to_owned(), token_file, agent }
    }

    /// Where it is asked.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Evaluates `promql` for the moment `at`, or for now. Takes at most [`PATIENCE`].
    pub async fn query(&self, promql: &str, at: Option<Time>) -> Result<Answer, SenseError> {
        let (own, promql) = (self.clone(), promql.to_owned());
        let asked = tokio::task::spawn_blocking(move || own.ask(&promql, at));
        asked.await.unwrap_or_else(|_| {
            Err(SenseError::Unreachable(format!("the question to {} was given up", self.url)))
        })
    }

    fn ask(&self, promql: &str, at: Option<Time>) -> Result<Answer, SenseError> {
        let mut form = vec![("query", promql.to_owned())];
        form.extend(at.map(|at| ("time", format!("{}.{:03}", at.0.div_euclid(1000), at.0.rem_euclid(1000)))));
        let mut request = self.agent.post(format!("{}/api/v1/query", self.url));
        if let Some(file) = &self.token_file {
            request = request.header("Authorization", format!("Bearer {}", token(file)?));
        }
        let mut response = request.send_form(form).map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        let body = body.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => SenseError::Unusable(format!(
                "the answer of {} is larger than {} MiB; ask for fewer series",
                self.url,
                MAX_ANSWER >> 20
            )),
            error => self.unreachable(&error),
        })?;
        self.read(status, &body)
    }

    pub(super) fn read(&self, status: u16, body: &[u8]) -> Result<Answer, SenseError> {
        let Ok(answer) = serde_json::from_slice::<Wire>(body) else {
            let start = legible::neutral(&body[..body.len().min(MAX_QUOTE)]);
            let said = format!("{} answered {status}, but not as Prometheus does: {start}", self.url);
            return Err(match status {
                200..300 => SenseError::Unusable(said),
                _ => SenseError::Refused(said),
            });
        };
        let Some(data) = answer.data.filter(|_| answer.status == "success") else {
            let why = answer.error.unwrap_or_else(|| "it does not say why".to_owned());
            let why = legible::neutral(&why.as_bytes()[..why.len().min(MAX_QUOTE)]);
            return Err(SenseError::Refused(format!("{} answered {status}: {why}", self.url)));
        };
        self.values(data)
    }

    fn values(&self, data: Data) -> Result<Answer, SenseError> {
        let unusable = |why: &str| SenseError::Unusable(format!("{} {why}", self.url));
        let series = match data.result_type.as_str() {
            "vector" => serde_json::from_value::<Vec<Series>>(data.result),
            "scalar" => serde_json::from_value(data.result)
                .map(|value| vec![Series { metric: BTreeMap::new(), value: Some(value) }]),
            other => {
                let other = legible::neutral(&other.as_bytes()[..other.len().min(MAX_QUOTE)]);
                return Err(unusable(&format!(
                    "gave a {other}; the query must give one value for each host"
                )));
            }
        };
        let series = series.map_err(|_| unusable("gave values that no Prometheus gives"))?;
        let mut answer = Answer { at: None, samples: Vec::new(), not_numbers: 0 };
        for Series { metric, value } in series {
            // Native histograms have no single value.
            let Some((at, value)) = value else {
                answer.not_numbers += 1;
                continue;
            };
            answer.at = answer.at.or_else(|| moment(at));
            match value.parse::<f64>() {
                Ok(value) if value.is_finite() => answer.samples.push(Sample { labels: metric, value }),
                _ => answer.not_numbers += 1,
            }
        }
        Ok(answer)
    }

    fn unreachable(&self, error: &ureq::Error) -> SenseError {
        let url = &self.url;
        SenseError::Unreachable(match error {
            ureq::Error::Timeout(_) => format!("{url} did not answer within {}", format_duration(PATIENCE)),
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                format!("nothing listens at {url}")
            }
            ureq::Error::HostNotFound => format!("the host of {url} is not known"),
            other => format!("{url} could not be asked: {other}"),
        })
    }
}

fn moment(seconds: f64) -> Option<Time> {
    const YEAR_9999: f64 = 253_402_300_800.0;
    #[allow(clippy::cast_possible_truncation, reason = "it was just seen to be in range")]
    (0.0..YEAR_9999).contains(&seconds).then(|| Time((seconds * 1000.0).round() as i64))
}

fn token(file: &Path) -> Result<String, SenseError> {
    use std::io::Read;
    let unusable = |why: &str| SenseError::Refused(format!("the token in {} {why}", file.display()));
    let mut text = String::new();
    let read = std::fs::File::open(file).and_then(|open| open.take(MAX_TOKEN).read_to_string(&mut text));
    read.map_err(|error| unusable(&format!("cannot be read: {error}")))?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unusable("is empty, or not one word"));
    }
    Ok(token.to_owned())
}

/// The envelope of every answer.
#[derive(Deserialize)]
struct Wire {
    status: String,
    data: Option<Data>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: serde_json::Value,
}

#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    /// Seconds, and the value as text.
    value: Option<(f64, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<Answer, SenseError> {
        Prometheus::new("http://prom:9090/", None).read(status, body.as_bytes())
    }

    #[test]
    fn values_that_are_no_numbers_are_counted_and_never_become_nought() {
        let body = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"instance":"web1:9100"},"value":[1700000000.25,"42.5"]},
            {"metric":{"instance":"web2:9100"},"value":[1700000000.25,"NaN"]},
            {"metric":{"instance":"web3:9100"},"value":[1700000000.25,"+Inf"]},
            {"metric":{"instance":"web4:9100"},"histogram":[1700000000.25,{}]}]}}"#;
        let answer = read(200, body).unwrap();
        assert_eq!(answer.at, Some(Time(1_700_000_000_250)));
        assert_eq!((answer.samples.len(), answer.not_numbers), (1, 3));
        assert_eq!(answer.samples[0].labels["instance"], "web1:9100");
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}"#;
        assert_eq!(read(200, scalar).unwrap().samples[0].value, 7.0);
        let nothing = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        assert_eq!(read(200, nothing).unwrap(), Answer { at: None, samples: Vec::new(), not_numbers: 0 });
    }

    #[test]
    fn what_a_server_refuses_or_garbles_is_said_in_a_sentence() {
        let told = |status, body: &str| read(status, body).unwrap_err().to_string();
        let refused =
            r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected \u001b[31m"}"#;
        let said = told(400, refused);
        assert!(said.starts_with("http://prom:9090 answered 400: parse error: unexpected "), "{said}");
        assert!(!said.contains('\u{1b}'));
        assert!(
            told(200, "<html>")
                .starts_with("http://prom:9090 answered 200, but not as Prometheus does: <html>")
        );
        let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
        assert_eq!(
            told(200, matrix),
            "http://prom:9090 gave a matrix; the query must give one value for each host"
        );
        let odd = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":3}]}}"#;
        assert_eq!(told(200, odd), "http://prom:9090 gave values that no Prometheus gives");
    }
}
