let strength = null;
let seed = null;
let marked = null; // the first of two cells to compare
let shown = null; // what the large view shows: {a, b, mode, share}
let scrubbing = false;
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches; // nothing plays until it is asked to

const isAt = (cell, column, row) => cell.column === column && cell.row === row && cell.seed === seed;
const isShown = (cell) => cell.column === 0 || cell.strength === strength; // the base has no strength
const cellAt = (column, row) => props.value.cells.find((c) => isAt(c, column, row) && isShown(c));
const nameOf = (cell) => {
  const column = props.value.columns[cell.column];
  return `${column.label}${column.run ? ` of ${column.run}` : ""}${cell.column ? ` at ${cell.strength}` : ""}`;
};
const clipOf = (cell, kind) => `${props.value.address}/cells/${cell.key}.${kind}`;
const same = (a, b) => a && b && a.key === b.key && a.column === b.column && a.row === b.row;
const keyOf = (cell) => `${cell.column}-${cell.row}-${cell.seed}-${cell.strength}`;
const find = (key) => props.value.cells.find((c) => keyOf(c) === key);

const choiceView = (name, value, chosen) =>
  html`<button class="small" data-do="${name}" data-value="${value}" aria-pressed="${value === chosen}"
    >${value}</button>`;
const choice = (name, title, values, chosen) =>
  values.length > 1
    ? html`<div class="choice-group" role="group" aria-label="${title}"><span>${title}</span
        >${values.map((value) => choiceView(name, value, chosen))}</div>`
    : "";
const useVerdictView = (verdict) => html`<button class="primary" data-do="use" data-pair="${verdict.pair}"
  data-strength="${verdict.strength}" id="use-verdict">Use it</button>`;
const whyView = (why) =>
  html`<details><summary>Why</summary><ul>${why.map((w) => html`<li>${w}</li>`)}</ul></details>`;
const inUseView = (chosen) => html`<p class="in-use">In use: step ${chosen.step} at ${chosen.strength}.
  Files for ComfyUI: <code>${chosen.folder}</code></p>`;
const verdictView = (v) =>
  v.verdict || v.chosen
    ? html`<div class="verdict panel">
        ${v.verdict ? html`<p class="verdict-line">${v.verdict.text}</p>` : ""}
        <div class="verdict-buttons">
          ${v.verdict?.pair ? useVerdictView(v.verdict) : ""}
          ${v.report ? html`<a href="${v.report}" target="_blank" rel="noopener">Report</a>` : ""}
        </div>
        ${v.verdict?.why?.length ? whyView(v.verdict.why) : ""}
        ${v.chosen ? inUseView(v.chosen) : ""}
      </div>`
    : "";
const pointView = (p, count) => html`<button class="chart-point" data-do="point" data-column="${p.column}"
  style="left:${p.at * 100}%;width:${84 / (count + 1)}%" aria-label="${p.label}: show its clip"
  title="${p.label}"></button>`;
const numbersView = ({ heads, rows }) => html`<details><summary>All numbers</summary>
  <div class="scroller" tabindex="0" role="region" aria-label="All numbers"><table class="numbers">
    <thead><tr>${heads.map((h) => html`<th scope="col">${h}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr>${row.map((words) => html`<td>${words}</td>`)}</tr>`)}</tbody>
  </table></div></details>`;
/* The drawing of the chosen strength; over each step lies a button that shows its clip. */
const chartView = (v) => {
  const chart = v.verdict?.charts?.find((c) => c.strength === strength);
  if (!chart) return "";
  return html`<section class="measures panel" aria-label="Likeness by step">
    <h3>Likeness by step, strength ${chart.strength}</h3>
    <div class="chart-stage">${new Markup(chart.svg)}
      ${chart.points.map((p) => pointView(p, chart.points.length))}</div>
    ${new Markup(chart.legend)}
    ${numbersView(v.verdict)}
  </section>`;
};
const progressView = (v) =>
  v.progress
    ? html`<div class="clips-progress"><p><b>${v.progress.counted || v.progress.state}</b> ${v.progress.stage}
          <span class="muted">${v.progress.left}</span></p>
        ${barView(v.progress.share, "Drawing clips")}</div>`
    : "";
const sweepView = (v, sweep) =>
  html`<option value="${sweep.id}" ${given(sweep.id === v.sweep, "selected")}>${sweep.label}</option>`;
const olderView = (v) =>
  v.sweeps.length > 1
    ? html`<label class="older">Comparison<select name="sweep"
        >${v.sweeps.map((s) => sweepView(v, s))}</select></label>`
    : "";
const modeView = (mode, name, label) =>
  html`<button class="small" data-do="mode" data-mode="${name}" aria-pressed="${mode === name}">${label}</button>`;
const modesView = (a, b, mode) => html`<div class="large-tools" role="group" aria-label="How to compare">
    ${modeView(mode, "alone", `${nameOf(b)} alone`)}
    ${a ? html`${modeView(mode, "wipe", "Wipe")} ${modeView(mode, "difference", "Difference")}` : ""}
  </div>`;
const tagsView = (a, b, mode) => html`${mode === "wipe" ? html`<span class="tag left">${nameOf(a)}</span>` : ""}<span
  class="tag right">${mode === "difference" ? `${nameOf(a)} against ${nameOf(b)}` : nameOf(b)}</span>`;
const sourceView = (name, cell) => html`<video data-key="${name}-${cell?.key}" class="of-${name}"
  src="${cell ? clipOf(cell, "mp4") : ""}" muted playsinline preload="auto" data-keep></video>`;
