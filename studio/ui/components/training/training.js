const lanesOf = () => element.querySelector(".lanes");
const laneWidth = () => {
  const room = (lanesOf()?.clientWidth || element.clientWidth || 640) - 2;
  return Math.max(260, Math.floor(room > 720 ? (room - 24) / 2 - 34 : room - 34));
};
/* A young run is not squeezed into a corner: the axis grows with it, up to the last step planned. */
const axisEnd = () => Math.min(props.value.lanes[0].last_step, Math.ceil(1.2 * Math.max(10, ...props.value.lanes.map((l) => l.step.at(-1) || 0))));
const told = {}; // step of each lane that was pointed at last
const nearest = (lane, step) => lane.step.reduce((best, s, i) => (Math.abs(s - step) < Math.abs(lane.step[best] - step) ? i : best), 0);
const pointText = (lane) => {
  if (!(lane.id in told) || !lane.step.length) return "";
  const at = nearest(lane, told[lane.id]);
  return `Step ${lane.step[at].toLocaleString("en")}: loss ${lane.loss[at]?.toFixed(4)}, learning speed ${lane.rate[at]?.toPrecision(2)}, ${lane.seconds[at]?.toPrecision(2)} s a step`;
};
const laneView = (lane) => {
  const smoothed = smooth(lane.loss);
  const lastLoss = smoothed.at(-1);
  const held = lane.held_out.at(-1);
  const lines = [
    { x: lane.step, y: lane.loss, style: "faint" },
    { x: lane.step, y: smoothed, style: "line" },
    { x: lane.held_out_step, y: lane.held_out, style: "dots" },
  ];
  const label = `${lane.name}: loss ${lastLoss?.toFixed(4) ?? "not known yet"} at step ${lane.step.at(-1) ?? 0}${held == null ? "" : `, on set-aside pictures ${held.toFixed(4)}`}`;
  return html`<section class="lane ${lane.id}" data-key="${lane.id}" data-lane="${lane.id}">
    <div class="lane-head"><h3>${lane.name} <small>${lane.term} expert</small></h3>${lane.turn.text ? html`<span class="turn ${lane.turn.now ? "now" : ""}">${lane.turn.text}</span>` : ""}</div>
    ${lineChart({ lines, width: laneWidth(), height: 190, xMax: axisEnd(), label, keys: true })}
    <p class="under" aria-live="polite">${pointText(lane)}</p>
    <p class="legend"><span><span class="key line"></span>error on training pictures <small>loss</small> <b>${lastLoss == null ? "not known yet" : lastLoss.toFixed(4)}</b></span>
      <span><span class="key dots"></span>on pictures set aside <small>held-out</small> <b>${held == null ? (lane.unchecked ? "none are set aside" : "not checked yet") : held.toFixed(4)}</b></span></p>
    ${lane.bands.length ? bandsView(lane) : ""}
    ${lane.step.length ? moreView(lane) : ""}
  </section>`;
};
/* One row a band of noise levels: where an expert learns, and where it begins to learn by heart. */
const bandsView = (lane) => html`<table class="bands"><caption>On pictures set aside, by strength of noise <small>held-out loss by sigma</small></caption>
  <thead class="sr-only"><tr><th scope="col">noise</th><th scope="col">curve</th><th scope="col">error</th><th scope="col">since the first check</th></tr></thead>
  <tbody>${lane.bands.map((band) => {
    const last = band.loss.at(-1);
    return html`<tr><th scope="row">${band.limits}</th><td>${spark(lane.held_out_step, band.loss, axisEnd())}</td><td>${last == null ? "" : last.toFixed(4)}</td><td class="${band.better ? "good-text" : ""}">${band.change}</td></tr>`;
  })}</tbody></table>`;
const moreView = (lane) => html`<details class="rate"><summary>Learning speed, time and memory</summary>${[
  ["Learning speed", "learning rate", lane.rate],
  ["Seconds a step", "", lane.seconds],
  ["Memory in GB", "", lane.memory],
].map(([name, term, y]) => html`<p class="more-name">${name} ${term ? html`<small>${term}</small>` : ""}</p>${lineChart({ lines: [{ x: lane.step, y, style: "line" }], width: laneWidth(), height: 88, xMax: axisEnd(), label: name })}`)}</details>`;
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
const pairView = (pair, i) => html`<li data-key="pair-${pair.id}" class="${pair.sample.clip ? "with-clip" : ""}">
  ${pair.sample.clip ? html`<video data-key="${pair.sample.clip}" src="${pair.sample.clip}" poster="${pair.sample.poster}" muted loop playsinline controls preload="none" aria-label="${pair.label}: ${pair.sample.prompt}" title="${pair.sample.prompt}"></video>` : ""}
  <div><b>${pair.label}</b> <span class="muted">${[pair.run, pair.size, pair.made].filter(Boolean).join(" · ")}</span></div>
  ${pair.waits ? html`<small class="muted">Its test clip waits or is being drawn.</small>` : ""}
  ${pair.sample.error ? html`<small class="bad-text">${pair.sample.error}</small>` : ""}
  ${pair.can_draw && (i === 0 || pair.sample.error) ? html`<button class="small" data-do="draw" data-pair="${pair.id}" aria-label="Draw a test clip of ${pair.label}">Draw a test clip</button>` : ""}</li>`;
