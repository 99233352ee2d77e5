//! Watching a deployment until it ends: a live picture on a terminal, plain lines elsewhere, one object for programs.

use std::sync::Arc;
use std::time::Duration;

use andon_core::analysis::Standing;
use andon_core::deployment::{Ask, Deployment, PauseReason, State};
use andon_core::time::Time;
use andon_server::{Going, Problem, Progress, clock};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

use crate::commands::{Done, say, say_json};
use crate::context::width;
use crate::door::Door;
use crate::failure::Failure;
use crate::paint::Paint;
use crate::remote::Remote;
use crate::screen::paragraph;
use crate::screen::waiting::Reminders;
use crate::signals::{Said, Signals};
use crate::still::Still;
use crate::{cord, exit, json, screen, told, voice, when};

/// How often the live picture is drawn anew although nothing happened: its clocks move.
const TICK: Duration = Duration::from_millis(500);

/// Watches to the end. Ctrl-C asks for an orderly abort; a second one leaves at once.
pub(crate) async fn follow(
    controller: &Door,
    mut going: Going,
    as_json: bool,
    signals: &mut Signals,
) -> Done {
    let paint = Paint::stdout();
    let ended = match watch_to_end(controller, &mut going, as_json, None, signals).await? {
        Watched::Left(deployment) => {
            say(&if as_json {
                json::deployment(&deployment, clock::now()).to_string()
            } else {
                left(&deployment, controller.server().map(Remote::url), paint)
            });
            return Ok(exit::LEFT);
        }
        Watched::Ended(deployment) => deployment,
    };
    if as_json {
        say_json(&json::deployment(&ended, clock::now()));
    } else {
        say(&ending(&ended, paint));
        if let Ok(line) = controller.records().cord().await {
            cord::after(&line.value, &ended, clock::now()).iter().for_each(|text| {
                say(&paragraph(&format!("  {}  ", paint.dim("line")), text, wide(paint)));
            });
        }
    }
    told::after(controller, &ended, as_json).await;
    Ok(if ended.state == State::Succeeded { exit::OK } else { exit::NOT_WELL })
}

/// How watching came to its end.
pub(crate) enum Watched {
    /// The deployment ended.
    Ended(Box<Deployment>),
    /// Ctrl-C was pressed twice: nobody drives the deployment any more.
    Left(Box<Deployment>),
}

/// Tells in a few words what goes on beside a deployment, whenever it is asked.
pub(crate) type Beside<'a> = &'a dyn Fn() -> String;

/// Shows a deployment until it ends or is left, and what goes on `beside` it. What it came to is for the caller to say.
pub(crate) async fn watch_to_end(
    controller: &Door,
    going: &mut Going,
    silent: bool,
    beside: Option<Beside<'_>>,
    signals: &mut Signals,
) -> Result<Watched, Failure> {
    let mut view = View::new(Paint::stdout(), silent, beside);
    // A deployment is not left alone because the line cannot be read a second time.
    let line = controller.records().cord().await.map(|line| cord::brief(&line.value)).unwrap_or_default();
    view.begin(&going.progress.borrow(), line);
    let watched = watch(controller, going, &mut view, signals).await;
    view.end();
    watched
}

/// Says when the server is heard no more, and when it is heard again.
fn tell_trouble(controller: &Door, view: &mut View<'_>, before: &mut Option<String>) {
    let now = controller.trouble();
    if now != *before {
        view.note(now.as_deref().unwrap_or("the server is heard again"));
        *before = now;
    }
}

