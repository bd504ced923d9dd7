/* The line of time under a clip: which part to cut, what of it is trained, which pieces of it are worth training. */
const NUDGE = 0.1; // seconds an arrow key moves; ten times as much with Shift
let part = { key: "", start: 0, end: 0 };
let seesTrained = false;
const keyOf = (v) => `${v.project}/${v.id}/${v.version}`;
const itemOf = (v) => ({ id: v.id, version: v.version });
const video = () => document.querySelector("#studio-viewer video");
const inPercent = (seconds) => (100 * seconds) / (props.value.seconds || 1);
const toClock = (seconds) => {
  const tenths = Math.round(seconds * 10); // rounded first, so that 59.96 s are 1:00.0
  return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
};
const within = (seconds) => Math.min(Math.max(seconds, 0), props.value.seconds);

const bandView = (band) => html`<span class="band ${band.is_piece ? "is-piece" : "is-out"}" title="${band.words}"
  style="left:${inPercent(band.start)}%;width:${inPercent(band.end - band.start)}%"></span>`;
const handleView = (name, label) => html`<span class="handle" role="slider" tabindex="0" data-handle="${name}"
  aria-label="${label}" aria-valuemin="0" aria-valuemax="${props.value.seconds}"
  aria-valuenow="${part[name].toFixed(1)}" aria-valuetext="${toClock(part[name])}"
  style="left:${inPercent(part[name])}%"></span>`;
const lineView = (v) => html`<div class="time-line" tabindex="-1">
    ${v.bands.map(bandView)}
    <span class="chosen" style="left:${inPercent(part.start)}%;width:${inPercent(part.end - part.start)}%"></span>
    <span class="is-trained" title="${v.trained}" style="left:${inPercent(part.start)}%;
      width:${inPercent(Math.min(v.trained_seconds, part.end - part.start))}%"></span>
    <span class="playhead" data-keep></span>
    ${handleView("start", "Beginning of the part")}${handleView("end", "End of the part")}
  </div>`;
const trainedView = (v) => html`<video class="as-trained" src="${v.trained_src}" data-key="${v.trained_src}"
  controls loop muted autoplay playsinline aria-label="${v.id} as training sees it"></video>`;
const chosenWords = () => `${toClock(part.start)} to ${toClock(part.end)}, ${(part.end - part.start).toFixed(1)} s`;
const buttonsView = (v) => html`<div class="time-buttons">
    <button data-do="mark" data-name="start" title="Key I">Begin here <kbd>I</kbd></button>
    <button data-do="mark" data-name="end" title="Key O">End here <kbd>O</kbd></button>
    <output class="chosen-time">${chosenWords()}</output>
    <span class="spring"></span>
    <button data-do="cut" id="cut-clip" ${given(isWhole(v), "disabled")}>Cut to it</button>
    <button data-do="copy" id="copy-part" ${given(isWhole(v), "disabled")}>Keep it as a clip of its own</button>
  </div>`;
const findView = (v) => html`<div class="time-buttons">
    <button class="small" data-do="find" id="find-pieces" ${given(v.busy, "disabled")}>Find good pieces</button>
    <button class="small" data-do="stills" id="take-stills" ${given(v.busy, "disabled")}>Take photos out of it</button>
    ${v.trained_src ? html`<button class="small" data-do="see" id="see-trained" aria-pressed="${seesTrained}"
      >${seesTrained ? "Hide what training sees" : "See what training sees"}</button>` : ""}
    ${v.busy ? html`<span class="muted">${v.busy}</span>` : ""}
  </div>`;
const isWhole = (v) => part.start < 0.05 && part.end > v.seconds - 0.05;

const redraw = mount(
  (v) => {
    if (!v.id) return "";
    if (part.key !== keyOf(v)) [part, seesTrained] = [{ key: keyOf(v), start: 0, end: v.seconds }, false];
    return html`<section class="clip-time" aria-label="Time of ${v.id}">
      ${v.part ? html`<p class="muted">${v.part}</p>` : ""}
      ${lineView(v)}
      ${buttonsView(v)}
      <p class="what-is-trained">Trained: ${v.trained}</p>
      ${findView(v)}
      ${seesTrained ? trainedView(v) : ""}
      ${v.found.map((sentence) => html`<p class="muted found">${sentence}</p>`)}
    </section>`;
  },
  {
    mark: (button) => mark(button.dataset.name),
    cut: () => trigger("cut", { ...itemOf(props.value), start: part.start, end: part.end, as_new: false }),
    copy: () => trigger("cut", { ...itemOf(props.value), start: part.start, end: part.end, as_new: true }),
    find: () => trigger("find", itemOf(props.value)),
    stills: () => trigger("stills", itemOf(props.value)),
    see: () => {
      seesTrained = !seesTrained;
      redraw();
    },
  },
);
/* Move an end of the part; the other one goes along where they would cross. */
function setPart(name, seconds) {
  part[name] = within(seconds);
  if (part.start > part.end) part[name === "start" ? "end" : "start"] = part[name];
  redraw();
}
function mark(name) {
  if (video()) setPart(name, video().currentTime);
}
const showAt = (seconds) => {
  if (video()) video().currentTime = within(seconds);
};
const secondsAt = (event) => {
  const box = element.querySelector(".time-line").getBoundingClientRect();
  return within(((event.clientX - box.left) / box.width) * props.value.seconds);
};
element.addEventListener("pointerdown", (event) => {
  const line = event.target.closest(".time-line");
  if (!line) return;
  const handle = event.target.dataset.handle;
  const move = (moved) => {
    if (handle) setPart(handle, secondsAt(moved));
    showAt(secondsAt(moved));
  };
  const stop = () => {
    window.removeEventListener("pointermove", move);
    window.removeEventListener("pointerup", stop);
  };
  window.addEventListener("pointermove", move);
  window.addEventListener("pointerup", stop);
  move(event);
  event.preventDefault();
  event.target.focus?.({ preventScroll: true });
});
element.addEventListener("keydown", (event) => {
  const name = event.target.dataset?.handle;
  const step = { ArrowLeft: -NUDGE, ArrowRight: NUDGE }[event.key];
  if (!name || !step) return;
  event.preventDefault();
  setPart(name, part[name] + step * (event.shiftKey ? 10 : 1));
  showAt(part[name]);
});
/* I and O work wherever no text is typed, while a clip is shown. */
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, textarea, select, [contenteditable=true]");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !props.value?.id || !element.offsetParent) return;
  const name = { i: "start", o: "end" }[event.key.toLowerCase()];
  if (!name) return;
  event.preventDefault();
  mark(name);
});
const followVideo = () => {
  const head = element.querySelector(".playhead");
  if (head && video() && props.value?.seconds) head.style.left = `${inPercent(video().currentTime)}%`;
  requestAnimationFrame(followVideo);
};
requestAnimationFrame(followVideo);
