// What pages do beyond htmx: hold still while somebody is at work in them, ask before what can't be undone.
"use strict";

const opened = new Set();

// htmx comes when the page has been seen: nothing of what it does is needed for that.
const htmxAt = document.currentScript.dataset.then;
window.addEventListener("load", () => requestAnimationFrame(() => setTimeout(() => {
  document.head.append(Object.assign(document.createElement("script"), {src: htmxAt}));
})));

// A section that renews itself waits while something in it is being chosen or written, or when nobody looks.
document.addEventListener("htmx:beforeRequest", (event) => {
  const section = event.target;
  const isTimed = (section.getAttribute("hx-trigger") || "").includes("every");
  if (!isTimed || !section.hasChildNodes()) return;
  const isAtWork = section.querySelector("input:checked, textarea:focus, input:focus, pre:focus")
    || [...section.querySelectorAll("textarea, input")].some((field) => field.value !== field.defaultValue);
  if (document.hidden || isAtWork) event.preventDefault();
});

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

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  const question = button?.dataset.confirm;
  if (question && !event.defaultPrevented && !window.confirm(question)) event.preventDefault();
});