const WIPE = html`<input type="range" class="wipe" min="0" max="1000" value="500" aria-label="Where the two meet"
  data-keep />`;
const largeView = (v) => {
  if (!shown) return "";
  const { a, b, mode } = shown;
  const row = v.rows[b.row];
  return html`<div class="large-head"><h2>${row?.label}</h2
      ><button class="quiet" data-do="close" aria-label="Close">Close</button></div>
    <div class="large-stage"><canvas data-keep aria-label="${row?.label}, ${nameOf(b)}"></canvas>
      ${tagsView(a, b, mode)}</div>
    ${mode === "wipe" ? WIPE : ""}
    ${modesView(a, b, mode)}
    <p class="muted">${row?.text}</p>
    <div hidden>${sourceView("a", a)}${sourceView("b", b)}</div>`;
};

const redraw = mount(
  (v) => {
    if (!v.sweep) return "";
    if (!v.strengths.includes(strength)) strength = v.verdict?.strength ?? v.strengths[0];
    if (!v.seeds.includes(seed)) seed = v.seeds[0];
    return html`<section class="clips" aria-label="Comparison">
      ${verdictView(v)} ${progressView(v)}
      ${olderView(v)} ${tableView(v)}
      ${chartView(v)}
      <dialog class="dialog large" style="--ratio:${v.ratio}" aria-label="Large view">${largeView(v)}</dialog>
    </section>`;
  },
  {
    use: ({ dataset }) => {
      trigger("use", { sweep: props.value.sweep, pair: dataset.pair, strength: Number(dataset.strength) });
    },
    strength: (button) => again(() => (strength = Number(button.dataset.value))),
    seed: (button) => again(() => (seed = Number(button.dataset.value))),
    toggle: () => {
      if (grid.playing) grid.pause();
      else grid.play();
      setToggle();
    },
    back: () => step(-1),
    forth: () => step(1),
    unmark: () => again(() => (marked = null)),
    mark: (button) => {
      const cell = find(button.dataset.cell);
      if (same(marked, cell)) again(() => (marked = null));
      else if (!marked) again(() => (marked = cell));
      else open(marked, cell, "wipe");
    },
    open: (button) => {
      const cell = find(button.dataset.cell);
      const base = cellAt(0, cell.row);
      open(cell.column && base?.state === "done" ? base : null, cell, "alone");
    },
    point: (button) => {
      const column = Number(button.dataset.column);
      const row = props.value.rows.findIndex((_, at) => cellAt(column, at)?.state === "done");
      if (row < 0) return;
      const base = cellAt(0, row);
      open(base?.state === "done" ? base : null, cellAt(column, row), base?.state === "done" ? "wipe" : "alone");
    },
    mode: (button) => again(() => (shown.mode = button.dataset.mode)),
    close: () => element.querySelector("dialog").close(),
  },
);
function again(change) {
  change();
  redraw();
  watchCells();
}
function open(a, b, mode) {
  shown = { a, b, mode, share: 0.5 };
  marked = null;
  const ran = grid.playing;
  grid.pause();
  redraw();
  const dialog = element.querySelector("dialog");
  if (!dialog.open) dialog.showModal();
  dialog.onclose = () => {
    shown = null;
    if (ran) grid.play();
    setToggle();
    redraw();
  };
  large.heldAt = 0;
  large.play();
}
const setToggle = () => {
  const button = element.querySelector("[data-do=toggle]");
  if (!button) return;
  button.classList.toggle("is-playing", grid.playing);
  button.ariaLabel = button.title = grid.playing ? "Pause" : "Play";
};
const step = (frames) => {
  grid.seek(grid.heldAt + frames / props.value.fps);
  setToggle();
};

/* Only clips on the screen are loaded and played. */
const eye = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      target.dataset.seen = isIntersecting ? "yes" : "";
      if (isIntersecting && !target.src) {
        target.src = target.dataset.src;
        target.preload = "auto";
      }
      if (!isIntersecting) target.pause();
    }
  },
  { rootMargin: "160px" },
);
const watched = new WeakSet();
const watchCells = () =>
  element.querySelectorAll(".cell video").forEach((video) => {
    if (watched.has(video)) return;
    watched.add(video);
    eye.observe(video);
  });
watch("value", watchCells);
watchCells();

const grid = new Players(
  () => (shown ? [] : [...element.querySelectorAll(".cell video")].filter((v) => v.dataset.seen)),
  (now, all) => {
    const scrub = element.querySelector(".scrub");
    if (scrub && !scrubbing) scrub.value = String(Math.round((now / all) * 1000));
  },
);
grid.playing = !calm;
const large = new Players(
  () => (shown ? [...element.querySelectorAll("dialog .of-a[src], dialog .of-b")] : []),
  () => {
    const canvas = element.querySelector("dialog canvas");
    const [left, right] = [element.querySelector(".of-a"), element.querySelector(".of-b")];
    if (canvas && shown) drawPair(canvas, left, right, shown.mode, shown.share);
  },
);
element.addEventListener("input", (event) => {
  if (event.target.matches(".scrub")) {
    scrubbing = true;
    grid.seek((event.target.value / 1000) * grid.duration);
    setToggle();
  }
  if (event.target.matches(".wipe")) shown.share = event.target.value / 1000;
});
element.addEventListener("change", (event) => {
  if (event.target.matches(".scrub")) scrubbing = false;
  if (event.target.name === "speed") grid.setSpeed(Number(event.target.value));
  if (event.target.name === "sweep") trigger("show", { sweep: event.target.value });
});