async fn watch(
    controller: &Door,
    going: &mut Going,
    view: &mut View<'_>,
    signals: &mut Signals,
) -> Result<Watched, Failure> {
    let Going { id, progress, end } = going;
    let (mut stops, mut trouble) = (0, None);
    loop {
        tell_trouble(controller, view, &mut trouble);
        view.draw(&progress.borrow_and_update().clone());
        tokio::select! {
            ended = &mut *end => {
                tell_trouble(controller, view, &mut trouble);
                let last = progress.borrow().clone();
                view.draw(&last);
                let ended = ended.map_err(|error| Failure::broken(format!("the driver stumbled: {error}")))?;
                return Ok(Watched::Ended(Box::new(ended?)));
            }
            changed = progress.changed() => {
                if changed.is_err() {
                    tell_trouble(controller, view, &mut trouble);
                    // The last picture was sent; only the end itself is missing.
                    let ended = end.await.map_err(|error| Failure::broken(format!("the driver stumbled: {error}")))?;
                    return Ok(Watched::Ended(Box::new(ended?)));
                }
            }
            () = tokio::time::sleep(TICK) => {}
            said = signals.next() => {
                // Nobody reads any more. Hosts are not left in the middle for that: it goes on to its end.
                if said == Said::Gone {
                    continue;
                }
                stops += 1;
                if stops > 1 {
                    let last = (*progress.borrow().deployment).clone();
                    return Ok(leave(controller, end, last).await);
                }
                view.note(match controller.server() {
                    None => "stopping: hosts in their cycle finish it. Ctrl-C again leaves at once",
                    Some(_) => "stopping: hosts in their cycle finish it. Ctrl-C again leaves that to the server",
                });
                let abort = Ask::Abort { rollback: false };
                if let Some(why) = controller.hint(*id, abort, Some("Ctrl-C".to_owned())).await? {
                    view.note(&why);
                }
            }
        }
    }
}

/// What a deployment came to: what happened, the state of the world, what to do next. On a terminal it keeps
/// within the width; elsewhere each of the three is one line.
pub(crate) fn ending(deployment: &Deployment, paint: Paint) -> String {
    let Some(ending) = deployment.ending() else { return String::new() };
    let width = wide(paint);
    let sign = if ending.good { paint.tick() } else { paint.cross() };
    let mut lines = vec![
        paragraph(&format!("{sign} "), &screen::legible(&ending.headline), width),
        paragraph("  ", &ending.detail, width),
    ];
    let set_aside = deployment.set_aside().filter(|_| ending.good);
    for (host, state) in set_aside {
        let why = deployment.hosts.get(host).and_then(|run| run.trouble());
        let why = why.map(|why| format!(": {}", screen::legible(why))).unwrap_or_default();
        let text = format!("{host} {}{why}", state.name().replace('_', " "));
        lines.push(paragraph(&format!("  {} ", paint.question()), &text, width));
    }
    if !ending.next.is_empty() {
        let next = ending.next.join(&format!(" {} ", paint.dot()));
        lines.push(paragraph(&format!("  {}  ", paint.dim("next")), &next, width));
    }
    lines.join("\n")
}

/// Stops driving. What is recorded counts: it may have ended at this very moment.
async fn leave(
    controller: &Door,
    end: &mut JoinHandle<Result<Deployment, Problem>>,
    last: Deployment,
) -> Watched {
    end.abort();
    if let Ok(Ok(ended)) = end.await {
        return Watched::Ended(Box::new(ended));
    }
    let recorded = controller.records().deployment(last.id).await;
    let recorded = Box::new(recorded.map_or(last, |recorded| recorded.value));
    if recorded.state.is_terminal() { Watched::Ended(recorded) } else { Watched::Left(recorded) }
}

/// What a deployment was left like: who is in the middle of what, and how it goes on; with a `server`, there.
fn left(deployment: &Deployment, server: Option<&str>, paint: Paint) -> String {
    let width = wide(paint);
    let headline = match server {
        None => format!("left at once: nobody drives {} any more", deployment.id),
        Some(url) => format!("left: {} goes on at {url}", deployment.id),
    };
    let id = deployment.id.0;
    let next = match &deployment.plan {
        _ if server.is_some() => {
            [format!("watch it: andon show {id}"), format!("or stop it: andon abort {id} --rollback")]
                .join(&format!(" {} ", paint.dot()))
        }
        Some(_) => {
            let next =
                [format!("it goes on with: andon resume {id}"), format!("or: andon abort {id} --rollback")];
            next.join(&format!(" {} ", paint.dot()))
        }
        None => format!("andon abort {id}"),
    };
    [
        paragraph(&format!("{} ", paint.cross()), &headline, width),
        paragraph("  ", &deployment.left_like(), width),
        paragraph(&format!("  {}  ", paint.dim("next")), &next, width),
    ]
    .join("\n")
}

/// The columns of a paragraph: those of the terminal, and elsewhere all that it needs.
fn wide(paint: Paint) -> usize {
    if paint.live { width() } else { usize::MAX }
}

