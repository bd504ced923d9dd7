/* What the audit says about all captions together, folded away until somebody looks; each finding leads to what
   mends it. */
const aboutView = (about) => (about ? html` <small>(${about})</small>` : "");
const pictureView = (src) => html`<img src="${src}" alt="" loading="lazy" decoding="async" />`;
const goView = (told, what) =>
  told[what]
    ? html`<button class="small" data-do="${what}" data-key="${what}/${told.key}">${told[what]}</button>`
    : "";
const ways = (told) => (told.shows_first ? ["show", "edit"] : ["edit", "show"]);
const findingView = (told) => html`<li data-key="${told.key}">
  <p>${told.cause ? html`<span class="finding-cause">${told.cause}</span> ` : ""}${told.text}
    ${aboutView(told.about)}</p>
  ${told.pictures.length ? html`<p class="finding-pictures">${told.pictures.map(pictureView)}</p>` : ""}
  ${told.details.map((words) => html`<p class="finding-detail">${words}</p>`)}
  ${told.more ? html`<p class="finding-detail">and ${told.more} more</p>` : ""}
  <p class="finding-fix">${told.fix}</p>
  <p class="finding-buttons">${ways(told).map((what) => goView(told, what))}</p></li>`;
const go = (what) => (button) => trigger(what, { key: button.dataset.key.slice(what.length + 1) });
mount(
  (v) => html`<details class="findings"><summary>Worth a look: ${v.title}</summary>
  <ul>${v.findings.map(findingView)}</ul></details>`,
  { edit: go("edit"), show: go("show") },
);
