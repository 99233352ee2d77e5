//! A shop whose releases are judged, its users, and a weather that befalls all of its instances.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use andon_load::{Load, Mix};
use andon_testbed::Backend;
use serde_json::Value;

use crate::front::Front;
use crate::project::{Ran, text};
use crate::shop::{BALANCER_HOST, Shop, go_on, steady};

/// Instances of the shop.
pub(crate) const INSTANCES: u16 = 6;

/// Quick rules: a look every second, and a few seconds of comparing.
pub(crate) const RULES: &str =
    r#"judge = judge(tick = "1s", warmup = "1s", observe = "4s", window = "20s", holdback = "0s"),"#;

/// One load of this size at a time, so that no test waits for the processor of another.
static TURN: Mutex<()> = Mutex::new(());

/// A shop behind a balancer, open, with users.
pub(crate) struct Scene {
    pub(crate) shop: Shop,
    pub(crate) front: Front,
    _turn: MutexGuard<'static, ()>,
}

impl Scene {
    /// A shop of which `watch` is watched, by [`RULES`].
    pub(crate) fn open(front: impl FnOnce(&[Backend]) -> Front, watch: &str) -> Self {
        let scene = Self::closed(front, watch, RULES);
        scene.begin("");
        scene
    }

    /// The same by other rules, and nothing is deployed yet.
    pub(crate) fn closed(front: impl FnOnce(&[Backend]) -> Front, watch: &str, rules: &str) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let shop = Shop::of(INSTANCES);
        let front = front(shop.backends());
        shop.write_line_of(
            INSTANCES.into(),
            &front.expression(BALANCER_HOST),
            &format!("watch = [{watch}], {rules}"),
            "",
        );
        let scene = Self { shop, front, _turn: turn };
        scene.weather(0, 100);
        scene
    }

    /// Deploys the first release, which behaves like this, while nobody is there.
    pub(crate) fn begin(&self, behaviour: &str) {
        self.release("zero", behaviour);
        self.shop.finish(self.shop.deploy()).code(0);
    }

    /// From now on so many of a million pages fail on every instance, and pages cost so many hundredths.
    pub(crate) fn weather(&self, failing: u32, work_percent: u32) {
        self.shop.project.write("weather", &format!("{failing} {work_percent}\n"));
    }

    /// Makes a release that behaves as the words say.
    pub(crate) fn release(&self, name: &str, behaviour: &str) {
        self.release_after("", name, behaviour);
    }

    /// The same; the shell runs `prelude` before.
    pub(crate) fn release_after(&self, prelude: &str, name: &str, behaviour: &str) {
        self.shop.release(name);
        let andon = env!("CARGO_BIN_EXE_andon");
        let weather = self.shop.project.path().join("weather");
        self.shop.project.write(
            "dist/www",
            &format!(
                "#!/bin/sh\n{prelude}\nexec '{andon}' demo-service --pages \"${{0%/www}}/pages\" --work 50000 \\\n  \
                 --weather '{}' {behaviour} \"$@\"\n",
                weather.display()
            ),
        );
    }

    /// Users who never rest; nobody waits for them to be well.
    pub(crate) fn users(&self) -> Load {
        let load = Load::start(self.front.address(), Mix { slow: 0, uploads: 0, ..Mix::default() }).unwrap();
        go_on(&load, 600);
        load.lap();
        load
    }

    /// The same, all of them well at first.
    pub(crate) fn steady(&self) -> Load {
        steady(self.front.address(), Mix { slow: 0, uploads: 0, ..Mix::default() })
    }

    /// Waits until a deployment has paused.
    #[track_caller]
    pub(crate) fn until_paused(&self, number: u64) -> Value {
        let settled = |shown: &Value| shown["state"] == "paused" || !shown["ended"].is_null();
        let shown = self.shop.project.until_shown(number, "it pauses", settled);
        assert_eq!(shown["state"], "paused", "{:#?}", Shop::story(&shown));
        shown
    }

    /// Where the analysis of a deployment is recorded.
    pub(crate) fn recording(&self, number: u64) -> PathBuf {
        self.shop.project.data().join("analysis").join(format!("{number}.jsonl"))
    }

    /// The entries of that recording so far.
    pub(crate) fn entries(&self, number: u64) -> usize {
        let text = fs::read_to_string(self.recording(number)).unwrap_or_default();
        text.lines().count().saturating_sub(1)
    }

    /// Asserts that the newest release, which was just put back, cannot be deployed again by accident.
    #[track_caller]
    pub(crate) fn is_refused(&self) {
        let project = &self.shop.project;
        project.run(&["line"]).code(1).says("stopped by #2 (www");
        project.run(&["deploy", "www"]).code(3).says("the line is stopped");
        project.well(&["line", "start", "seen"]);
        project.run(&["deploy", "www"]).code(3).says("bad").says("--allow-bad");
    }

    /// When the plan says that so many times as many errors are seen on the first host, warm-up included; the plan says
    /// so in words as well.
    pub(crate) fn planned_seconds(&self, times: f64) -> Option<f64> {
        let ran = self.shop.project.well(&["plan", "www", "--json"]);
        let plan: Value = serde_json::from_str(ran.out.trim()).unwrap();
        let words = plan["outlook_in_words"][0].as_str().unwrap();
        assert!(words.starts_with("with 1 of 6 instances at "), "{words}");
        let outlook = &plan["outlook"];
        let warmup = outlook["warmup"].as_f64().unwrap();
        let seen = outlook["stages"][0]["metrics"][0]["detections"].as_array().unwrap().iter();
        let after = seen.filter(|seen| seen["ratio"] == times).find_map(|seen| seen["after"].as_f64());
        after.map(|after| (warmup + after) / 1000.0)
    }

    /// When an event that begins with these words was recorded, in seconds of the day.
    pub(crate) fn second_of(shown: &Value, words: &str) -> f64 {
        let mut events = shown["events"].as_array().unwrap().iter();
        let event = events.find(|event| text(event, "what").starts_with(words));
        let event = event.unwrap_or_else(|| panic!("{words}: {shown:#}"));
        let clock = text(event, "at").split_once('T').unwrap().1;
        let parts = clock.trim_end_matches('Z').split(':').map(|part| part.parse::<f64>().unwrap());
        parts.fold(0.0, |seconds, part| seconds * 60.0 + part)
    }

    /// Deploys to the end, whatever that is.
    pub(crate) fn deploy(&self) -> (Ran, Value) {
        let ran = self.shop.finish(self.shop.deploy());
        (ran, self.shop.newest())
    }
}

/// Asserts that a deployment was put back because of its analysis, and answers the reason.
#[track_caller]
pub(crate) fn put_back(shown: &Value) -> &str {
    assert_eq!(shown["state"], "rolled_back", "{shown:#}");
    assert_eq!(shown["analysis"]["verdict"], "fail", "{shown:#}");
    text(shown, "reason")
}
