// For every page: keeps its moments right, in the zone of whoever looks, and sends a form once. The page says the same
// without it, in UTC.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const known = document.cookie.split("; ").includes(`zone=${zone}`);
if (zone && !known) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}

const two = (number) => String(number).padStart(2, "0");
const date = (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
const minute = (at) => `${two(at.getHours())}:${two(at.getMinutes())}`;

const forms = {
  ago(at) {
    const seconds = Math.max(0, Math.floor((Date.now() - at) / 1000));
    if (seconds < 5) return "just now";
    if (seconds < 60) return `${seconds} s ago`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
    return seconds < 72000 ? `at ${minute(at)}` : `on ${date(at)} at ${minute(at)}`;
  },
  clock: (at) => `${minute(at)}:${two(at.getSeconds())}`,
  day: (at) => `${date(at)} ${minute(at)}`,
};

// Writes a moment as the server would write it now.
function say(element) {
  const form = forms[element.dataset.form];
  const at = new Date(element.dateTime);
  if (!form || Number.isNaN(at.getTime())) return;
  const words = form(at);
  if (element.textContent !== words) element.textContent = words;
  if (!known) element.title = at.toString();
}

export function tick(root = document) {
  root.querySelectorAll("time[data-form]").forEach(say);
}

tick();
setInterval(() => {
  if (!document.hidden) document.querySelectorAll('time[data-form="ago"]').forEach(say);
}, 5000);
document.addEventListener("visibilitychange", () => document.hidden || tick());
document.addEventListener("andon:fresh", () => tick());

// What changes something is sent once: a second press on a button would begin it a second time.
let sent = new WeakSet();
addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  if (sent.has(event.target)) event.preventDefault();
  else sent.add(event.target);
});
addEventListener("pageshow", () => (sent = new WeakSet()));
