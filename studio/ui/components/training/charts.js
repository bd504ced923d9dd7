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
function shortNumber(v) {
  if (v === 0) return "0";
  if (Math.abs(v) >= 1000) return v.toLocaleString("en");
  return Math.abs(v) < 0.001 ? v.toExponential(0) : String(Number(v.toPrecision(3)));
}
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
  const part = (values, i) => values.slice(starts[i], starts[i + 1]);
  return starts.map((_, i) => ({ ...line, x: part(line.x, i), y: part(line.y, i) }));
}
/* [low, high] of an axis on which all of these values lie, with a little room; not below nought if they are not. */
function limitsOf(values) {
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (high - low < 1e-9) [low, high] = [low - Math.abs(low) * 0.1 - 1e-9, high + Math.abs(high) * 0.1 + 1e-9];
  const pad = (high - low) * 0.06;
  return [low - (low >= 0 && low < pad ? low : pad), high + pad];
}
const tickView = (v, y, left, right) => html`<g class="tick"><line x1="${left}" x2="${right}" y1="${y}"
  y2="${y}"></line><text x="${left - 8}" y="${y + 4}" text-anchor="end">${shortNumber(v)}</text></g>`;
/* lines: [{name, x, y, style: "faint" | "line" | "dots"}]; gives an SVG of that width. */
function lineChart({ lines, width, height, xMax, label, keys = false }) {
  const points = lines.flatMap((l) => l.y.filter((v) => v != null));
  if (!points.length) return html`<p class="chart-empty">No steps yet.</p>`;
  const [left, right, top, bottom] = [48, 12, 8, 24];
  const [low, high] = limitsOf(points);
  const x = (v) => left + (v / Math.max(1, xMax)) * (width - left - right);
  const y = (v) => top + (1 - (v - low) / (high - low)) * (height - top - bottom);
  const point = (v, w) => (w == null ? "" : `${x(v).toFixed(1)},${y(w).toFixed(1)}`);
  const path = (l) => l.x.map((v, i) => point(v, l.y[i])).filter(Boolean).join(" ");
  const dotsOf = (l) => l.x.map((v, i) => html`<circle class="dot" cx="${x(v)}" cy="${y(l.y[i])}" r="3"></circle>`);
  const drawn = lines.flatMap((l) => (l.style === "dots" ? [l] : turns(l)));
  const tickX = (v) =>
    html`<text class="tick-x" x="${x(v)}" y="${height - 6}" text-anchor="middle">${shortNumber(v)}</text>`;
  return html`<svg class="chart" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img"
    aria-label="${label}" ${given(keys, 'tabindex="0"')}>
    ${ticks(low, high, 4).map((v) => tickView(v, y(v), left, width - right))}
    ${ticks(0, xMax, Math.max(2, Math.floor(width / 110))).map(tickX)}
    ${drawn.map((l) => html`<polyline class="curve ${l.style}" points="${path(l)}"></polyline>`)}
    ${lines.filter((l) => l.style === "dots").map(dotsOf)}
    <rect class="hover-area" x="${left}" y="${top}" width="${Math.max(1, width - left - right)}"
      height="${height - top - bottom}" data-max="${xMax}"></rect>
  </svg>`;
}
/* A curve of a line's height without axes; what it says stands beside it in numbers. */
function spark(x, y, xMax, width = 96, height = 20) {
  const points = x.map((v, i) => [v, y[i]]).filter(([, v]) => v != null);
  const values = points.map(([, v]) => v);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const across = (v) => 2 + (v / Math.max(1, xMax)) * (width - 4);
  const down = (w) => (high - low < 1e-9 ? height / 2 : 3 + (1 - (w - low) / (high - low)) * (height - 6));
  const at = ([v, w]) => [across(v).toFixed(1), down(w).toFixed(1)];
  const last = points.length ? at(points.at(-1)) : null;
  return html`<svg class="spark" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" aria-hidden="true">
    <polyline class="curve" points="${points.map((p) => at(p).join(",")).join(" ")}"></polyline>
    ${last ? html`<circle cx="${last[0]}" cy="${last[1]}" r="2.5"></circle>` : ""}</svg>`;
}
