// Keeps marked regions of a page as they are on the server. The server renders; this only asks for the page again when
// something has happened, and changes what differs: what is read, typed, open or focused stays where it is.

const PAUSE = 1000;
const LONGEST = 15000;
const AGAIN = 3000;
const EVENTS = ["deployment", "line", "scope", "message", "record", "progress", "reset"];
const notice = document.getElementById("connection");
const regions = () => document.querySelectorAll("[data-live][id]");

let asked = false;
let busy = false;
let last = 0;

// Asks for the page again, at most once in a while, and never for one that nobody sees.
export function refresh() {
  asked = true;
  if (busy || document.hidden) return;
  busy = true;
  setTimeout(once, Math.max(0, last + PAUSE - Date.now()));
}

async function once() {
  asked = false;
  let failed = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (answer.redirected) return location.reload();
    if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    failed = !answer.ok && answer.status >= 500;
  } catch {
    failed = true;
  } finally {
    lost(failed);
    last = Date.now();
    busy = false;
    // Perhaps nothing happens for long: what failed is tried again without being told to.
    if (failed) setTimeout(refresh, AGAIN);
    if (asked) refresh();
  }
}

function take(page) {
  for (const region of regions()) {
    const fresh = page.getElementById(region.id);
    if (fresh) become(region, fresh);
  }
  if (page.title) document.title = page.title;
  document.dispatchEvent(new CustomEvent("andon:fresh"));
}

const key = (node) => (node.nodeType === 1 ? node.id || node.dataset.key || "" : "");
const alike = (one, other) =>
  one.nodeType === other.nodeType && one.nodeName === other.nodeName && key(one) === key(other);

// Makes `node` like `wanted` with as few changes as there are differences.
function become(node, wanted) {
  if (node.nodeType !== 1) {
    if (node.nodeValue !== wanted.nodeValue) node.nodeValue = wanted.nodeValue;
    return;
  }
  const keep = new Set(node.nodeName === "DETAILS" ? ["open"] : []);
  for (const { name } of [...node.attributes]) {
    if (!keep.has(name) && !wanted.hasAttribute(name)) node.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (!keep.has(name) && node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  const follows = node.hasAttribute("data-tail") && node.scrollTop + node.clientHeight >= node.scrollHeight - 4;
  children(node, wanted);
  if (follows) node.scrollTop = node.scrollHeight;
}

function children(node, wanted) {
  const named = new Map();
  const stays = new Set([...wanted.children].map(key));
  for (const child of [...node.children]) {
    if (!key(child)) continue;
    // What goes does so first: what stays is not moved then, and keeps the focus.
    if (stays.has(key(child))) named.set(key(child), child);
    else child.remove();
  }
  let here = node.firstChild;
  for (const fresh of [...wanted.childNodes]) {
    const mine = key(fresh) ? named.get(key(fresh)) : here;
    if (mine && alike(mine, fresh)) {
      if (mine === here) here = here.nextSibling;
      else node.insertBefore(mine, here);
      become(mine, fresh);
    } else {
      node.insertBefore(document.importNode(fresh, true), here);
    }
  }
  while (here) {
    const next = here.nextSibling;
    here.remove();
    here = next;
  }
}

function lost(is) {
  if (notice) notice.hidden = !is;
}

let wait = PAUSE;

let stream = null;

// A browser opens six connections to one server and no more: a page that nobody sees keeps none.
function listen() {
  if (stream || document.hidden) return;
  stream = new EventSource("/v1/events");
  stream.onopen = () => {
    wait = PAUSE;
    lost(false);
    // What happened before it was open is told of by no event.
    heard({ type: "reset" });
  };
  stream.onerror = () => {
    lost(true);
    if (stream?.readyState !== EventSource.CLOSED) return;
    stream = null;
    // Perhaps nobody is signed in any more: the page knows where that leads.
    refresh();
    setTimeout(listen, wait);
    wait = Math.min(wait * 2, LONGEST);
  };
  EVENTS.forEach((name) => stream.addEventListener(name, heard));
}

function leave() {
  stream?.close();
  stream = null;
}

// Other modules of the page hear it too, over the same connection.
function heard({ type }) {
  document.dispatchEvent(new CustomEvent("andon:heard", { detail: type }));
  refresh();
}

if (regions().length > 0) {
  listen();
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : listen()));
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  // What no event tells of, such as what a step prints, is asked for while the page says so.
  const rhythm = () => Number(document.querySelector("[data-every]")?.dataset.every ?? 0);
  setInterval(() => {
    const every = rhythm();
    if (every > 0 && Date.now() - last >= every * 1000) refresh();
  }, PAUSE);
}
