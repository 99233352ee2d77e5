//! The connection to a host cut after each frame of the protocol, and within each, in both directions: the deployment
//! goes on by itself, and nothing happens twice.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::project::{Project, QUICK, host_state, text};

/// Projects in which cuts are tried at the same time.
const PROJECTS: usize = 3;

/// Where a frame is cut: behind its end, or within it. Of the places within, each frame meets another one.
const WITHIN: [&str; 5] = ["1", "4", "5", "20", "-1"];

/// A project with one host that is reached by an `ssh` of the test's own.
struct Wired {
    project: Project,
}

impl Wired {
    fn new() -> Self {
        let project = Project::new();
        project.write("bin/ssh", include_str!("ssh.py"));
        fs::create_dir(project.path().join("host")).unwrap();
        project.write_line("group(\"web\", [\"web1\"])", QUICK, "root = \"~/www\"");
        let wired = Self { project };
        wired.release(0);
        let first = wired.command(&["deploy", "www"], &wired.place(0));
        wired.project.start_command(first).end().code(0);
        wired
    }

    /// A release whose production test leaves a trace.
    fn release(&self, turn: u64) {
        let trace = "echo tested >> \"$ANDON_ROOT/shared/tests-$ANDON_RELEASE\"";
        self.project.release(&format!("release {turn}"), trace);
    }

    /// Where the frames of one turn are counted.
    fn place(&self, turn: u64) -> PathBuf {
        let place = self.project.path().join(format!("cut-{turn}"));
        fs::create_dir_all(&place).unwrap();
        place
    }

    fn command(&self, words: &[&str], place: &Path) -> Command {
        let mut command = self.project.command(words);
        let path =
            format!("{}:{}", self.project.path().join("bin").display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env("CUT_DIR", place).env("CUT_HOME", self.project.path().join("host"));
        command
    }

    /// Deploys another release over a connection that is cut. Whether it came to that.
    fn cut(&self, turn: u64, way: &str, frame: u64, bytes: &str) -> bool {
        let what = format!("cut on the way {way} at frame {frame}, after {bytes} of its bytes");
        let (place, id) = (self.place(turn), self.project.recorded() as u64 + 1);
        self.release(turn);
        let mut command = self.command(&["deploy", "www"], &place);
        command.env("CUT_WAY", way).env("CUT_FRAME", frame.to_string()).env("CUT_BYTES", bytes);
        let mut ran = self.project.start_command(command).end();
        if frame == 1 && ran.code == Some(3) {
            // The agent was not heard at all, and nothing has begun: that is said, and it is for a person to try again.
            ran = ran.says("web1 cannot be reached").says("nothing has been changed");
            assert_eq!(self.project.recorded() as u64 + 1, id, "{what}: {ran:?}");
            ran = self.project.start_command(self.command(&["deploy", "www"], &place)).end();
        }
        assert_eq!(ran.code, Some(0), "{what}: {ran:?}");
        let shown = self.project.show(id);
        assert_eq!((text(&shown, "state"), host_state(&shown, "web1")), ("succeeded", "succeeded"), "{what}");
        let (root, release) = (self.project.path().join("host/www"), text(&shown, "release"));
        let current = fs::read_link(root.join("current")).unwrap();
        assert!(current.ends_with(release), "{what}: {current:?} and not {release}, of {shown:#}");
        let steps = fs::read_dir(root.join(".andon/steps")).unwrap();
        let names: Vec<String> = steps.map(|step| step.unwrap().file_name().into_string().unwrap()).collect();
        for stage in ["prepare", "activate", "verify", "observe"] {
            let of_stage =
                |name: &&String| name.starts_with(&format!("d{id}.")) && name.contains(&format!(".{stage}."));
            assert_eq!(names.iter().filter(of_stage).count(), 1, "{what}: {stage} in {names:?}");
        }
        let tests = fs::read_to_string(root.join("shared").join(format!("tests-{release}"))).unwrap();
        assert_eq!(tests, "tested\n", "{what}");
        place.join("cut").exists()
    }
}

#[test]
fn a_connection_that_is_cut_at_any_frame_is_made_again_and_nothing_happens_twice() {
    let next = AtomicU64::new(1);
    let ends = [("up", AtomicU64::new(u64::MAX)), ("down", AtomicU64::new(u64::MAX))];
    let cut_some = || {
        let wired = Wired::new();
        loop {
            let turn = next.fetch_add(1, Ordering::SeqCst);
            let (frame, rest) = ((turn - 1) / 4 + 1, (turn - 1) % 4);
            let (way, end) = &ends[usize::try_from(rest % 2).unwrap()];
            if ends.iter().all(|(_, end)| frame > end.load(Ordering::SeqCst)) {
                return;
            }
            if frame > end.load(Ordering::SeqCst) {
                continue;
            }
            let within = WITHIN[usize::try_from(frame).unwrap() % WITHIN.len()];
            let bytes = if rest < 2 { "all" } else { within };
            if !wired.cut(turn, way, frame, bytes) {
                end.fetch_min(frame, Ordering::SeqCst);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..PROJECTS {
            scope.spawn(cut_some);
        }
    });
    for (way, end) in &ends {
        let frames = end.load(Ordering::SeqCst) - 1;
        println!("cut at each of {frames} frames on the way {way}");
        assert!(frames >= 6, "only {frames} frames went {way}: the story is too short to mean anything");
    }
}
