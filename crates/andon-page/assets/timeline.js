// The timeline: filters as you type, zooms, moves, and shows what is new. The server draws; this only asks for another view
// and keeps the address, the focus and the place of the reader.

const found = document.getElementById("found");
const form = document.getElementById("view");
const told = document.getElementById("told");
const fresh = document.getElementById("fresh");
const EVENTS = ["deployment", "reset"];
const SHORTEST = 1000;

let asking = null;
let later = 0;
let kept = null;

const box = () => found.querySelector(".timeline");
const chart = () => document.getElementById("chart");
const drawn = () => [...found.querySelectorAll("#chart svg")].find((svg) => svg.getClientRects().length);
const marks = () => [...(drawn()?.querySelectorAll("a.mark") ?? [])];
const rows = () => [...found.querySelectorAll("#finds li")];
const span = () => ({ from: Number(box().dataset.from), to: Number(box().dataset.to) });
const moment = (millis) => new Date(Math.round(millis)).toISOString();

// The address of a view: the words, and either a span by name or two moments.
let view = new URLSearchParams(location.search);

function ask(change, wait) {
  const next = new URLSearchParams(view);
  for (const [name, value] of Object.entries(change)) {
    if (value === null || value === "") next.delete(name);
    else next.set(name, value);
  }
  view = next;
  history.replaceState(null, "", view.size ? `?${view}` : location.pathname);
  // An answer to what was asked before comes too late.
  asking?.abort();
  asking = new AbortController();
  found.setAttribute("aria-busy", "true");
  clearTimeout(later);
  later = setTimeout(load, wait, asking);
}

async function load(mine) {
  try {
    const answer = await fetch(`/timeline/part?${view}`, { signal: mine.signal, cache: "no-store" });
    // Nobody is signed in any more: the page knows where that leads.
    if (answer.status === 401) return location.reload();
    const text = await answer.text();
    if (!answer.ok) return say(problem(text));
    take(text);
  } catch (error) {
    if (error.name !== "AbortError") say("The server cannot be reached now; this is what was known before.");
  } finally {
    if (asking === mine) found.removeAttribute("aria-busy");
  }
}

function problem(text) {
  try {
    const { message, next } = JSON.parse(text).error;
    return `${message}: ${next}`;
  } catch {
    return "The server could not answer. Try again.";
  }
}

function say(words) {
  if (told.textContent !== words) told.textContent = words;
}

// Puts a new drawing in the place of the old one. Focus goes to what is the same in it.
function take(text) {
  const active = document.activeElement;
  const focus = found.contains(active) ? keyOf(active) : null;
  const scrolled = found.querySelector(".list")?.scrollTop ?? 0;
  const page = new DOMParser().parseFromString(text, "text/html");
  found.replaceChildren(...page.body.childNodes);
  kept = null;
  fresh.hidden = true;
  say(box().dataset.told);
  prepare();
  if (focus !== null) {
    const same = [...found.querySelectorAll("a, #chart")].find((one) => keyOf(one) === focus);
    (same ?? chart() ?? found.querySelector("a"))?.focus({ preventScroll: true });
  }
  const list = found.querySelector(".list");
  if (list) list.scrollTop = scrolled;
}

const keyOf = (one) => one.id || one.getAttribute("href");

// Titles go, so that the browser's own slow hint does not stand beside ours; the names of markers stay.
function prepare() {
  for (const mark of found.querySelectorAll("a.mark")) {
    mark.querySelector("title")?.remove();
  }
  current();
}

function current() {
  for (const link of form.querySelectorAll("[data-span]")) {
    if (view.get("span") === link.dataset.span && !view.has("from")) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

// Filter as you type.
for (const name of ["input", "change"]) {
  form.addEventListener(name, (event) => {
    const words = form.elements.q.value.trim();
    if (event.target.name === "q" && words !== (view.get("q") ?? "")) ask({ q: words }, 150);
  });
}
form.addEventListener("submit", (event) => {
  if (new FormData(form).get("from") || new FormData(form).get("to")) return;
  event.preventDefault();
  ask({ q: form.elements.q.value.trim() }, 0);
});
form.addEventListener("click", (event) => {
  const link = event.target.closest("[data-span]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  ask({ span: link.dataset.span, from: null, to: null }, 0);
  current();
});
found.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="/timeline?"]');
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  const wanted = new URLSearchParams(new URL(link.getAttribute("href"), location.href).search);
  ask({ span: wanted.get("span"), from: wanted.get("from"), to: wanted.get("to") }, 0);
});

