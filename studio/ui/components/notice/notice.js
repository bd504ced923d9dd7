/* A good message is news for so long; a bad one stays until it is closed, or something else is said. */
const READ_MS = 12_000;
let hidden = "";
let timed = ""; // the message whose time runs
const shown = (v) => JSON.stringify(v);
const hide = (what) => {
  hidden = what;
  redraw();
};
/* A good message goes by itself, unless the mouse or the focus rests on it. */
function letGo(what) {
  if (shown(props.value) !== what || hidden === what) return;
  if (element.querySelector(":is(:hover, :focus-within)")) setTimeout(letGo, READ_MS, what);
  else hide(what);
}
function timeOut(v) {
  if (v.tone !== "done" || v.button || timed === shown(v)) return;
  timed = shown(v);
  setTimeout(letGo, READ_MS, timed);
}
const redraw = mount(
  (v) => {
    if (!v.text || hidden === shown(v)) return "";
    timeOut(v);
    return html`<div class="notice ${v.tone}" role="${v.tone === "bad" ? "alert" : "status"}">
          <p><b>${v.text}</b> ${v.cost} ${v.fix}</p>
          ${buttonView(v.button)}
          <button class="quiet small" data-do="close" aria-label="Close this message">Close</button>
        </div>`;
  },
  {
    act: (button) => doAction(button, { project: props.value.project }),
    close: () => hide(shown(props.value)),
  },
);
