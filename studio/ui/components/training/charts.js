/* Small line charts in SVG: axes, a legend in words, the nearest point under the mouse. */
const niceStep = (span, parts) => {
  const raw = span / parts || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw);
};
const ticks = (low, high, parts) => {
  const step = niceStep(high - low, parts);
  const found = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-6; v += step) found.push(Number(v.toPrecision(6)));
  return found;
};
const shortNumber = (v) => (v === 0 ? "0" : Math.abs(v) >= 1000 ? v.toLocaleString("en") : Math.abs(v) < 0.001 ? v.toExponential(0) : String(Number(v.toPrecision(3))));
/* Exponential mean, corrected for its start, over about a twentieth of the points. */
function smooth(values) {
  const keep = 1 - 1 / Math.max(2, values.length / 20);
  let sum = 0;
  let weight = 0;
  return values.map((v) => {
    if (v == null) return null;
    sum = keep * sum + (1 - keep) * v;
    weight = keep * weight + (1 - keep);
    return sum / weight;
  });
}
/* The parts of a line between which the other expert had its turn: nothing is known there. */
function turns(line) {
  const gaps = line.x.slice(1).map((v, i) => v - line.x[i]);
  const usual = [...gaps].sort((a, b) => a - b)[gaps.length >> 1] || 1;
  const starts = [0, ...gaps.flatMap((gap, i) => (gap > 3 * usual ? [i + 1] : []))];
  return starts.map((start, i) => ({ ...line, x: line.x.slice(start, starts[i + 1]), y: line.y.slice(start, starts[i + 1]) }));
}
/* lines: [{name, x, y, style: "faint" | "line" | "dots"}]; gives an SVG of that width. */
function lineChart({ lines, width, height, xMax, label, keys = false }) {
  const points = lines.flatMap((l) => l.y.filter((v) => v != null));
  if (!points.length) return html`<p class="chart-empty">No steps yet.</p>`;
  const [left, right, top, bottom] = [48, 12, 8, 24];
  let [low, high] = [Math.min(...points), Math.max(...points)];
  if (high - low < 1e-9) [low, high] = [low - Math.abs(low) * 0.1 - 1e-9, high + Math.abs(high) * 0.1 + 1e-9];
  const pad = (high - low) * 0.06;
  [low, high] = [low - (low >= 0 && low < pad ? low : pad), high + pad];
  const x = (v) => left + (v / Math.max(1, xMax)) * (width - left - right);
  const y = (v) => top + (1 - (v - low) / (high - low)) * (height - top - bottom);
  const path = (l) => l.x.map((v, i) => (l.y[i] == null ? "" : `${x(v).toFixed(1)},${y(l.y[i]).toFixed(1)}`)).filter(Boolean).join(" ");
  const drawn = lines.flatMap((l) => (l.style === "dots" ? [l] : turns(l)));
  return html`<svg class="chart" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${label}" ${keys ? new Markup('tabindex="0"') : ""}>
    ${ticks(low, high, 4).map((v) => html`<g class="tick"><line x1="${left}" x2="${width - right}" y1="${y(v)}" y2="${y(v)}"></line><text x="${left - 8}" y="${y(v) + 4}" text-anchor="end">${shortNumber(v)}</text></g>`)}
    ${ticks(0, xMax, Math.max(2, Math.floor(width / 110))).map((v) => html`<text class="tick-x" x="${x(v)}" y="${height - 6}" text-anchor="middle">${shortNumber(v)}</text>`)}
    ${drawn.map((l) => html`<polyline class="curve ${l.style}" points="${path(l)}"></polyline>`)}
    ${lines.filter((l) => l.style === "dots").map((l) => l.x.map((v, i) => html`<circle class="dot" cx="${x(v)}" cy="${y(l.y[i])}" r="3"></circle>`))}
    <rect class="hover-area" x="${left}" y="${top}" width="${Math.max(1, width - left - right)}" height="${height - top - bottom}" data-max="${xMax}"></rect>
  </svg>`;
}
/* A curve of a line's height without axes; what it says stands beside it in numbers. */
function spark(x, y, xMax, width = 96, height = 20) {
  const points = x.map((v, i) => [v, y[i]]).filter(([, v]) => v != null);
  const values = points.map(([, v]) => v);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const at = ([v, w]) => [(2 + (v / Math.max(1, xMax)) * (width - 4)).toFixed(1), (high - low < 1e-9 ? height / 2 : 3 + (1 - (w - low) / (high - low)) * (height - 6)).toFixed(1)];
  const last = points.length ? at(points.at(-1)) : null;
  return html`<svg class="spark" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" aria-hidden="true">
    <polyline class="curve" points="${points.map((p) => at(p).join(",")).join(" ")}"></polyline>
    ${last ? html`<circle cx="${last[0]}" cy="${last[1]}" r="2.5"></circle>` : ""}</svg>`;
}