// Zoom and move.
function look(from, to) {
  if (!(to - from >= SHORTEST)) to = from + SHORTEST;
  ask({ from: moment(from), to: moment(to), span: null }, 120);
  Object.assign(box().dataset, { from, to });
  current();
}

function zoom(factor, at) {
  const { from, to } = span();
  // Without a pointer, what is looked at stays in sight: the marker with the focus, or else the newest one.
  const newest = marks().sort((one, other) => one.dataset.from - other.dataset.from).at(-1);
  const held = document.activeElement.closest?.("a.mark") ?? newest;
  const middle = at ?? (held ? Number(held.dataset.from) : (from + to) / 2);
  const longest = 40 * 365 * 86400000;
  if ((to - from) * factor > longest) return;
  look(middle - (middle - from) * factor, middle + (to - middle) * factor);
}

function move(share) {
  const { from, to } = span();
  const by = (to - from) * share;
  if (from + by > Date.now() && by > 0) return;
  look(from + by, to + by);
}

const all = () => ask({ from: null, to: null, span: "all" }, 0);

// The moment under the pointer.
function at(x) {
  const svg = drawn();
  const { left, width } = svg.getBoundingClientRect();
  const units = ((x - left) / width) * svg.viewBox.baseVal.width;
  const [first, last] = [Number(svg.dataset.left), Number(svg.dataset.right)];
  const { from, to } = span();
  return from + ((Math.min(Math.max(units, first), last) - first) / (last - first)) * (to - from);
}

let drag = null;
found.addEventListener("pointerdown", (event) => {
  if (!event.target.closest("#chart") || event.button !== 0 || event.pointerType === "touch") return;
  drag = { x: event.clientX, brush: null };
});
addEventListener("pointermove", (event) => {
  if (!drag) return readout(event);
  if (!drag.brush && Math.abs(event.clientX - drag.x) < 5) return;
  if (!drag.brush) {
    drag.brush = chart().appendChild(document.createElement("div"));
    drag.brush.className = "brush";
  }
  const { left } = chart().getBoundingClientRect();
  drag.brush.style.left = `${Math.min(event.clientX, drag.x) - left}px`;
  drag.brush.style.width = `${Math.abs(event.clientX - drag.x)}px`;
  event.preventDefault();
});
addEventListener("pointerup", (event) => {
  const done = drag;
  drag = null;
  if (!done?.brush) return;
  done.brush.remove();
  const ends = [at(done.x), at(event.clientX)].sort((a, b) => a - b);
  addEventListener("click", (click) => { click.preventDefault(); click.stopPropagation(); }, { capture: true, once: true });
  setTimeout(() => dispatchEvent(new Event("click", { cancelable: true })), 0);
  look(...ends);
});
found.addEventListener("dragstart", (event) => event.preventDefault());
found.addEventListener("wheel", (event) => {
  const focused = chart()?.contains(document.activeElement);
  if (!event.target.closest("#chart") || !(event.ctrlKey || event.metaKey || focused)) return;
  event.preventDefault();
  if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) move(Math.sign(event.deltaX) * 0.1);
  else zoom(event.deltaY > 0 ? 1.25 : 0.8, at(event.clientX));
}, { passive: false });

found.addEventListener("keydown", (event) => {
  if (!event.target.closest?.("#chart") || event.ctrlKey || event.metaKey || event.altKey) return;
  const mark = event.target.closest("a.mark");
  const keys = {
    "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), "_": () => zoom(2), 0: all,
    ArrowLeft: () => (mark ? step(mark, -1) : move(-0.25)),
    ArrowRight: () => (mark ? step(mark, 1) : move(0.25)),
    ArrowUp: () => mark && across(mark, -1),
    ArrowDown: () => mark && across(mark, 1),
    Escape: () => chart().focus(),
    Enter: () => !mark && marks().at(-1)?.focus(),
  };
  const act = keys[event.key];
  if (!act || (mark && event.key === "Enter")) return;
  if (!mark && /^Arrow(Up|Down)$/.test(event.key)) return;
  event.preventDefault();
  act();
});

