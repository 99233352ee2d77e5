//! The agents that this controller can send: static binaries, compressed, one for each architecture.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use andon_core::digest::Digest;

/// The largest agent that is read, unpacked, in bytes.
const MAX_AGENT: u64 = 64 << 20;

/// One agent.
#[derive(Debug, Clone)]
pub struct Agent {
    /// BLAKE3 of the unpacked binary: its name on hosts.
    pub digest: Digest,
    /// What is sent.
    pub gzipped: Arc<Vec<u8>>,
}

/// All agents of some directories. They are read when the first host needs one: most commands need none.
#[derive(Debug, Clone, Default)]
pub struct Agents {
    by_arch: OnceLock<BTreeMap<String, Agent>>,
    looked_in: Vec<PathBuf>,
}

impl Agents {
    /// Every `andon-agent-ARCH.gz` of `dirs`; of several for one architecture, the first found.
    pub fn find(dirs: &[PathBuf]) -> Self {
        Self { by_arch: OnceLock::new(), looked_in: dirs.to_vec() }
    }

    /// The agents, by architecture as `uname -m` says.
    pub fn by_arch(&self) -> &BTreeMap<String, Agent> {
        self.by_arch.get_or_init(|| {
            let mut found = BTreeMap::new();
            for entry in
                self.looked_in.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten()
            {
                let name = entry.file_name();
                let arch =
                    name.to_str().and_then(|name| name.strip_prefix("andon-agent-")?.strip_suffix(".gz"));
                if let Some(arch) = arch
                    && !found.contains_key(arch)
                    && let Some(agent) = read(&entry.path())
                {
                    found.insert(arch.to_owned(), agent);
                }
            }
            found
        })
    }

    /// What to tell when there is none for `arch`.
    pub fn missing(&self, arch: &str) -> String {
        let dirs: Vec<String> = self.looked_in.iter().map(|dir| dir.display().to_string()).collect();
        format!(
            "there is no agent for {arch}: andon-agent-{arch}.gz was looked for in {}; build one there with: cargo \
             xtask agent",
            dirs.join(" and ")
        )
    }
}

fn read(path: &Path) -> Option<Agent> {
    let gzipped = std::fs::read(path).ok()?;
    let mut binary = Vec::new();
    flate2::read::GzDecoder::new(gzipped.as_slice()).take(MAX_AGENT).read_to_end(&mut binary).ok()?;
    Some(Agent { digest: Digest::of(&binary), gzipped: Arc::new(gzipped) })
}