/// Where pictures go.
struct View<'a> {
    paint: Paint,
    silent: bool,
    beside: Option<Beside<'a>>,
    live: Option<ProgressBar>,
    still: Option<Still>,
    last: Option<Arc<Deployment>>,
    standing: Option<Arc<Standing>>,
    told_of_pause: bool,
    reminders: Reminders,
}

impl<'a> View<'a> {
    fn new(paint: Paint, silent: bool, beside: Option<Beside<'a>>) -> Self {
        let live = (paint.live && !silent).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
            // Without a template that can fail there is nothing to draw; plain text always parses.
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self {
            paint,
            silent,
            beside,
            still: live.as_ref().and_then(|_| Still::begin()),
            live,
            last: None,
            standing: None,
            told_of_pause: false,
            reminders: Reminders::default(),
        }
    }

    fn begin(&self, progress: &Progress, line: &str) {
        if self.silent {
            return;
        }
        let deployment = &progress.deployment;
        let id = self.paint.strong(&deployment.id.to_string());
        let what = match &deployment.plan {
            Some(plan) => crate::commands::plan::headline(plan, self.paint),
            None => format!("{}    {}", deployment.request.scope, deployment.request.release.id),
        };
        let by = &deployment.request.by;
        say(&paragraph(&format!("{id} "), &format!("{what}  by {by}    {line}"), wide(self.paint)));
    }

    fn draw(&mut self, progress: &Progress) {
        let now = clock::now();
        if self.silent {
            return;
        }
        if let Some(live) = &self.live {
            let beside = self.beside.map(|tell| tell());
            let picture = screen::picture(progress, now, self.paint, width(), beside).join("\n");
            live.set_message(voice::harmless(self.paint, &picture).into_owned());
            live.tick();
        } else {
            let changes = screen::changes(self.last.as_deref(), &progress.deployment, now);
            changes.iter().chain(&self.reminders.lines(progress, now)).for_each(|line| say(line));
            self.tell_standing(progress, now);
            self.tell_beside(&progress.deployment, now);
        }
        let deployment = &progress.deployment;
        let paused = match &deployment.state {
            State::Paused { reason, .. } if *reason != PauseReason::Manual => Some(reason),
            _ => None,
        };
        if let Some(reason) = paused.filter(|_| !self.told_of_pause) {
            if self.live.is_none() {
                let sentence = deployment.waiting(now).unwrap_or_default();
                self.note(&sentence);
            }
            // Too long for the picture, and too useful to be looked for.
            for line in reason.details().into_iter().flat_map(str::lines) {
                self.verbatim(&format!("  {}", screen::legible(line)));
            }
        }
        self.told_of_pause = paused.is_some();
        self.last = Some(Arc::clone(deployment));
    }

    /// How the comparison of new with old hosts stands, when that has changed.
    fn tell_standing(&mut self, progress: &Progress, now: Time) {
        if let Some(standing) = &progress.standing {
            let change = screen::analysis::change(self.standing.as_deref(), standing);
            change.into_iter().for_each(|text| say(&format!("{}  {text}", when::clock(now))));
            self.standing = Some(Arc::clone(standing));
        }
    }

    /// What goes on beside the deployment, where a log hears of it: with each new phase.
    fn tell_beside(&self, deployment: &Deployment, now: Time) {
        let began = self.last.as_ref().is_some_and(|last| last.state != deployment.state);
        if let Some(tell) = self.beside.filter(|_| began && !deployment.state.is_terminal()) {
            say(&format!("{}  {}", when::clock(now), tell()));
        }
    }

    /// A line that stays above the picture.
    fn note(&self, text: &str) {
        match &self.live {
            _ if self.silent => {}
            Some(live) => live.suspend(|| say(&paragraph("", text, width()))),
            None => say(text),
        }
    }

    /// A line above the picture in which every blank counts.
    fn verbatim(&self, line: &str) {
        match &self.live {
            _ if self.silent => {}
            Some(live) => live.suspend(|| say(line)),
            None => say(line),
        }
    }

    fn end(&mut self) {
        if let Some(live) = self.live.take() {
            live.finish_and_clear();
            self.still = None;
        }
    }
}
