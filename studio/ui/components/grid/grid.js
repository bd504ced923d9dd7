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
    </div>
  </div>`;
const thumbView = (v, i) => html`<button class="thumb ${i.keep ? "" : "is-out"}" role="option" data-key="${i.id}"
    data-do="pick" data-id="${i.id}" aria-selected="${i.id === v.chosen}" tabindex="${i.id === v.chosen ? 0 : -1}"
    aria-label="${i.said}" title="${i.why || i.id}">
    <img src="${i.src}" alt="" loading="lazy" decoding="async" />
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
    ${footView(v)}`;
}
mount(gridView, {
  pick: (button) => {
    element.querySelectorAll(".thumb").forEach((t) => t.setAttribute("aria-selected", String(t === button)));
    trigger("pick", { id: button.dataset.id });
    if (window.innerWidth < 821) bringUp("#viewer-column");
  },
  show: (button) => trigger("show", { show: button.dataset.show }),
  turn: (button) => trigger("turn", { page: Number(button.dataset.page) }),
  act: (button) => doAction(button),
  undo: () => trigger("undo", {}),
});
const bringUp = (selector) => document.querySelector(selector)?.scrollIntoView({ behavior: "smooth", block: "start" });
/* Arrow keys walk through the pictures, as in a file manager. */
element.addEventListener("keydown", (event) => {
  const thumb = event.target.closest(".thumb");
  if (!thumb) return;
  const all = [...element.querySelectorAll(".thumb")];
  const columns = all.filter((t) => t.offsetTop === all[0].offsetTop).length;
  const across = { ArrowLeft: -1, ArrowRight: 1, Home: -all.length, End: all.length };
  const step = { ...across, ArrowUp: -columns, ArrowDown: columns }[event.key];
  if (!step) return;
  event.preventDefault();
  const next = all[Math.max(0, Math.min(all.length - 1, all.indexOf(thumb) + step))];
  next.focus();
  next.click();
});
