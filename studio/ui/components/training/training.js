/* The run that is looked at, and the list of all. */
let comes = false; // another run was asked for and is on its way
let openLog = false; // and its log, too
let turned = false; // another page of the log was asked for
const toTop = () => element.scrollIntoView({ block: "start" });
const arrive = () => {
  if (comes && !openLog) toTop();
  comes = false;
  showLog();
  if (turned) logToEnd();
  turned = false;
};
const showLog = () => {
  if (!openLog) return;
  openLog = false;
  const log = element.querySelector("#train-log");
  log?.setAttribute("open", "");
  log?.scrollIntoView({ block: "nearest" });
};
/* A saved pair, with a clip of it once one was asked for and drawn. */
const clipView = (pair) =>
  pair.sample?.clip
    ? html`<video data-key="${pair.sample.clip}" src="${pair.sample.clip}" poster="${pair.sample.poster}" muted loop
        playsinline controls preload="none" aria-label="${pair.label}: ${pair.sample.prompt}"
        title="${pair.sample.prompt}"></video>`
    : "";
const drawView = (pair) =>
  html`<button class="small" data-do="draw" data-pair="${pair.id}" aria-label="Draw a test clip of ${pair.label}"
    >Draw a test clip</button>`;
const aboutPair = (pair) => [pair.run, pair.size, pair.made].filter(Boolean).join(" · ");
const pairView = (pair, i) => html`<li data-key="pair-${pair.id}" class="${pair.sample?.clip ? "with-clip" : ""}">
  ${clipView(pair)}
  <div><b>${pair.label}</b> <span class="muted">${aboutPair(pair)}</span></div>
  ${pair.waits ? html`<small class="muted">Its test clip waits or is being drawn.</small>` : ""}
  ${pair.sample?.error ? html`<small class="bad-text">${pair.sample.error}</small>` : ""}
  ${pair.can_draw && (i === 0 || pair.sample?.error) ? drawView(pair) : ""}</li>`;
const logView = (log) => html`<details class="log" id="train-log"><summary>Log</summary>
  <div class="log-pages"><button class="small" data-do="page" data-end="${log.begin}" ${given(!log.begin, "disabled")}
      >Earlier lines</button>
    ${log.end == null ? "" : html`<button class="small" data-do="page" data-end="">Newest lines</button>`}</div>
  <pre tabindex="0" aria-label="Log">${log.text}</pre></details>`;
/* A page of the log is read from its end, where the newest lines are. */
const logToEnd = () => {
  const lines = element.querySelector("#train-log pre");
  if (lines) lines.scrollTop = lines.scrollHeight;
};
element.addEventListener(
  "toggle",
  (event) => {
    if (event.target.id !== "train-log" || !event.target.open) return;
    logToEnd();
    event.target.scrollIntoView({ block: "nearest" });
  },
  true,
);
const resumeView = (run) => html`<button class="small" data-do="act" data-action="resume:${run.name}"
  title="${run.resume}" aria-label="Resume ${run.name} ${run.resume}">Resume</button>`;
const runView = (v, run) => html`<li data-key="${run.name}" ${given(run.name === v.run, 'aria-current="true"')}>
  <b>${run.name}</b><span>${run.when}</span><span>${run.state}</span><span>${run.steps}</span><span>${run.pairs}</span>
  <span class="run-buttons">
    ${run.resume ? resumeView(run) : ""}
    <button class="small" data-do="show" data-run="${run.name}" aria-label="Look at ${run.name}"
      aria-pressed="${run.name === v.run}">Look at it</button>
    <button class="small" data-do="show" data-run="${run.name}" data-log="yes" aria-label="Open the log of ${run.name}"
      >Open log</button>
  </span></li>`;
const runsView = (v) => html`<details class="training-runs panel" id="training-runs" ${given(!v.is_newest, "open")}>
  <summary>All runs of this person <small>${v.runs.length}</small></summary>
  <ul>${v.runs.map((run) => runView(v, run))}</ul></details>`;
/* What can be done about a job, by its state. */
const PAUSE_HELP = "Saves and gives back the GPU's memory; no other job begins until you resume";
const STOP_HELP = "Saves and ends; the next job in the queue begins";
const controlsView = (state) => {
  if (state === "queued") return html`<button data-do="stop">Take out of the queue</button>`;
  if (state !== "running") return "";
  return html`<button data-do="save" id="save-pair">Save a pair now</button><button data-do="pause" id="pause-training"
      title="${PAUSE_HELP}">Pause, free the GPU</button><button data-do="stop" id="stop-training"
      title="${STOP_HELP}">Stop and save</button>`;
};
const headView = (v) => html`<header class="${v.tone}"><div><h2>${v.title}</h2><p class="muted">${v.run}${
  ["running", "queued"].includes(v.state) ? html` · ${v.state_words}` : ""
}</p></div>
  <div class="run-buttons">
    ${controlsView(v.state)}
    ${buttonView(v.button, "", "run-action")}
  </div></header>`;
