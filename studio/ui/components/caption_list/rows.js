/* How a page of captions looks. */
const filterView = (v, f) =>
  f.count || f.id === v.show
    ? html`<button class="small" data-do="show" data-show="${f.id}" aria-pressed="${f.id === v.show}"
        >${f.label} ${f.count}</button>`
    : "";
const titleView = (v) =>
  v.title
    ? html`<p class="caption-title"><b>Shown: ${v.ids.length} for this remark.</b> ${v.title}
        <button class="small quiet" data-do="show" data-show="all">Show all</button></p>`
    : "";
const KEYS = {
  "Ctrl+Enter": "save, next",
  "\u2191 \u2193": "another one",
  "Alt+K": "keep",
  "Alt+X": "leave out",
  Esc: "then K, X",
};
const keyView = ([key, what]) => html`<span><kbd>${key}</kbd> ${what}</span>`;
const keysView = () => html`<p class="caption-keys">${Object.entries(KEYS).map(keyView)}</p>`;
const headView = (v) => html`<div class="caption-head">
    <div class="filters" role="group" aria-label="Show">${v.filters.map((f) => filterView(v, f))}</div>
    <div class="caption-actions">
      <button class="small" data-do="act" data-action="write-captions">Write captions</button>
      <button class="small caption-undo" data-do="undo" title="${v.undo || "Nothing to undo"}"
        ${given(!v.undo, "disabled")}>Undo${v.undo ? html`: ${v.undo}` : ""}</button></div>
    ${titleView(v)} ${unsavedView(v)} ${keysView()}</div>`;
/* What could not be saved and stands on another page, or is of another project. */
const unsavedView = (v) => {
  const onPage = new Set(v.rows.map((row) => keyOf(row.id, v)));
  // those on the page say so beside their box
  const stuck = Object.entries(drafts).filter(([key, d]) => d.said && !onPage.has(key));
  return stuck.length
    ? html`<div class="caption-unsaved" role="alert">${stuck.map(([key, d]) => stuckView(v, key, d))}</div>`
    : "";
};
const whose = (v, d) => (d.project === v.project && d.made === v.made ? "" : ` (${d.project})`);
const stuckView = (v, key, d) => html`<p data-key="${key}"><b>${d.id}${whose(v, d)} is not saved.</b> ${d.said}
  You typed: <q>${d.text}</q> ${choicesView(key, keyOf(d.id, v) === key)}</p>`;
const choicesView = (key, canSave) => html`<span class="caption-choices">
  ${canSave ? html`<button class="small" data-do="mine" data-draft="${key}">Save mine</button>` : ""}
  <button class="small" data-do="theirs" data-draft="${key}">Drop mine</button></span>`;
const conflictView = (row, own) => html`<p class="caption-conflict" role="alert"><b>Not saved.</b> ${own.said}
  ${row.caption !== own.was ? html` Now it is: <q>${row.caption}</q>` : ""} ${choicesView(keyOf(row.id), true)}</p>`;
const badgesView = (row) => html`${row.keep ? "" : html`<span class="badge out">left out</span>`}
  ${row.kind === "clip" ? html`<span class="badge plain">clip</span>` : ""}`;
const remarksView = (row) => html`${row.remarks.map((words) => html`<p class="remark">${words}</p>`)}
  ${row.unread ? html`<p class="remark">Not read by the model: <s>${row.unread}</s></p>` : ""}
  ${row.traces ? html`<p class="remark">The class prompt still says who is meant: ${row.traces}.</p>` : ""}
  ${row.keep ? "" : html`<p class="remark out">Left out${row.reason ? html`: ${row.reason}` : ""}.</p>`}`;
const stateOf = (row, own) => (own ? "typed, not saved yet" : row.source);
const factsView = (row, own) => html`<p class="caption-facts"><b>${row.id}</b> · <span class="caption-state"
    >${stateOf(row, own)}</span>${row.tokens ? html` · ${row.tokens}` : ""}</p>`;
const classView = (row) =>
  row.class_prompt
    ? html`<details class="caption-class"><summary tabindex="-1">Class prompt, for other people</summary>
        ${row.class_prompt}</details>`
    : "";
const decideView = (row) => html`<button class="small" data-do="decide" tabindex="-1" aria-pressed="${row.keep}"
  title="${row.keep ? "Alt+X" : "Alt+K"}">${row.keep ? "Leave out" : "Keep"}</button>`;
const rowView = (v, row) => {
  const own = drafts[keyOf(row.id)];
  return html`<article class="caption-row ${row.keep ? "" : "is-out"}" data-key="${keyOf(row.id)}" data-id="${row.id}"
    tabindex="-1" aria-label="${row.id}${row.keep ? "" : ", left out"}">
    <a class="caption-picture" href="${row.large}" target="_blank" rel="noopener" tabindex="-1"
      aria-label="Open ${row.id}"><img src="${row.src}" alt="${row.caption || row.id}" loading="lazy" />
      <span class="badges">${badgesView(row)}</span></a>
    <div class="caption-words">
      <textarea rows="2" spellcheck="true" aria-label="Caption of ${row.id}" placeholder="${v.placeholder}"
        >${own ? own.text : row.caption}</textarea>
      <div class="caption-line">${factsView(row, own)} ${decideView(row)}</div>
      ${own?.said ? conflictView(row, own) : ""} ${remarksView(row)} ${classView(row)}
    </div></article>`;
};
const turnButton = (page, label, isPossible) =>
  html`<button class="small" data-do="turn" data-page="${page}" ${given(!isPossible, "disabled")}>${label}</button>`;
const footView = (v) => {
  const pages = Math.ceil(v.ids.length / v.per_page);
  return pages > 1
    ? html`<div class="grid-foot">${turnButton(v.page - 1, "Previous", v.page)}
        <span>Page ${v.page + 1} of ${pages}</span> ${turnButton(v.page + 1, "Next", v.page < pages - 1)}</div>`
    : "";
};
