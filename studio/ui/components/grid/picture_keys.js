/* The keyboard in the pictures: arrows walk as in a file manager, single letters decide about the chosen picture.
   They act while the focus is on the pictures or beside them and nobody types. */
const SHORTCUTS = [
  ["Arrows", "walk through the pictures"],
  ["K", "keep it, whatever the check says"],
  ["X", "leave it out"],
  ["S", "see others like it; Enter takes one instead"],
  ["C", "write its caption; Ctrl+Enter saves and goes on, Esc goes back"],
  ["U", "undo the last change"],
  ["?", "this list"],
];
const helpBox = () => element.querySelector("#shortcuts");
const helpView = () => html`<dialog id="shortcuts" class="shortcuts" aria-label="Keys"><h2>Keys</h2>
  <dl>${SHORTCUTS.map(([key, words]) => html`<dt><kbd>${key}</kbd></dt><dd>${words}</dd>`)}</dl>
  <form method="dialog"><button class="small">Close</button></form></dialog>`;
/* Which picture takes the focus after a step in a grid of so many columns; the same one where there is none there. */
function placeAfter(key, place, count, columns) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -count, End: count };
  return key in steps ? Math.max(0, Math.min(count - 1, place + steps[key])) : place;
}
const TYPED_IN = "input, textarea, select, [contenteditable], video, dialog[open]";
const isTyping = (target) => Boolean(target.closest(TYPED_IN));
/* What a key does with the chosen picture: [event, what goes with it], or null. */
function decisionOf(key, item) {
  if (key === "u") return ["undo", {}];
  if (!item || !["k", "x"].includes(key)) return null;
  return ["keep", { id: item.id, version: item.version, keep: key === "k" }];
}
