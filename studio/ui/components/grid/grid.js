const emptyView = (empty) => html`<div class="grid-empty"><h2>${empty.title}</h2>
  <p>${empty.text}</p>
  <p class="muted">They stay on this computer.</p></div>`;
const filterView = (v, f) =>
  f.count || f.id === v.show
    ? html`<button class="small" data-do="show" data-show="${f.id}" aria-pressed="${f.id === v.show}"
        >${f.label} ${f.count}</button>`
    : "";
const undoView = (v) => html`<button class="small" id="undo" data-do="undo"
  title="${v.undo ? `Undo: ${v.undo}` : "Nothing to undo"}" ${given(!v.undo, "disabled")}
  >Undo${v.undo ? html`: ${v.undo}` : ""}</button>`;
const headView = (v) => html`<div class="grid-head">
    <p class="counters">${v.counters.map((c, i) => html`${i ? " · " : ""}<span>${c}</span>`)}</p>
    <div class="filters" role="group" aria-label="Show">
      ${v.filters.map((f) => filterView(v, f))}
    </div>
    <div class="grid-actions">
      <button class="small" id="write-captions" data-do="act" data-action="write-captions">Write captions</button>
      <button class="small" id="check-photos" data-do="act" data-action="check-photos">Check photos</button>
      ${undoView(v)}
      <button class="small quiet" id="show-keys" data-do="help" aria-label="Keys" title="Keys: ?">?</button>
    </div>
  </div>`;
const thumbView = (v, i) => html`<button class="thumb ${i.keep ? "" : "is-out"}" role="option" data-key="${i.id}"
    data-do="pick" data-id="${i.id}" data-version="${i.version}" aria-selected="${i.id === v.chosen}"
    tabindex="${i.id === v.chosen ? 0 : -1}" aria-label="${i.said}" title="${i.why || i.id}">
    <img src="${i.src}" alt="" loading="lazy" decoding="async" />
    ${i.is_pinned ? html`<span class="pin" aria-hidden="true"></span>` : ""}
    <span class="badges">${i.badges.map((b) => html`<span class="badge ${b.tone}">${b.text}</span>`)}</span>
  </button>`;
const turnView = (page, label, isPossible) =>
  html`<button class="small" data-do="turn" data-page="${page}" ${given(!isPossible, "disabled")}>${label}</button>`;
const footView = (v) =>
  v.pages > 1
    ? html`<div class="grid-foot">${turnView(v.page - 1, "Previous", v.page)}
        <span>Page ${v.page + 1} of ${v.pages}</span>
        ${turnView(v.page + 1, "Next", v.page < v.pages - 1)}</div>`
    : "";
function gridView(v) {
  if (v.empty?.title) return emptyView(v.empty);
  if (!v.items) return "";
  return html`${headView(v)}
    <div class="thumbs" role="listbox" aria-label="Photos and clips">
      ${v.items.map((i) => thumbView(v, i))}
    </div>
    ${footView(v)}${helpView()}`;
}
const chooseThumb = (thumb) => {
  element.querySelectorAll(".thumb").forEach((t) => t.setAttribute("aria-selected", String(t === thumb)));
  trigger("pick", { id: thumb.dataset.id });
};
mount(gridView, {
  pick: (thumb) => {
    chooseThumb(thumb);
    if (window.innerWidth < 821) bringUp("#viewer-column");
  },
  show: (button) => trigger("show", { show: button.dataset.show }),
  turn: (button) => trigger("turn", { page: Number(button.dataset.page) }),
  act: (button) => doAction(button),
  undo: () => trigger("undo", {}),
  help: () => helpBox().showModal(),
});
const bringUp = (selector) => document.querySelector(selector)?.scrollIntoView({ behavior: "smooth", block: "start" });
const thumbs = () => [...element.querySelectorAll(".thumb")];
function walk(event, thumb) {
  const all = thumbs();
  const columns = all.filter((t) => t.offsetTop === all[0].offsetTop).length;
  const next = all[placeAfter(event.key, all.indexOf(thumb), all.length, columns)];
  if (next === thumb) return;
  event.preventDefault();
  next.focus();
  chooseThumb(next);
}
/* The chosen picture as the page knows it: what was just picked may not have come back from the server yet. */
function chosenItem() {
  const chosen = element.querySelector(".thumb[aria-selected=true]")?.dataset;
  return chosen ? { id: chosen.id, version: chosen.version } : null;
}
const openSimilar = () => {
  const fold = document.querySelector("#fold-similar");
  if (!fold) return;
  fold.open = true;
  (fold.querySelector(".similar-one") ?? fold.querySelector("summary")).focus();
};
const focusChosen = () => element.querySelector(".thumb[aria-selected=true]")?.focus();
function pressInPictures(event) {
  const { target, key } = event;
  if (!element.isConnected || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!element.contains(target) && !target.closest("#viewer-column")) return;
  if (key === "Escape" && target.closest("#viewer-column")) return focusChosen();
  if (isTyping(target)) return;
  const thumb = target.closest(".thumb");
  if (thumb && element.contains(thumb)) walk(event, thumb);
  const decision = decisionOf(key.toLowerCase(), chosenItem());
  if (decision) trigger(...decision);
  else if (key === "?") helpBox()?.showModal();
  else if (key.toLowerCase() === "s") openSimilar();
  else if (key.toLowerCase() === "c") {
    event.preventDefault();
    document.querySelector("#caption-text")?.focus();
  }
}
document.removeEventListener("keydown", window.studioPictureKeys);
window.studioPictureKeys = pressInPictures;
document.addEventListener("keydown", pressInPictures);
/* A picture that leaves the grid (it was left out of "Kept") hands the focus to the one that takes its place. */
let focused = -1;
element.addEventListener("focusin", (event) => (focused = thumbs().indexOf(event.target.closest(".thumb"))));
element.addEventListener("focusout", (event) => {
  if (event.relatedTarget) focused = -1;
});
watch("value", () => {
  const all = thumbs();
  if (focused < 0 || document.activeElement !== document.body || !all.length) return;
  const next = all[Math.min(focused, all.length - 1)];
  next.focus();
  chooseThumb(next);
});
