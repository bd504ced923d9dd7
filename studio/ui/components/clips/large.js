/* The large view: one clip alone, or with another one (the base, or a pair that was chosen) by wipe, difference and
   blink. Everything has a key; arrows walk through pairs and prompts. */
const BLINK_MS = 600;
const modeView = (mode, name, label, key) =>
  html`<button class="small" data-do="mode" data-mode="${name}" aria-pressed="${mode === name}"
    title="${key}">${label}</button>`;
const modesView = (a, b, mode) => html`<div class="large-tools" role="group" aria-label="How to compare">
    ${modeView(mode, "alone", `${nameOf(b)} alone`, "A")}
    ${
      a
        ? html`${modeView(mode, "other", `${nameOf(a)} alone`, "B")} ${modeView(mode, "wipe", "Wipe", "W")}
            ${modeView(mode, "difference", "Difference", "D")} ${modeView(mode, "blink", "Blink", "X")}`
        : ""
    }
  </div>`;
const LEFT_TAG = ["wipe", "other"];
const tagsView = (a, b, mode) => html`${
    LEFT_TAG.includes(mode) ? html`<span class="tag left">${nameOf(a)}</span>` : ""
  }${
    mode === "other"
      ? ""
      : html`<span class="tag right">${mode === "difference" ? `${nameOf(a)} against ${nameOf(b)}` : nameOf(b)}</span>`
  }`;
const sourceView = (name, cell) => html`<video data-key="${name}-${cell?.key}" class="of-${name}"
  src="${cell ? clipOf(cell, "mp4") : ""}" muted playsinline preload="auto" data-keep></video>`;
const WIPE = html`<input type="range" class="wipe" min="0" max="1000" value="500" aria-label="Where the two meet"
  data-keep />`;
const largePlayerView = () => html`<div class="player large-player" role="group" aria-label="Player">
    <button class="shape is-playing" data-do="largeToggle" aria-label="Pause" title="Space" data-keep
      >${shape("play")}${shape("pause")}</button>
    <button class="shape" data-do="largeBack" aria-label="One frame back" title=",">${shape("back")}</button>
    <button class="shape" data-do="largeForth" aria-label="One frame forward" title=".">${shape("forth")}</button>
    <input type="range" class="large-scrub" min="0" max="1000" value="0" aria-label="Position in the clip" data-keep />
    <label class="speed"><span>Speed</span><select name="large-speed" data-keep><option value="0.25">1/4</option
      ><option value="0.5">1/2</option><option value="1" selected>1</option></select></label>
  </div>`;
const KEYS_OF_LARGE = "\u2190 \u2192 pair, \u2191 \u2193 prompt, 0 to 9 column, space play, comma and full stop frame";
const besideView = (v, b) =>
  v.people.length
    ? html`<div class="large-faces" aria-label="Your photos, and the face in this clip">${v.people
        .slice(0, 3)
        .map(ownFaceView)}${b.face ? html`<img class="face of-clip" src="${b.face}" alt="" />` : ""}</div>`
    : "";
const largeView = (v) => {
  if (!shown) return "";
  const { a, b, mode } = shown;
  const row = v.rows[b.row];
  return html`<div class="large-head"><h2>${row?.label}</h2
      ><button class="quiet" data-do="close" aria-label="Close">Close</button></div>
    <div class="large-stage"><canvas data-keep aria-label="${row?.label}, ${nameOf(b)}"></canvas>
      ${tagsView(a, b, mode)}</div>
    ${mode === "wipe" ? WIPE : ""}
    ${largePlayerView()}
    ${modesView(a, b, mode)}
    <div class="large-said">${besideView(v, b)}<p class="muted">${noteView(b)} ${row?.text}
      <small class="keys-of-large"><br />${KEYS_OF_LARGE}</small></p></div>
    <div hidden>${sourceView("a", a)}${sourceView("b", b)}</div>`;
};
/* The clip so many columns and rows from another, past those that are not drawn; the same where there is none. */
function cellBeside(from, columns, rows) {
  const { order, columns: all } = props.value;
  let [column, place] = [from.column + columns, order.indexOf(from.row) + rows];
  for (; column >= 0 && column < all.length && place >= 0 && place < order.length; column += columns, place += rows) {
    const cell = cellAt(column, order[place]);
    if (cell?.state === "done") return cell;
  }
  return from;
}
/* What a shown clip is compared with: the same column as before, in its row. */
function otherOf(cell, former) {
  const other = cellAt(former?.column ?? 0, cell.row);
  return other?.state === "done" && !same(other, cell) ? other : null;
}
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const MODES = { a: "alone", b: "other", w: "wipe", d: "difference", x: "blink" };
/* What a key does in the large view: {cell}, {mode} or {play}; null where it does nothing. */
function largeKey(key, now) {
  if (key in ARROWS) return { cell: cellBeside(now.b, ...ARROWS[key]) };
  if (/^\d$/.test(key)) return { cell: cellAt(Number(key), now.b.row) };
  if (key in MODES && (now.a || key === "a")) return { mode: now.mode === MODES[key] ? "alone" : MODES[key] };
  return { " ": { play: "toggle" }, ",": { play: "back" }, ".": { play: "forth" } }[key] ?? null;
}
