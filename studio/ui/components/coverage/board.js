/* What the photos cover: a cell shows its photos in the grid; an empty one says what to photograph. */
const showButton = (show, label, isShown) =>
  html`<button class="small" data-do="show" data-show="${show}" aria-pressed="${isShown}">${label}</button>`;
const cellLabel = (cell) => `${cell.words}: ${cell.count || "nothing yet"}`;
/* How dark a cell is, 0 to 1: a few photos are seen, many do not drown the others. */
const fillOf = (count) => Math.min(1, 0.25 + count / 8).toFixed(2);
const filledCell = (v, cell) => html`<button class="cell is-filled" data-do="show" data-show="${cell.key}"
  style="--fill:${fillOf(cell.count)}" aria-pressed="${cell.key === v.show}"
  aria-label="${cellLabel(cell)}" title="${cellLabel(cell)}">${cell.count}</button>`;
const emptyCell = (cell) => html`<button class="cell is-empty" data-do="ask" data-cell="${cell.key}"
  aria-expanded="${asked === cell.key}" aria-label="${cellLabel(cell)}" title="${cellLabel(cell)}"
  >${sketchView(cell.angle, cell.framing)}</button>`;
const spareView = (v, cell) =>
  cell.spare ? showButton(cell.spare_key, `Show ${cell.spare} left out`, cell.spare_key === v.show) : "";
const askedView = (v) => {
  const cell = v.board.cells.flat().find((one) => one.key === asked && !one.count);
  if (!cell) return "";
  return html`<div class="asked" role="status">${sketchView(cell.angle, cell.framing)}
    <p><b>To photograph: ${cell.words}.</b> <span class="muted">Two of them do, in other clothes and another
      place than the rest.</span></p>
    <button class="small" data-do="add">Add photos</button>${spareView(v, cell)}</div>`;
};
const chipLabel = (row, chip) => `${row.title}: ${chip.label || "show these"}, ${chip.count} photos`;
const chipView = (v, row, chip) => html`<button class="chip" data-do="show" data-show="${chip.key}"
  aria-pressed="${chip.key === v.show}" aria-label="${chipLabel(row, chip)}"
  >${chip.src ? html`<img src="${chip.src}" alt="" loading="lazy" />` : chip.label} ${chip.count}</button>`;
const chipsView = (v, row) => {
  if (!row.chips.length) return html`<span class="muted">not measured</span>`;
  return html`${row.chips.map((chip) => chipView(v, row, chip))}
    ${row.more ? html`<span class="muted">and ${row.more} more</span>` : ""}
    ${row.untold ? html`<span class="muted">${row.untold} not measured</span>` : ""}`;
};
const rowView = (v, row) => html`<div class="board-row">
  <span class="row-title">${row.title} <small>${row.about}</small></span>
  <div class="chips">${chipsView(v, row)}</div></div>`;
const gridRow = (v, cells, n) => html`<div class="board-cells"><span class="row-head">${v.board.framings[n]}</span>
  ${cells.map((cell) => (cell.count ? filledCell(v, cell) : emptyCell(cell)))}</div>`;
const headRow = (v) => html`<div class="board-cells board-head" aria-hidden="true"><span></span>
  ${v.board.angles.map((words) => html`<span>${words}</span>`)}</div>`;
const boardView = (v) => html`<details class="board"><summary>What they cover
    <small>${v.board.filled} of ${v.board.cells.flat().length} angles and framings</small></summary>
  ${headRow(v)}${v.board.cells.map((cells, n) => gridRow(v, cells, n))}
  ${askedView(v)}
  ${v.board.rows.map((row) => rowView(v, row))}
  ${v.board.note ? html`<p class="muted">${v.board.note}</p>` : ""}</details>`;