// To the next marker of the same line; to the nearest one of the line above or below.
function step(mark, by) {
  const line = marks().filter((one) => one.dataset.lane === mark.dataset.lane);
  line[line.indexOf(mark) + by]?.focus();
}

function across(mark, by) {
  const lanes = [...new Set(marks().map((one) => one.dataset.lane))];
  const lane = lanes[lanes.indexOf(mark.dataset.lane) + by];
  const off = (one) => Math.abs(Number(one.dataset.from) - Number(mark.dataset.from));
  marks().filter((one) => one.dataset.lane === lane).sort((a, b) => off(a) - off(b))[0]?.focus();
}

// The list and the markers: what is looked at in one is lit in the other.
const belongs = (row, mark) =>
  row.dataset.lane === mark.dataset.lane &&
  Number(mark.dataset.from) <= Number(row.dataset.at) && Number(row.dataset.at) <= Number(mark.dataset.to);

function light(target) {
  for (const one of found.querySelectorAll(".lit")) one.classList.remove("lit");
  const mark = target?.closest?.("a.mark");
  const row = target?.closest?.("#finds li");
  if (mark) {
    const own = rows().filter((one) => belongs(one, mark));
    for (const one of own) one.classList.add("lit");
    const list = found.querySelector(".list");
    if (own[0] && list.scrollHeight > list.clientHeight + 1) {
      list.scrollTop = own[0].offsetTop - list.offsetTop - list.clientHeight / 3;
    }
  } else if (row) {
    row.classList.add("lit");
    // Of markers in one place the narrowest holds it.
    marks().filter((one) => belongs(row, one)).sort((a, b) => width(a) - width(b))[0]?.classList.add("lit");
  }
}
const width = (mark) => Number(mark.dataset.to) - Number(mark.dataset.from);
found.addEventListener("focusin", (event) => { light(event.target); hint(event.target.closest("a.mark")); });
found.addEventListener("focusout", () => { light(null); hint(null); });
found.addEventListener("pointerover", (event) => light(event.target));

// What a marker says, beside it.
const note = document.body.appendChild(document.createElement("div"));
note.className = "readout";
note.setAttribute("aria-hidden", "true");
note.hidden = true;

function hint(mark, x, y) {
  note.hidden = !mark;
  if (!mark) return;
  note.textContent = mark.getAttribute("aria-label");
  const place = mark.getBoundingClientRect();
  const size = note.getBoundingClientRect();
  const left = (x ?? place.left) + 12;
  note.style.left = `${Math.max(4, Math.min(left, innerWidth - size.width - 4))}px`;
  const above = (y ?? place.top) - size.height - 10;
  note.style.top = `${above > 4 ? above : (y ?? place.bottom) + 14}px`;
}

function readout(event) {
  const mark = event.target.closest?.("a.mark");
  if (mark) hint(mark, event.clientX, event.clientY);
  else if (!document.activeElement?.closest?.("a.mark")) hint(null);
}

// What is new comes by itself, but does not move what is being read.
const busy = () => found.matches(":hover") || found.contains(document.activeElement) || drag;
let due = 0;
function changed() {
  if (due || box().dataset.live !== "true") return;
  due = setTimeout(async () => {
    due = 0;
    if (document.hidden) return;
    const asked = String(view);
    const answer = await fetch(`/timeline/part?${asked}`, { cache: "no-store" }).catch(() => null);
    if (!answer?.ok || asked !== String(view)) return;
    const text = await answer.text();
    if (!busy()) return take(text);
    const newest = /data-newest="(\d+)"/.exec(text)?.[1];
    kept = text;
    if (newest !== box().dataset.newest) fresh.hidden = false;
  }, 1000);
}
fresh.addEventListener("click", () => {
  if (!kept) return;
  take(kept);
  chart()?.focus({ preventScroll: true });
});
found.addEventListener("pointerleave", () => { if (kept && !found.contains(document.activeElement)) take(kept); });

prepare();
document.addEventListener("andon:heard", ({ detail }) => EVENTS.includes(detail) && changed());
