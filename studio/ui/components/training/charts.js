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
/* lines: [{name, x, y, style: "faint" | "line" | "dots"}]; gives an SVG of that width. */
function lineChart({ lines, width, height, xMax, label }) {
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
  return html`<svg class="chart" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${label}">
    ${ticks(low, high, 4).map((v) => html`<g class="tick"><line x1="${left}" x2="${width - right}" y1="${y(v)}" y2="${y(v)}"></line><text x="${left - 8}" y="${y(v) + 4}" text-anchor="end">${shortNumber(v)}</text></g>`)}
    ${ticks(0, xMax, Math.max(2, Math.floor(width / 110))).map((v) => html`<text class="tick-x" x="${x(v)}" y="${height - 6}" text-anchor="middle">${shortNumber(v)}</text>`)}
    ${lines.map((l) => html`<polyline class="curve ${l.style}" points="${path(l)}"></polyline>`)}
    ${lines.filter((l) => l.style === "dots").map((l) => l.x.map((v, i) => html`<circle class="dot" cx="${x(v)}" cy="${y(l.y[i])}" r="3"></circle>`))}
    <rect class="hover-area" x="${left}" y="${top}" width="${Math.max(1, width - left - right)}" height="${height - top - bottom}" data-max="${xMax}"></rect>
  </svg>`;
}
