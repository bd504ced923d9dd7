/* What folds open under the caption: what was measured, what training makes of the photo, others like it, changes. */
const foldView = (name, title, content) =>
  html`<details class="viewer-fold ${name}" id="fold-${name}" data-key="${name}"><summary>${title}</summary>
    ${content}</details>`;
const figureView = (one) =>
  html`<dt>${one.name}</dt><dd class="${one.is_beyond ? "is-beyond" : ""}">${one.value}</dd>`;
const figuresView = ({ not_measured, figures }) =>
  foldView("measured", "Measured", [
    not_measured ? html`<p class="muted">${not_measured}</p>` : "",
    html`<dl>${figures.map(figureView)}</dl>`,
  ]);
const trainedView = ({ trained }) =>
  foldView("trained", "As it is trained", [
    html`<p>${trained.text.join(" · ")}</p>`,
    trained.remarks.map((words) => html`<p class="remark">${words}</p>`),
  ]);
/* The part that training sees, laid over the photo while its fold is open. */
const frameView = (t) => html`<span class="trained-frame" aria-hidden="true"
  style="left:${t.left}%;top:${t.top}%;width:${t.width}%;height:${t.height}%"></span>`;
const similarOne = (one) => html`<button class="similar-one" data-do="swap" data-id="${one.id}"
  data-version="${one.version}" data-key="similar-${one.id}" aria-label="Take ${one.id} instead"
  ><img src="${one.src}" alt="" loading="lazy" /><span>${one.id}</span></button>`;
const similarView = ({ similar }) =>
  foldView("similar", html`Others like this one <small>S</small>`, [
    similar.length ? "" : html`<p class="muted">No other good photo is left to take its place.</p>`,
    html`<div class="similar-row">${similar.map(similarOne)}</div>`,
  ]);
const changeView = (one) =>
  html`<button class="small" data-do="alter" data-how="${one.name}" title="${one.hint}">${one.label}</button>`;
const changesView = ({ changes }) =>
  foldView("changes", "Crop, turn, mirror", html`<div class="viewer-buttons">${changes.map(changeView)}</div>`);
const foldsView = (v) => html`${v.keep ? similarView(v.closer) : ""}${figuresView(v.closer)}
  ${v.closer.trained ? trainedView(v.closer) : ""}${v.closer.changes.length ? changesView(v.closer) : ""}`;
