// Text areas that take JSON: says what is wrong while it is written, lays it out, keeps the indentation.
"use strict";

const INDENT = 2;
const waiting = new WeakMap();

function problemOf(text) {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return `This is no JSON: ${error.message}`;
  }
}

const isEditor = (target) => target instanceof HTMLTextAreaElement && target.dataset.json !== undefined;
const isShown = (area) => area.offsetParent !== null;

function say(area) {
  const said = document.getElementById(area.getAttribute("aria-describedby"));
  if (!said) return;
  const problem = area.value.trim() ? problemOf(area.value) : "";
  said.textContent = problem;
  said.classList.toggle("bad-text", problem !== "");
}

function layOut(area) {
  if (!problemOf(area.value)) area.value = JSON.stringify(JSON.parse(area.value), null, INDENT);
  say(area);
  area.focus();
}

function offer(within) {
  for (const area of within.querySelectorAll("textarea[data-json]")) {
    const said = document.getElementById(area.getAttribute("aria-describedby"));
    if (!said || said.previousElementSibling?.matches("button")) continue;
    const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet small", textContent: "Lay out" });
    button.addEventListener("click", () => layOut(area));
    said.before(button);
  }
}

document.addEventListener("input", (event) => {
  if (!isEditor(event.target)) return;
  event.target.setCustomValidity("");
  clearTimeout(waiting.get(event.target));
  waiting.set(event.target, setTimeout(say, 300, event.target));
});

document.addEventListener("keydown", (event) => {
  const area = event.target;
  if (!isEditor(area) || event.key !== "Enter" || event.isComposing) return;
  if (event.ctrlKey || event.metaKey) {
    area.form?.requestSubmit();
  } else if (!event.shiftKey && !event.altKey) {
    const line = area.value.slice(0, area.selectionStart).split("\n").at(-1);
    const indent = line.match(/^\s*/)[0].length + (/[{[]\s*$/.test(line) ? INDENT : 0);
    area.setRangeText(`\n${" ".repeat(indent)}`, area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
  } else return;
  event.preventDefault();
});

// What is hidden is not sent for what it says, so it may say anything.
document.addEventListener("submit", (event) => {
  for (const area of event.target.querySelectorAll("textarea[data-json]")) {
    const isJson = isShown(area) && (area.dataset.json === "" || area.dataset.json === event.submitter?.value);
    area.setCustomValidity(isJson && area.value.trim() ? problemOf(area.value) : "");
    if (!area.reportValidity()) event.preventDefault();
  }
});

document.addEventListener("htmx:afterSwap", (event) => offer(event.target));
document.addEventListener("DOMContentLoaded", () => offer(document));
