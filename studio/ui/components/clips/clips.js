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
const redraw = mount(
  (v) => {
    if (!v.sweep) return "";
    if (!v.strengths.includes(strength)) strength = v.verdict?.strength ?? v.strengths[0];
    if (!v.seeds.includes(seed)) seed = v.seeds[0];
    return html`<section class="clips" aria-label="Comparison">
      ${verdictView(v)} ${standingView(v)} ${progressView(v)}
      ${olderView(v)} ${facesView(v)} ${tableView(v)}
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
      const row = props.value.order.find((at) => cellAt(column, at)?.state === "done");
      if (row === undefined) return;
      const base = cellAt(0, row);
      open(base?.state === "done" ? base : null, cellAt(column, row), base?.state === "done" ? "wipe" : "alone");
    },
    vote: () => clickOn("#open-votes"),
    stand: (button) => {
      again(() => (strength = Number(button.dataset.strength)));
      showColumn(Number(button.dataset.column));
    },
    mode: (button) => again(() => (shown.mode = button.dataset.mode)),
    largeToggle: () => play("toggle"),
    largeBack: () => play("back"),
    largeForth: () => play("forth"),
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
/* Another clip in the large view, at the same moment. */
function show(cell) {
  if (!cell || cell.state !== "done") return;
  const a = otherOf(cell, shown.a);
  again(() => Object.assign(shown, { a, b: cell, mode: a ? shown.mode : "alone" }));
}
const FRAMES = { back: -1, forth: 1 };
function play(what) {
  if (what === "toggle" && large.playing) large.pause();
  else if (what === "toggle") large.play();
  else if (what in FRAMES) large.seek(large.heldAt + FRAMES[what] / props.value.fps);
  const button = element.querySelector("[data-do=largeToggle]");
  button.classList.toggle("is-playing", large.playing);
  button.ariaLabel = large.playing ? "Pause" : "Play";
}
/* On the whole page: who pressed on the picture has the focus nowhere. */
function press(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || target.matches("select, input")) return;
  if (!shown) return void (element.contains(target) && walkCells(event));
  const isPress = key === " " && target.matches("button"); // of that very button
  const does = isPress ? null : largeKey(key.length === 1 ? key.toLowerCase() : key, shown);
  if (!does) return;
  event.preventDefault();
  if (does.cell) show(does.cell);
  if (does.mode) again(() => (shown.mode = does.mode));
  if (does.play) play(does.play);
}
document.removeEventListener("keydown", window.studioClipKeys);
window.studioClipKeys = press;
document.addEventListener("keydown", press);
/* The edge of the wipe goes with a finger or the mouse on the picture. */
element.addEventListener("pointerdown", (event) => drag(event, true));
element.addEventListener("pointermove", (event) => drag(event, event.buttons === 1));
function drag(event, isDown) {
  if (!isDown || shown?.mode !== "wipe" || !event.target.matches(".large-stage canvas")) return;
  const box = event.target.getBoundingClientRect();
  shown.share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  element.querySelector(".wipe").value = String(shown.share * 1000);
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
  (now, all) => {
    const scrub = element.querySelector(".large-scrub");
    if (scrub && !scrubbing) scrub.value = String(Math.round((now / all) * 1000));
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
  if (event.target.matches(".large-scrub")) {
    scrubbing = true;
    large.seek((event.target.value / 1000) * large.duration);
    play("still");
  }
  if (event.target.matches(".wipe")) shown.share = event.target.value / 1000;
});
element.addEventListener("change", (event) => {
  if (event.target.matches(".scrub, .large-scrub")) scrubbing = false;
  if (event.target.name === "large-speed") large.setSpeed(Number(event.target.value));
  if (event.target.name === "speed") grid.setSpeed(Number(event.target.value));
  if (event.target.name === "sweep") trigger("show", { sweep: event.target.value });
});
