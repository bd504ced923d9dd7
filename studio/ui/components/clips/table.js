/* The table of clips. Its sizes come from the window (clips.css), never from the clips: the base and six pairs are in
   sight, a row fits under the player and the heads, which stay where they are while the page is scrolled. */
const failedView = (cell) =>
  html`<details class="cell failed"><summary><b>Could not be drawn</b><span>Why</span></summary
    >${cell.error}</details>`;
const videoView = (cell) => html`<video data-key="${cell.key}" data-src="${clipOf(cell, "mp4")}"
  poster="${clipOf(cell, "jpg")}" muted playsinline preload="none" tabindex="-1" data-keep></video>`;
const cellView = (cell, label) => {
  if (!cell) return html`<div class="cell empty">not asked for</div>`;
  if (cell.state === "failed") return failedView(cell);
  if (cell.state !== "done") return html`<div class="cell empty">waiting</div>`;
  return html`<div class="cell">
      <button class="open-cell" data-do="open" data-cell="${keyOf(cell)}"
        aria-label="${label}, ${nameOf(cell)}: open large">
        ${videoView(cell)}
      </button>
    </div>
    ${markView(cell, label)}`;
};
/* What the button of a cell does. isChosen: it is the first of two to compare; isSecond: another one is. */
function markHelp(isChosen, isSecond) {
  if (isChosen) return "chosen to compare";
  return isSecond ? "compare with the chosen clip" : "compare with another clip";
}
const markView = (cell, label) => {
  const chosen = same(marked, cell);
  const does = markHelp(chosen, marked);
  return html`<button class="mark-cell small" data-do="mark" data-cell="${keyOf(cell)}" aria-pressed="${chosen}"
    aria-label="${label}, ${nameOf(cell)}: ${does}" title="${does}">${chosen ? "Chosen" : "Compare"}</button>`;
};
/* A number and its unit stay on one line. */
const unbroken = (text) => text.replace(/ (\d+) %/g, "\u00a0$1\u00a0%");
const noteView = (cell) => (cell?.note ? html`<small class="note">${unbroken(cell.note)}</small>` : "");

const SHAPES = {
  play: "M5 3l9 6-9 6z",
  pause: "M4 3h3.5v12H4zM10.5 3H14v12h-3.5z",
  back: "M4 3h2v12H4zM14 3v12L7 9z",
  forth: "M12 3h2v12h-2zM4 3v12l7-6z",
};
const shape = (name) => html`<svg class="${name}" viewBox="0 0 18 18" width="18" height="18" aria-hidden="true"
  ><path d="${SHAPES[name]}" fill="currentColor" /></svg>`;
const stepView = (name, label) =>
  html`<button class="shape" data-do="${name}" aria-label="${label}" title="${label}">${shape(name)}</button>`;
const toggleView = (label) => html`<button class="shape ${calm ? "" : "is-playing"}" data-do="toggle"
  aria-label="${label}" title="${label}" data-keep>${shape("play")}${shape("pause")}</button>`;
const speedView = () => html`<label class="speed"><span>Speed</span><select name="speed" data-keep
  ><option value="0.25">1/4</option><option value="0.5">1/2</option
  ><option value="1" selected>1</option></select></label>`;
const playerView = (v) => html`<div class="player" role="group" aria-label="Player of all clips">
    ${toggleView(calm ? "Play" : "Pause")}
    ${stepView("back", "One frame back")}
    ${stepView("forth", "One frame forward")}
    <input type="range" class="scrub" min="0" max="1000" value="0" aria-label="Position in the clips" data-keep />
    ${speedView()}
    ${choice("strength", "Strength", v.strengths, strength)}
    ${choice("seed", "Seed", v.seeds, seed)}
  </div>`;
const markedView = () =>
  marked
    ? html`<p class="marked">Chosen: ${nameOf(marked)}. Press Compare on another clip.
        <button class="small quiet" data-do="unmark">Never mind</button></p>`
    : "";
const useView = (v, c) => {
  if (c.is_guest) return html`<small>guest</small>`;
  const does = v.chosen?.pair === c.id ? "In use" : "Use this";
  return html`<button class="small" data-do="use" data-pair="${c.id}" data-strength="${strength}"
    aria-label="${c.label}${c.run ? ` of ${c.run}` : ""}: ${does}" ${given(v.progress, "disabled")}>${does}</button>`;
};
const isAdvised = (v, c) => c.id && c.id === v.verdict?.pair && strength === v.verdict.strength;
const headView = (v, c, i) => html`<div class="head ${i ? "" : "pinned"} ${isAdvised(v, c) ? "is-advised" : ""}"
    role="columnheader"><div class="head-words">
    <b>${c.label}</b>${c.run ? html`<small class="run" title="${c.run}">${c.run}</small>` : ""}${
      i ? useView(v, c) : html`<small>without LoRA</small>`
    }</div></div>`;
const sideBySideView = (row) => html`<a href="${row.video}" target="_blank" rel="noopener"
  aria-label="${row.label}: side-by-side video of all columns">Side-by-side video</a>`;
const placeView = (row, i, at) => html`<div class="place ${i ? "" : "pinned"}" role="cell"
  >${cellView(cellAt(i, at), row.label)}${noteView(cellAt(i, at))}</div>`;
const OTHER_PERSON = html` <small>another person, for comparison</small>`;
const MOST_TOLD = html` <small>where the pairs differ most</small>`;
const rowView = (v, at, place) => {
  const row = v.rows[at];
  return html`<div class="prompt" role="row" title="${row.text}"><span role="rowheader"
      ><b>${row.label}</b>${v.differs && !place ? MOST_TOLD : ""}${row.kind === "class" ? OTHER_PERSON : ""}</span>
      ${row.video ? sideBySideView(row) : ""}</div>
    <div class="cells" role="row">${v.columns.map((_, i) => placeView(row, i, at))}</div>`;
};
const tableView = (v) => html`<div class="clip-table" style="--columns:${v.columns.length};--ratio:${v.ratio}">
    <div class="stays">
      ${playerView(v)} ${markedView()}
      <div class="sideways heads-part"><div class="heads" id="clip-heads" role="row"
        >${v.columns.map((c, i) => headView(v, c, i))}</div></div>
    </div>
    <div class="sideways rows-part" tabindex="0" role="table" aria-owns="clip-heads"
      aria-label="Clips by prompt and checkpoint pair">${v.order.map((at, place) => rowView(v, at, place))}</div>
  </div>`;

/* The clips of a column come into sight, the first of them with the focus. */
function showColumn(column) {
  const cell = element.querySelector(`.rows-part .cells .place:nth-child(${column + 1}) .open-cell`);
  cell?.scrollIntoView({ block: "center", inline: "center" });
  cell?.focus({ preventScroll: true });
}
/* Arrows go from clip to clip; space plays and stops them all. */
function walkCells(event) {
  const open = event.target.closest(".open-cell");
  if (!open || !(event.key in ARROWS || event.key === " ")) return;
  event.preventDefault();
  if (event.key === " ") return element.querySelector("[data-do=toggle]").click();
  const next = cellBeside(find(open.dataset.cell), ...ARROWS[event.key]);
  element.querySelector(`.rows-part .open-cell[data-cell="${keyOf(next)}"]`)?.focus();
}
/* Heads and rows are two boxes, so that the heads can stay while the page is scrolled; sideways they go together. */
element.addEventListener(
  "scroll",
  ({ target }) => {
    if (!target.matches?.(".sideways")) return;
    for (const part of element.querySelectorAll(".sideways")) if (part !== target) part.scrollLeft = target.scrollLeft;
  },
  true,
);
