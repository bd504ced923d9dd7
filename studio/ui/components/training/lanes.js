/* The two lanes of a run, one an expert: curves, whose turn it is, and what pictures say that were set aside. */
const lanesOf = () => element.querySelector(".lanes");
const laneWidth = () => {
  const room = (lanesOf()?.clientWidth || element.clientWidth || 640) - 2;
  return Math.max(260, Math.floor(room > 720 ? (room - 24) / 2 - 34 : room - 34));
};
/* A young run is not squeezed into a corner: the axis grows with it, up to the last step planned. */
function axisEndOf(lanes) {
  const newest = Math.max(10, ...lanes.map((lane) => lane.step.at(-1) || 0));
  return Math.min(lanes[0].last_step, Math.ceil(1.2 * newest));
}
const axisEnd = () => axisEndOf(props.value.lanes);
const told = {}; // step of each lane that was pointed at last
/* The place of the step of a lane that is nearest to `step`. */
function nearest(lane, step) {
  const isNearer = (i, best) => Math.abs(lane.step[i] - step) < Math.abs(lane.step[best] - step);
  return lane.step.reduce((best, _, i) => (isNearer(i, best) ? i : best), 0);
}
const pointText = (lane) => {
  if (!(lane.id in told) || !lane.step.length) return "";
  const at = nearest(lane, told[lane.id]);
  const [step, loss] = [lane.step[at].toLocaleString("en"), lane.loss[at]?.toFixed(4)];
  const [rate, seconds] = [lane.rate[at]?.toPrecision(2), lane.seconds[at]?.toPrecision(2)];
  return `Step ${step}: loss ${loss}, learning speed ${rate}, ${seconds} s a step`;
};
/* What the pictures say that were set aside. */
function heldOutText(lane) {
  const held = lane.held_out.at(-1);
  if (held != null) return held.toFixed(4);
  return lane.unchecked ? "none are set aside" : "not checked yet";
}
/* The two curves of a lane and its dots, as `lineChart` takes them. */
const linesOf = (lane, smoothed) => [
  { x: lane.step, y: lane.loss, style: "faint" },
  { x: lane.step, y: smoothed, style: "line" },
  { x: lane.held_out_step, y: lane.held_out, style: "dots" },
];
function laneLabel(lane, lastLoss) {
  const held = lane.held_out.at(-1);
  const aside = held == null ? "" : `, on set-aside pictures ${held.toFixed(4)}`;
  return `${lane.name}: loss ${lossText(lastLoss)} at step ${lane.step.at(-1) ?? 0}${aside}`;
}
const turnView = (turn) => (turn.text ? html`<span class="turn ${turn.now ? "now" : ""}">${turn.text}</span>` : "");
const lossText = (loss) => (loss == null ? "not known yet" : loss.toFixed(4));
const legendView = (lane, lastLoss) => html`<p class="legend"><span><span class="key line"></span>error on training
      pictures <small>loss</small> <b>${lossText(lastLoss)}</b></span>
      <span><span class="key dots"></span>on pictures set aside <small>held-out</small>
      <b>${heldOutText(lane)}</b></span></p>`;
const laneView = (lane) => {
  const smoothed = smooth(lane.loss);
  const lastLoss = smoothed.at(-1);
  const chart = { lines: linesOf(lane, smoothed), width: laneWidth(), height: 190, xMax: axisEnd(), keys: true };
  return html`<section class="lane ${lane.id}" data-key="${lane.id}" data-lane="${lane.id}">
    <div class="lane-head"><h3>${lane.name} <small>${lane.term} expert</small></h3>${turnView(lane.turn)}</div>
    ${lineChart({ ...chart, label: laneLabel(lane, lastLoss) })}
    <p class="under" aria-live="polite">${pointText(lane)}</p>
    ${legendView(lane, lastLoss)}
    ${lane.bands.length ? bandsView(lane) : ""}
    ${lane.step.length ? moreView(lane) : ""}
  </section>`;
};
const bandView = (lane, band) => {
  const last = band.loss.at(-1);
  return html`<tr><th scope="row">${band.limits}</th><td>${spark(lane.held_out_step, band.loss, axisEnd())}</td
    ><td>${last == null ? "" : last.toFixed(4)}</td
    ><td class="${band.better ? "good-text" : ""}">${band.change}</td></tr>`;
};
/* One row a band of noise levels: where an expert learns, and where it begins to learn by heart. */
const bandsView = (lane) => html`<table class="bands">
  <caption>On pictures set aside, by strength of noise <small>held-out loss by sigma</small></caption>
  <thead class="sr-only"><tr><th scope="col">noise</th><th scope="col">curve</th><th scope="col">error</th
    ><th scope="col">since the first check</th></tr></thead>
  <tbody>${lane.bands.map((band) => bandView(lane, band))}</tbody></table>`;
const oneCurveView = (lane, name, term, y) => {
  const lines = [{ x: lane.step, y, style: "line" }];
  return html`<p class="more-name">${name} ${term ? html`<small>${term}</small>` : ""}</p>${lineChart({
    lines, width: laneWidth(), height: 88, xMax: axisEnd(), label: name,
  })}`;
};
const moreView = (lane) => html`<details class="rate"><summary>Learning speed, time and memory</summary>${[
  oneCurveView(lane, "Learning speed", "learning rate", lane.rate),
  oneCurveView(lane, "Seconds a step", "", lane.seconds),
  oneCurveView(lane, "Memory in GB", "", lane.memory),
]}</details>`;
