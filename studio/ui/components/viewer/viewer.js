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

const HINTS = {
  out: "Leave it out (X)",
  in: "Keep it, whatever the check says (K)",
  let: "The next check decides again",
  them: "This photo shows the person: the studio compares the others with it",
  other: "This photo does not show the person",
};
const smallButton = (name, label, hint) =>
  html`<button data-do="${name}" class="small" title="${hint}">${label}</button>`;
const pinView = (v) => {
  if (v.is_by_hand) return smallButton("let", v.keep ? "Unpin" : "Let the check decide", HINTS.let);
  return v.keep ? smallButton("pin", "Pin", HINTS.in) : "";
};
const whoButtonView = (v, who, label) => html`<button data-do="say" data-who="${who}" class="small"
  aria-pressed="${v.closer.said === who}" title="${HINTS[who]}">${label}</button>`;
const whoButtonsView = (v) =>
  html`${whoButtonView(v, "them", "This is them")}${whoButtonView(v, "other", "Somebody else")}`;
const decisionView = (v) => html`<div class="viewer-buttons decision">
  <button data-do="keep" id="keep-item" class="small" aria-pressed="${v.keep}" title="${v.keep ? HINTS.out : HINTS.in}"
    >${v.keep ? "Leave out" : "Keep"}</button>${pinView(v)}
  ${v.closer.asks_who ? whoButtonsView(v) : ""}</div>`;
const stateOf = (v) => {
  if (!v.keep) return `Left out${v.reason ? `: ${v.reason}` : ""}.`;
  return v.doubts ? `Kept, with a doubt: ${v.doubts}.` : "";
};
const stateView = (v) => (stateOf(v) ? html`<p class="remark ${v.keep ? "" : "out"}">${stateOf(v)}</p>` : "");
const whoView = (v) => (v.closer.who ? html` · <span class="who">${v.closer.who}</span>` : "");
const photoView = (v) => html`<span class="shot"><img src="${v.src}" width="${v.width}" height="${v.height}"
  alt="${v.caption || v.id}" />${v.closer.trained ? frameView(v.closer.trained) : ""}</span>`;
const captionView = (v, text) => html`<label class="caption-label" for="caption-text">Caption
    <small>${v.source}</small></label>
  <textarea id="caption-text" data-key="${keyOf(v)}" rows="3" spellcheck="true" placeholder="${v.placeholder}"
    >${text}</textarea>
  <div class="viewer-buttons">
    <button data-do="save" id="save-caption">Save caption</button>
    <button data-do="next" id="save-next" title="Ctrl+Enter">Save and next</button>
    <span class="spring"></span>
    <button data-do="remove" class="quiet" id="remove-item">Remove</button>
  </div>
  ${v.problems.map((p) => html`<p class="remark">${p}</p>`)}
  ${v.unread ? unreadView(v) : ""}
  ${v.class_prompt ? classPromptView(v) : ""}
  ${v.others.length ? othersView(v) : ""}`;

mount(
  (v) => {
    if (!v.id) return "";
    if (pending && (pending.key !== keyOf(v) || pending.text === v.caption)) pending = null;
    return html`<article class="viewer" aria-label="${v.id}">
      <div class="stage" data-key="stage-${v.src}">${v.kind === "clip" ? clipView(v) : photoView(v)}</div>
      <p class="facts"><b>${v.id}</b>${whoView(v)}${v.facts.map((f) => html` · ${f}`)}</p>
      ${v.problem ? html`<p class="remark">${v.problem}</p>` : ""}
      ${decisionView(v)}
      ${stateView(v)}
      ${captionView(v, pending ? pending.text : v.caption)}
      ${foldsView(v)}
    </article>`;
  },
  {
    save: () => save(false),
    next: () => save(true),
    keep: () => trigger("keep", { ...itemOf(props.value), keep: !props.value.keep }),
    pin: () => trigger("keep", { ...itemOf(props.value), keep: true }),
    let: () => trigger("let", itemOf(props.value)),
    say: ({ dataset }) => trigger("say", { ...itemOf(props.value), who: dataset.who }),
    swap: ({ dataset: { id, version } }) =>
      trigger("swap", { ...itemOf(props.value), other: id, other_version: version }),
    alter: ({ dataset }) => trigger("alter", { ...itemOf(props.value), how: dataset.how }),
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
