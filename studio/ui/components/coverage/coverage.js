/* How ready the photos are, who is in them, what they cover and lack. A cell shows its photos in the grid; an empty one says what to photograph. */
let asked = ""; // the key of the empty cell that a person asked about
const showButton = (show, label, isShown) =>
  html`<button class="small" data-do="show" data-show="${show}" aria-pressed="${isShown}">${label}</button>`;
const findingView = (v, one) => html`<li class="finding">
  ${one.angle ? sketchView(one.angle, one.framing) : ""}
  <p><b>${one.text}</b> <span class="muted">${one.cause}</span></p>
  <span class="finding-buttons">${one.show ? showButton(one.show, one.show_label, one.show === v.show) : ""}
    ${buttonView(one.button)}</span></li>`;
const moreFindingsView = (v) =>
  v.findings.length > 1
    ? html`<details class="more-findings"><summary>${v.findings.length - 1} more to better it</summary>
        <ul>${v.findings.slice(1).map((one) => findingView(v, one))}</ul></details>`
    : "";
const readinessView = (v) => html`<section class="readiness" aria-label="Readiness">
  <p class="readiness-line"><span class="readiness-bar ${v.tone}" role="meter" aria-label="Readiness" aria-valuemin="0"
      aria-valuemax="100" aria-valuenow="${percent(v.share)}"><span style="width:${percent(v.share)}%"></span></span>
    <b>${v.word}</b>${v.findings.length ? "" : html` <span class="muted">Nothing is lacking that the studio can see.</span>`}</p>
  ${v.findings.length ? html`<ul>${findingView(v, v.findings[0])}</ul>` : ""}
  ${moreFindingsView(v)}</section>`;

const faceView = (face) =>
  html`<img class="face" src="${face.src}" alt="" loading="lazy" decoding="async" width="48" height="48" />`;
const groupView = (v, group) => html`<li class="person-group ${group.is_person ? "is-person" : ""}" data-key="${group.key}">
  <button class="faces" data-do="show" data-show="${group.show}" aria-pressed="${group.show === v.show}"
    aria-label="Show the ${group.photos} photos of ${group.is_person ? "the person" : "somebody else"}"
    >${group.faces.map(faceView)}</button>
  <div class="group-words"><span>${group.is_person ? html`<b>The person</b> ` : ""}${group.photos} photos</span>
  <span class="group-buttons">
    ${group.is_person && v.people.is_said
      ? ""
      : html`<button class="small" data-do="choose" data-group="${group.key}">This is the person</button>`}
    <button class="small" data-do="deny" data-group="${group.key}">Somebody else</button></span></div></li>`;
const peopleView = (v) => html`<details class="people" ${given(!v.people.is_said, "open")} data-key="people-${v.people.is_said}">
  <summary>${v.people.title}</summary>
  ${v.people.question ? html`<p class="remark">${v.people.question}</p>` : ""}
  <ul>${v.people.groups.map((group) => groupView(v, group))}</ul>
  ${v.people.more ? html`<p class="muted">${v.people.more}</p>` : ""}</details>`;

const cellLabel = (cell) => (cell.count ? `${cell.words}: ${cell.count}` : `${cell.words}: nothing yet`);
const filledCell = (v, cell) => html`<button class="cell is-filled" data-do="show" data-show="${cell.key}"
  style="--fill:${Math.min(1, 0.25 + cell.count / 8).toFixed(2)}" aria-pressed="${cell.key === v.show}"
  aria-label="${cellLabel(cell)}" title="${cellLabel(cell)}">${cell.count}</button>`;
const emptyCell = (cell) => html`<button class="cell is-empty" data-do="ask" data-cell="${cell.key}"
  aria-expanded="${asked === cell.key}" aria-label="${cellLabel(cell)}" title="${cellLabel(cell)}"
  >${sketchView(cell.angle, cell.framing)}</button>`;
const askedView = (v) => {
  const cell = v.board.cells.flat().find((one) => one.key === asked && !one.count);
  return cell
    ? html`<div class="asked" role="status">${sketchView(cell.angle, cell.framing)}
        <p><b>To photograph: ${cell.words}.</b> <span class="muted">Two of them do; other clothes and another place count
          double.</span></p>
        <button class="small" data-do="add">Add photos</button>
        ${cell.spare ? showButton(cell.spare_key, `Show ${cell.spare} left out`, cell.spare_key === v.show) : ""}</div>`
    : "";
};
const chipView = (v, row, chip) => html`<button class="chip" data-do="show" data-show="${chip.key}"
  aria-pressed="${chip.key === v.show}" aria-label="${row.title}: ${chip.label || "show these"}, ${chip.count} photos"
  >${chip.src ? html`<img src="${chip.src}" alt="" loading="lazy" />` : chip.label} ${chip.count}</button>`;
const rowView = (v, row) => html`<div class="board-row"><span class="row-title">${row.title} <small>${row.about}</small></span>
  <div class="chips">${row.chips.length ? row.chips.map((chip) => chipView(v, row, chip)) : html`<span class="muted">not measured</span>`}
  ${row.more ? html`<span class="muted">and ${row.more} more</span>` : ""}
  ${row.chips.length && row.untold ? html`<span class="muted">${row.untold} not measured</span>` : ""}</div></div>`;
const gridRow = (v, cells, n) => html`<div class="board-cells" role="row"><span class="row-head" role="rowheader"
  >${v.board.framings[n]}</span>${cells.map((cell) => (cell.count ? filledCell(v, cell) : emptyCell(cell)))}</div>`;
const boardView = (v) => html`<details class="board"><summary>What they cover
    <small>${v.board.filled} of ${v.board.cells.flat().length} angles and framings</small></summary>
  <div class="board-cells board-head" aria-hidden="true"><span></span>${v.board.angles.map((words) => html`<span>${words}</span>`)}</div>
  ${v.board.cells.map((cells, n) => gridRow(v, cells, n))}
  ${askedView(v)}
  ${v.board.rows.map((row) => rowView(v, row))}
  ${v.board.note ? html`<p class="muted">${v.board.note}</p>` : ""}</details>`;
const notMeasuredView = (v) => html`<p class="muted board-unmeasured">What they cover: ${v.not_measured}</p>`;

const drawCoverage = mount(
  (v) => html`<div class="coverage">${readinessView(v)}${v.people ? peopleView(v) : ""}
    ${v.board ? boardView(v) : notMeasuredView(v)}</div>`,
  {
    show: (button) => trigger("show", { show: button.getAttribute("aria-pressed") === "true" ? "all" : button.dataset.show }),
    ask: (button) => {
      asked = asked === button.dataset.cell ? "" : button.dataset.cell;
      drawCoverage();
    },
    add: () => goTo("click:#upload button, #upload input"),
    act: (button) => doAction(button),
    choose: (button) => trigger("choose", { group: button.dataset.group }),
    deny: (button) => trigger("deny", { group: button.dataset.group }),
  },
);
