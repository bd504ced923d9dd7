let pending = null; // what was sent and not yet seen back from the disk
const keyOf = (v) => `caption-${v.project}/${v.id}`; // two projects have pictures of the same number
const itemOf = (v) => ({ id: v.id, version: v.version });
const box = () => element.querySelector("textarea");
const save = (next) => {
  const v = props.value;
  const text = box().value.trim();
  if (box().dataset.key !== keyOf(v) || (text === v.caption && !next)) return;
  pending = { key: keyOf(v), text };
  trigger("save", { ...itemOf(v), text, next: Boolean(next) });
};

const clipView = (v) =>
  html`<video src="${v.src}" poster="${v.poster}" controls loop muted playsinline preload="metadata"></video>`;
const classPromptView = (v) =>
  html`<p class="class-prompt">Other people, for protection <small>class prompt</small><br />${v.class_prompt}</p>`;
const unreadView = (v) =>
  html`<p class="remark unread">Not read by the model: <s>${v.unread}</s></p>`;
const othersView = (v) => html`<details class="other-captions"><summary>Other captions that came with it
  <small>${v.others.length}</small></summary><ul>${v.others.map((text) => html`<li>${text}</li>`)}</ul></details>`;

mount(
  (v) => {
    if (!v.id) return "";
    if (pending && (pending.key !== keyOf(v) || pending.text === v.caption)) pending = null;
    const text = pending ? pending.text : v.caption;
    return html`<article class="viewer" aria-label="${v.id}">
      <div class="stage" data-key="stage-${v.src}">
        ${v.kind === "clip" ? clipView(v) : html`<img src="${v.src}" alt="${v.caption || v.id}" />`}
      </div>
      <p class="facts"><b>${v.id}</b> ${v.facts.map((f) => html` · ${f}`)}</p>
      ${v.problem ? html`<p class="remark">${v.problem}</p>` : ""}
      <label class="caption-label" for="caption-text">Caption <small>${v.source}</small></label>
      <textarea id="caption-text" data-key="${keyOf(v)}" rows="4" spellcheck="true" placeholder="${v.placeholder}"
        >${text}</textarea>
      ${v.problems.map((p) => html`<p class="remark">${p}</p>`)}
      ${v.unread ? unreadView(v) : ""}
      ${v.others.length ? othersView(v) : ""}
      ${v.class_prompt ? classPromptView(v) : ""}
      <div class="viewer-buttons">
        <button data-do="save" id="save-caption">Save caption</button>
        <button data-do="next" id="save-next" title="Ctrl+Enter">Save and next</button>
        <span class="spring"></span>
        <button data-do="keep" id="keep-item" aria-pressed="${v.keep}">${v.keep ? "Leave out" : "Keep"}</button>
        <button data-do="remove" class="quiet" id="remove-item">Remove</button>
      </div>
      ${v.keep ? "" : html`<p class="remark out">Left out${v.reason ? html`: ${v.reason}` : ""}.</p>`}
      ${v.doubts ? html`<p class="remark">Kept, with a doubt: ${v.doubts}.</p>` : ""}
    </article>`;
  },
  {
    save: () => save(false),
    next: () => save(true),
    keep: () => trigger("keep", { ...itemOf(props.value), keep: !props.value.keep }),
    remove: () => trigger("remove", itemOf(props.value)),
  },
);
element.addEventListener("focusout", (event) => {
  if (event.target === box() && !event.relatedTarget?.closest?.("#save-caption, #save-next")) save(false);
});
element.addEventListener("keydown", (event) => {
  if (event.target === box() && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    save(true);
    watchFocus = true;
  }
});
let watchFocus = false; // after Ctrl+Enter, go on typing in the next caption
new MutationObserver(() => {
  if (watchFocus && box() && document.activeElement !== box()) {
    watchFocus = false;
    box().focus();
  }
}).observe(element, { childList: true, subtree: true });
/* A caption that was still being typed when the page went away (the studio was closed, the page reloaded) is saved
   when it is back. */
const DRAFT = "likeness-studio-draft";
window.addEventListener("pagehide", () => {
  const v = props.value;
  const text = box()?.value.trim();
  if (!v?.id || box()?.dataset.key !== keyOf(v) || text === v.caption) return;
  sessionStorage.setItem(DRAFT, JSON.stringify({ ...itemOf(v), project: v.project, text }));
});
const saveDraft = () => {
  const draft = JSON.parse(sessionStorage.getItem(DRAFT) || "null");
  if (!draft || !props.value?.id || props.value.project !== draft.project) return;
  sessionStorage.removeItem(DRAFT);
  const { id, version, text } = draft;
  const send = () => trigger("save", { id, version, text, next: false });
  requestAnimationFrame(() => setTimeout(send)); // when the rest of the page has come, too
};
watch("value", saveDraft);
