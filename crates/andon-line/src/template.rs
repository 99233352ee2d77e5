//! The first `line.star` of a user: small, commented, and valid as it stands.

/// What `andon init` writes for a service of this name.
///
/// The name must be one of `andon_core::name::ServiceName`; other characters are replaced by `-`.
pub fn template(service: &str) -> String {
    let name: String = service
        .chars()
        .take(64)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
        .collect();
    let name = match name.trim_start_matches(['-', '.']) {
        "" => "www",
        name => name,
    };
    TEMPLATE.replace("SERVICE", name)
}

const TEMPLATE: &str = r#"# The line of SERVICE: where it runs, how it is released, how we know that it works.
# `andon check` reads this file, `andon deploy SERVICE` acts on it, `andon help service` explains the words.

# The hosts, in the order in which they are changed. `user` is who `ssh` logs in as.
web = group("web", ["web1.example.com", "web2.example.com"], user = "deploy", sudo = True)

service(
    "SERVICE",
    hosts   = {"production": web},
    release = archive("dist/SERVICE.tar.gz"),                   # what your build makes
    run     = systemd(exec = "{release}/bin/SERVICE --port {port}", ports = [8080]),
    health  = http("/healthz"),                                # is it up?
    tests   = [http("/", status = 200)],                       # does it do its job?
    # balancer = haproxy(host("lb1.example.com")),              # takes a host out of traffic while it changes
    rollout = rollout(waves = [1, "100%"], bake = "2m"),       # one host first, then the others
    # watch = [errors(), latency(), vitals()],                  # new against old hosts; with a balancer, without saying so
    # judge = judge(window = "15m"),                            # how long a wave is compared at most
)
"#;
