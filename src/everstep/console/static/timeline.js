// Zoom into a timeline: every track is drawn in units of the whole, so looking closer is another view box. Nothing is asked of the server.
"use strict";

const WIDTH = 1000; // of a timeline, as the server draws it
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 604800, 2592000];
const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
const LEAST_S = 0.002;

let shown = null; // seconds since the start, [from, to]; null: all of it, also when it grows

const axis = () => document.querySelector(".axis[data-seconds]");
const whole = () => Math.max(Number(axis()?.dataset.seconds) || 0, LEAST_S);

function show(from, to) {
  const length = Math.min(Math.max(to - from, LEAST_S), whole());
  const start = Math.min(Math.max(from, 0), whole() - length);
  shown = length >= whole() * 0.999 ? null : [start, start + length];
  draw();
}

function zoom(factor) {
  const [from, to] = shown || [0, whole()];
  const middle = (from + to) / 2, half = (to - from) * factor / 2;
  show(middle - half, middle + half);
}

function pan(share) {
  const [from, to] = shown || [0, whole()];
  show(from + (to - from) * share, to + (to - from) * share);
}

function draw() {
  if (!axis()) return;
  const [from, to] = shown || [0, whole()];
  const box = `${from / whole() * WIDTH} 0 ${(to - from) / whole() * WIDTH} 14`;
  for (const track of document.querySelectorAll(".operations svg.track")) track.setAttribute("viewBox", box);
  const ticks = document.querySelector(".ticks");
  if (!ticks) return;
  const step = stepFor(to - from, ticks.clientWidth / 90);
  ticks.replaceChildren();
  for (let at = Math.ceil(from / step - 1e-9) * step; at <= to; at += step) {
    const place = (at - from) / (to - from);
    const tick = Object.assign(document.createElement("span"), { textContent: words(at, step) });
    tick.style.left = `${place * 100}%`;
    ticks.append(tick);
    if (tick.offsetLeft + tick.offsetWidth > ticks.clientWidth) tick.remove(); // rather none than half of one
  }
  for (const button of document.querySelectorAll("[data-zoom=out], [data-zoom=all], [data-zoom=left], [data-zoom=right]")) button.disabled = !shown;
}

function stepFor(seconds, most) {
  const least = seconds / Math.max(most, 1);
  for (let small = 0.001; small < 1; small *= 10) for (const one of [1, 2, 5]) if (one * small >= least) return one * small;
  return STEPS.find((step) => step >= least) || STEPS.at(-1);
}

function words(seconds, step) {
  if (step < 1) return `${seconds.toFixed(Math.ceil(-Math.log10(step) - 1e-9))} s`;
  let rest = Math.round(seconds);
  if (!rest) return "0 s";
  const parts = [];
  for (const [unit, size] of UNITS) {
    if (rest >= size) parts.push(`${Math.floor(rest / size)} ${unit}`);
    rest %= size;
  }
  return parts.slice(0, 2).join(" ");
}

const ACTS = {
  in: () => zoom(0.5), out: () => zoom(2), all: () => show(0, whole()), left: () => pan(-0.5), right: () => pan(0.5),
};
const KEYS = { "+": "in", "=": "in", "-": "out", "0": "all", "[": "left", "]": "right" };

document.addEventListener("click", (event) => ACTS[event.target.closest?.("[data-zoom]")?.dataset.zoom]?.());

document.addEventListener("keydown", (event) => {
  if (!axis() || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, pre")) return;
  if (KEYS[event.key]) ACTS[KEYS[event.key]]();
  const row = event.target.closest(".operation > summary");
  if (row && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    const rows = [...document.querySelectorAll(".operation > summary")];
    rows[rows.indexOf(row) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
    event.preventDefault();
  }
});

// Drawing over the ruler chooses what is shown.
document.addEventListener("pointerdown", (event) => {
  const ticks = event.target.closest?.(".ticks");
  if (!ticks || event.button !== 0) return;
  const area = ticks.getBoundingClientRect(), began = shown || [0, whole()];
  const at = (x) => Math.min(Math.max((x - area.left) / area.width, 0), 1);
  const start = at(event.clientX), choice = Object.assign(document.createElement("i"), { className: "choosing" });
  ticks.append(choice);
  ticks.setPointerCapture(event.pointerId);
  ticks.onpointermove = (moved) => {
    choice.style.left = `${Math.min(start, at(moved.clientX)) * 100}%`;
    choice.style.width = `${Math.abs(at(moved.clientX) - start) * 100}%`;
  };
  ticks.onpointerup = ticks.onpointercancel = (ended) => {
    ticks.onpointermove = ticks.onpointerup = ticks.onpointercancel = null;
    choice.remove();
    const [low, high] = [start, at(ended.clientX)].sort((a, b) => a - b), length = began[1] - began[0];
    if (ended.type === "pointerup" && (high - low) * area.width > 5) show(began[0] + low * length, began[0] + high * length);
  };
  event.preventDefault();
});

// Two clicks on a track show what happened in it.
document.addEventListener("dblclick", (event) => {
  const bars = [...event.target.closest?.(".operations svg.track")?.querySelectorAll(".bar") || []];
  if (!bars.length) return;
  const from = Math.min(...bars.map((bar) => bar.x.baseVal.value)), to = Math.max(...bars.map((bar) => bar.x.baseVal.value + bar.width.baseVal.value));
  const unit = whole() / WIDTH, room = (to - from) * unit * 0.1;
  show(from * unit - room, to * unit + room);
});

document.addEventListener("htmx:afterSwap", draw);
document.addEventListener("DOMContentLoaded", draw);
window.addEventListener("resize", draw);