const logView = (log) => html`<details class="log" id="train-log"><summary>Log</summary>
  <div class="log-pages"><button class="small" data-do="page" data-end="${log.begin}" ${log.begin ? "" : new Markup("disabled")}>Earlier lines</button>
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
const runsView = (v) => html`<details class="training-runs panel" id="training-runs" ${v.is_newest === false ? new Markup("open") : ""}>
  <summary>All runs of this person <small>${v.runs.length}</small></summary>
  <ul>${v.runs.map(
    (run) => html`<li data-key="${run.name}" ${run.name === v.run ? new Markup('aria-current="true"') : ""}>
      <b>${run.name}</b><span>${run.when}</span><span>${run.state}</span><span>${run.steps}</span><span>${run.pairs}</span>
      <span class="run-buttons">
        ${run.resume ? html`<button class="small" data-do="act" data-action="resume:${run.name}" title="${run.resume}" aria-label="Resume ${run.name} ${run.resume}">Resume</button>` : ""}
        <button class="small" data-do="show" data-run="${run.name}" aria-label="Look at ${run.name}" aria-pressed="${run.name === v.run}">Look at it</button>
        <button class="small" data-do="show" data-run="${run.name}" data-log="yes" aria-label="Open the log of ${run.name}">Open log</button>
      </span></li>`,
  )}</ul></details>`;
const redraw = mount(
  (v) =>
    v.run
      ? html`<section class="training panel" aria-label="Training">
          <header class="${v.tone}"><div><h2>${v.title}</h2><p class="muted">${v.run}${v.is_running || v.is_waiting ? html` · ${v.state}` : ""}</p></div>
            <div class="run-buttons">
              ${v.is_running ? html`<button data-do="save" id="save-pair">Save a pair now</button><button data-do="pause" id="pause-training" title="Saves and gives back the GPU's memory; no other job begins until you resume">Pause, free the GPU</button><button data-do="stop" id="stop-training" title="Saves and ends; the next job in the queue begins">Stop and save</button>` : ""}
              ${v.is_waiting ? html`<button data-do="stop">Take out of the queue</button>` : ""}
              ${v.label ? html`<button data-do="act" data-action="${v.action}" id="run-action">${v.label}</button>` : ""}
            </div></header>
          ${v.is_newest === false ? html`<p class="older-note">This is an earlier run. <button class="small" data-do="show" data-run="" id="show-newest">Back to the newest</button></p>` : ""}
          ${v.sentence ? html`<p class="${v.tone === "bad" ? "bad-text" : ""}">${v.sentence}</p>` : ""}
          ${v.is_running || v.state === "saving and stopping"
            ? html`<div class="run-progress"><p><b>${v.progress.counted}</b> ${v.progress.stage} <span class="muted">${v.progress.left}</span></p>
                <span class="bar busy ${v.progress.share == null ? "unknown" : ""}" role="progressbar" aria-label="Training" aria-valuemin="0" aria-valuemax="100" aria-valuenow="${Math.round((v.progress.share || 0) * 100)}"><span style="width:${(v.progress.share || 0) * 100}%"></span></span>
                <p class="numbers">${v.numbers.map((n) => html`<span>${n.what} <b>${n.much}</b></span>`)}</p></div>`
            : ""}
          ${v.lanes.some((l) => l.step.length) || v.is_running ? html`<div class="lanes">${v.lanes.map(laneView)}</div>` : ""}
          ${v.notes.length
            ? html`<div class="notes"><h3>What happened</h3><ul>${v.notes.map((note) => html`<li><span class="muted">${note.when}</span> <span>${note.text}</span></li>`)}</ul></div>`
            : ""}
          ${v.pairs.length
            ? html`<div class="pairs"><h3>Saved pairs</h3><ul>${v.pairs.map(pairView)}</ul></div>`
            : ""}
          ${v.log.text != null ? logView(v.log) : ""}
        </section>
        ${v.runs.length ? runsView(v) : ""}`
      : "",
  {
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
      if (button.dataset.action.startsWith("tab:train")) element.querySelector("#train-log")?.setAttribute("open", "");
      return /^(tab|click):/.test(button.dataset.action) ? goTo(button.dataset.action) : trigger("act", { action: button.dataset.action });
    },
  },
);
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
/* And under the arrow keys, while a chart has the focus. */
element.addEventListener("keydown", (event) => {
  const section = event.target.closest?.(".lane");
  const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -Infinity, End: Infinity }[event.key];
  if (!section || !move || !event.target.matches(".chart[tabindex]")) return;
  const lane = props.value.lanes.find((l) => l.id === section.dataset.lane);
  if (!lane?.step.length) return;
  event.preventDefault();
  const from = lane.id in told ? nearest(lane, told[lane.id]) : move < 0 ? lane.step.length : lane.step.length - 1;
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
