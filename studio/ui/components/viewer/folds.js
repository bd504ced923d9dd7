/* What folds open under the caption: what was measured, what training makes of the photo, others like it, changes of it. */
const figuresView = (v) => html`<details class="viewer-fold measured" data-key="measured"><summary>Measured</summary>
  ${v.closer.not_measured ? html`<p class="muted">${v.closer.not_measured}</p>` : ""}
  <dl>${v.closer.figures.map((one) => html`<dt>${one.name}</dt><dd class="${one.is_beyond ? "is-beyond" : ""}">${one.value}</dd>`)}</dl>
  </details>`;
const trainedView = (v) => html`<details class="viewer-fold trained" data-key="trained"><summary>As it is trained</summary>
  <p>${v.closer.trained.text.join(" · ")}</p>${v.closer.trained.remarks.map((words) => html`<p class="remark">${words}</p>`)}</details>`;
/* The part that training sees, laid over the photo while its fold is open. */
const frameView = (t) => html`<span class="trained-frame" aria-hidden="true"
  style="left:${t.left}%;top:${t.top}%;width:${t.width}%;height:${t.height}%"></span>`;
const similarView = (v) => html`<details class="viewer-fold similar" id="similar" data-key="similar"
    ><summary>Others like this one <small>S</small></summary>
  ${v.closer.similar.length ? "" : html`<p class="muted">No other good photo is left to take its place.</p>`}
  <div class="similar-row">${v.closer.similar.map((one) => html`<button class="similar-one" data-do="swap" data-id="${one.id}"
    data-version="${one.version}" data-key="similar-${one.id}" aria-label="Take ${one.id} instead"
    ><img src="${one.src}" alt="" loading="lazy" /><span>${one.id}</span></button>`)}</div></details>`;
const changesView = (v) => html`<details class="viewer-fold changes" data-key="changes"><summary>Crop, turn, mirror</summary>
  <div class="viewer-buttons">${v.closer.changes.map((one) => html`<button class="small" data-do="alter" data-how="${one.name}"
    title="${one.hint}">${one.label}</button>`)}</div></details>`;
const foldsView = (v) => html`${figuresView(v)}${v.closer.trained ? trainedView(v) : ""}${v.keep ? similarView(v) : ""}
  ${v.closer.changes.length ? changesView(v) : ""}`;
