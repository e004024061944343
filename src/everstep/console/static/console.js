// What pages do beyond htmx: hold still while somebody is at work in them, ask before what can't be undone.
"use strict";

const opened = new Set();

// htmx comes when the page has been seen: nothing of what it does is needed for that.
const htmxAt = document.currentScript.dataset.then;
window.addEventListener("load", () => requestAnimationFrame(() => setTimeout(() => {
  document.head.append(Object.assign(document.createElement("script"), {src: htmxAt, onload: readUnfolded}));
})));

// What was unfolded before htmx was there is read now.
function readUnfolded() {
  for (const unfolded of document.querySelectorAll("details[open]")) unfolded.dispatchEvent(new Event("toggle"));
}

// The server says when what the page shows has changed. If it can't be heard, the page asks every few seconds.
const live = document.body.dataset.live;
let stream = null;
let asking = 0;
let seen = "";

function listen() {
  stream?.close();
  clearInterval(asking);
  if (!live || document.hidden) return;
  const since = new URL(live, location.href);
  if (seen) since.searchParams.set("since", seen);
  const mine = stream = new EventSource(since);
  mine.addEventListener("changed", (event) => { seen = event.lastEventId; renew(); });
  mine.addEventListener("error", () => {
    if (mine === stream && mine.readyState === EventSource.CLOSED) asking = setInterval(renew, 5000);
  });
}
document.addEventListener("visibilitychange", listen);
window.addEventListener("pagehide", () => stream?.close());
listen();

// What renews itself waits while somebody is at work in it, or it is out of sight.
const postponed = new Set();

function isBusy(section) {
  if (document.hidden) return true;
  const place = section.getBoundingClientRect();
  if (place.bottom < -400 || place.top > window.innerHeight + 400) return true;
  return section.querySelector("input:checked, textarea:focus, input:focus, pre:focus") !== null
    || [...section.querySelectorAll("textarea, input:not([type=checkbox])")].some((field) => field.value !== field.defaultValue);
}

function renew() {
  for (const section of document.querySelectorAll("[hx-trigger*=renew]")) {
    if (!window.htmx || isBusy(section)) postponed.add(section.id);
    else section.dispatchEvent(new CustomEvent("renew"));
  }
}

document.addEventListener("htmx:beforeRequest", (event) => {
  const section = event.target;
  if (section.hasChildNodes() && (section.getAttribute("hx-trigger") || "").includes("renew") && isBusy(section)) event.preventDefault();
});

setInterval(() => {
  for (const id of postponed) {
    const section = document.getElementById(id);
    if (!window.htmx || (section && isBusy(section))) continue;
    postponed.delete(id);
    section?.dispatchEvent(new CustomEvent("renew"));
  }
  const now = Date.now() / 1000 + ahead;
  for (const one of document.querySelectorAll("[data-since]")) one.textContent = duration(now - one.dataset.since);
}, 1000);

// How much later it is at the server than here, in seconds.
const ahead = document.body.dataset.now - Date.now() / 1000;

// As the server writes it.
function duration(seconds) {
  for (const [unit, size, smaller, part] of [["d", 86400, "h", 3600], ["h", 3600, "min", 60], ["min", 60, "s", 1]]) {
    if (seconds < size) continue;
    const rest = Math.floor(seconds % size / part);
    return `${Math.floor(seconds / size)} ${unit}` + (rest ? ` ${rest} ${smaller}` : "");
  }
  return `${Math.max(0, Math.floor(seconds))} s`;
}

document.addEventListener("toggle", (event) => {
  if (!(event.target instanceof HTMLDetailsElement) || !event.target.id) return;
  if (event.target.open) opened.add(event.target.id);
  else opened.delete(event.target.id);
}, true);

// What was unfolded stays so when its section is renewed.
document.addEventListener("htmx:afterSwap", () => {
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
});

// One box for all of the page.
document.addEventListener("change", (event) => {
  if (event.target.dataset?.chooses === undefined) return;
  for (const box of document.getElementsByName(event.target.dataset.chooses)) box.checked = event.target.checked;
});

// A menu closes, and forgets what was written into it, when somebody turns to something else.
function closeMenus(isLeft) {
  for (const menu of document.querySelectorAll(".menu[open]")) {
    if (!isLeft(menu)) continue;
    menu.open = false;
    menu.querySelector("form").reset();
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
  }
}
document.addEventListener("click", (event) => closeMenus((menu) => !menu.contains(event.target)));
document.addEventListener("keydown", (event) => event.key === "Escape" && closeMenus(() => true));

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  const question = button?.dataset.confirm;
  if (question && !event.defaultPrevented && !window.confirm(question)) event.preventDefault();
});
