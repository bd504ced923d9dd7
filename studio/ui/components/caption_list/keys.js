/* From caption to caption by the keyboard alone: the focus moves at once, whatever the disk does meanwhile. */
const boxes = () => [...element.querySelectorAll(".caption-row textarea")];
const rowsShown = () => [...element.querySelectorAll(".caption-row")];
const articleOf = (node) => node.closest(".caption-row");
let goingTo = null; // {page, last}: where the focus goes when that page has come
let isRowMode = false; // the focus is on rows, not in their boxes

const LIKE_THE_BOX = [
  ...["font", "letterSpacing", "wordSpacing", "lineHeight", "whiteSpace", "overflowWrap"],
  ...["padding", "border", "boxSizing"],
];
/* On which line of a box that place in its text stands: 0 is the first. */
function lineAt(box, place) {
  const mirror = document.createElement("div");
  const style = getComputedStyle(box);
  for (const name of LIKE_THE_BOX) mirror.style[name] = style[name];
  Object.assign(mirror.style, { position: "absolute", visibility: "hidden", width: `${box.offsetWidth}px` });
  mirror.textContent = box.value.slice(0, place);
  const caret = document.createElement("span");
  caret.textContent = box.value.slice(place) || ".";
  mirror.append(caret);
  document.body.append(mirror);
  const line = Math.round(caret.offsetTop / parseFloat(style.lineHeight));
  mirror.remove();
  return line;
}
const isOnLastLine = (box) => lineAt(box, box.selectionEnd) === lineAt(box, box.value.length);
const isOnFirstLine = (box) => lineAt(box, box.selectionStart) === lineAt(box, 0);

function enter(node) {
  if (!node) return;
  node.focus({ preventScroll: true });
  if (node.matches("textarea")) node.setSelectionRange(node.value.length, node.value.length);
  articleOf(node).scrollIntoView({ block: "center" });
}
/* The neighbour of a box (or row), on the next page too; false where there is none. */
function move(from, step) {
  const all = isRowMode ? rowsShown() : boxes();
  const at = all.indexOf(isRowMode ? articleOf(from) : from) + step;
  if (all[at]) return enter(all[at]), true;
  const { page, per_page, ids } = props.value;
  const next = page + step;
  if (next < 0 || next * per_page >= ids.length) return false;
  goingTo = { page: next, last: step < 0 };
  trigger("turn", { page: next });
  return true;
}
function arrive() {
  if (!goingTo || props.value.page !== goingTo.page) return;
  const all = isRowMode ? rowsShown() : boxes();
  enter(all[goingTo.last ? all.length - 1 : 0]);
  goingTo = null;
}
/* What a key does in a box; true where it did something. */
function typed(event, box) {
  const { key, code, altKey, shiftKey } = event;
  const isControl = event.ctrlKey || event.metaKey;
  if (key === "Enter" && isControl) {
    saveBox(box);
    if (!move(box, shiftKey ? -1 : 1)) tell("Saved. That was the last caption.");
    return true;
  }
  if (altKey && !isControl && /^Key[KX]$/.test(code)) return decide(articleOf(box), code === "KeyK"), true;
  if (key === "Escape") {
    isRowMode = true;
    return enter(articleOf(box)), true;
  }
  if (shiftKey || isControl || altKey) return false;
  if (key === "ArrowDown" && isOnLastLine(box)) return move(box, 1);
  return key === "ArrowUp" && isOnFirstLine(box) ? move(box, -1) : false;
}
/* The same on a row. */
function pressed(event, row) {
  if (event.ctrlKey || event.metaKey) return false;
  const { key } = event;
  if (key === "ArrowDown" || key === "ArrowUp") return move(row, key === "ArrowDown" ? 1 : -1), true;
  if (/^[kx]$/i.test(key)) return decide(row, key.toLowerCase() === "k"), true;
  if (key !== "Enter") return false;
  isRowMode = false;
  return enter(row.querySelector("textarea")), true;
}
element.addEventListener("keydown", (event) => {
  const row = articleOf(event.target);
  if (!row || event.isComposing) return; // a word of Japanese or Chinese is not finished yet
  const isBox = event.target.matches("textarea");
  const isDone = isBox ? typed(event, event.target) : event.target === row && pressed(event, row);
  if (isDone) event.preventDefault();
});