const olderView = () => html`<p class="older-note">This is an earlier run.
  <button class="small" data-do="show" data-run="" id="show-newest">Back to the newest</button></p>`;
const progressView = (v) => html`<div class="run-progress"><p><b>${v.progress.counted}</b> ${v.progress.stage}
    <span class="muted">${v.progress.left}</span></p>
  ${barView(v.progress.share, "Training")}
  <p class="numbers">${v.numbers.map((n) => html`<span>${n.what} <b>${n.much}</b></span>`)}</p></div>`;
const noteView = (note) => html`<li><span class="muted">${note.when}</span> <span>${note.text}</span></li>`;
const listView = (name, title, parts) =>
  parts.length ? html`<div class="${name}"><h3>${title}</h3><ul>${parts}</ul></div>` : "";
const hasLanes = (v) => v.state === "running" || v.lanes.some((lane) => lane.step.length);
const newestView = (v) => html`<section class="training panel" aria-label="Training">
    ${headView(v)}
    ${v.is_newest ? "" : olderView()}
    ${v.sentence ? html`<p class="${v.tone === "bad" ? "bad-text" : ""}">${v.sentence}</p>` : ""}
    ${["running", "stopping"].includes(v.state) ? progressView(v) : ""}
    ${hasLanes(v) ? html`<div class="lanes">${v.lanes.map(laneView)}</div>` : ""}
    ${listView("notes", "What happened", v.notes.map(noteView))}
    ${listView("pairs", "Saved pairs", v.pairs.map(pairView))}
    ${v.log ? logView(v.log) : ""}
  </section>
  ${v.runs.length ? runsView(v) : ""}`;
const redraw = mount((v) => (v.run ? newestView(v) : ""), {
  show: (button) => {
    openLog = button.dataset.log === "yes";
    if (button.dataset.run === props.value.run) return openLog ? showLog() : toTop();
    comes = true;
    trigger("show", { run: button.dataset.run });
  },
  draw: (button) => trigger("draw", { pair: button.dataset.pair }),
  page: (button) => {
    turned = true;
    trigger("turn", { run: props.value.run, end: Number(button.dataset.end) || null });
  },
  stop: () => trigger("stop", { run: props.value.run }),
  pause: () => trigger("pause", { run: props.value.run }),
  save: () => trigger("save", { run: props.value.run }),
  act: (button) => {
    if (button.dataset.action === "open-log") element.querySelector("#train-log")?.setAttribute("open", "");
    doAction(button);
  },
});
/* The nearest step under the mouse, in words. */
element.addEventListener("pointermove", (event) => {
  const section = event.target.closest?.(".lane");
  if (!section || !event.target.matches(".hover-area")) return;
  const lane = props.value.lanes.find((l) => l.id === section.dataset.lane);
  if (!lane?.step.length) return;
  const area = event.target.getBoundingClientRect();
  const step = ((event.clientX - area.left) / area.width) * axisEnd();
  tell(section, lane, nearest(lane, step));
});
const MOVES = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -Infinity, End: Infinity };
/* Where a move begins in a lane in which no step was pointed at yet. */
const startOf = (lane, move) => (move < 0 ? lane.step.length : lane.step.length - 1);
/* And under the arrow keys, while a chart has the focus. */
element.addEventListener("keydown", (event) => {
  const section = event.target.closest?.(".lane");
  const move = MOVES[event.key];
  if (!section || !move || !event.target.matches(".chart[tabindex]")) return;
  const lane = props.value.lanes.find((l) => l.id === section.dataset.lane);
  if (!lane?.step.length) return;
  event.preventDefault();
  const from = lane.id in told ? nearest(lane, told[lane.id]) : startOf(lane, move);
  tell(section, lane, Math.max(0, Math.min(lane.step.length - 1, from + move)));
});
function tell(section, lane, at) {
  told[lane.id] = lane.step[at];
  section.querySelector(".under").textContent = pointText(lane);
}
let lastWidth = 0;
new ResizeObserver(() => {
  const width = laneWidth();
  if (Math.abs(width - lastWidth) > 4) {
    lastWidth = width;
    requestAnimationFrame(redraw);
  }
}).observe(element);
watch("value", arrive);
