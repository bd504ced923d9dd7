/* One edit for many captions: typed, looked at as a diff, done, and one Undo takes it back. */
const PAUSE_MS = 250; // of typing, before the preview is asked for
let preview = null;
let asked = 0;
let timer = 0;
let filledFor = null; // the number of what was last led to
let newsSeen = "";

const partView = (p) => (p.kind === "same" ? html`${p.text}` : partOf(p));
const partOf = (p) => (p.kind === "out" ? html`<del>${p.text}</del>` : html`<ins>${p.text}</ins>`);
const changeView = (c) => html`<li data-key="${c.id}"><img src="${c.src}" alt="" loading="lazy" /><p><b>${c.id}</b>
  ${c.parts.map(partView)}</p></li>`;
const scopeView = (v) =>
  shownWords(v)
    ? html`<label class="bulk-scope">In<select name="scope" id="bulk-scope" data-keep>
        <option value="shown">${shownWords(v)}</option><option value="all">all ${v.total}</option></select></label>`
    : "";
const previewView = (p) => {
  if (!p) return "";
  if (p.error) return html`<p class="remark">${p.error}</p>`;
  return html`<p class="bulk-title" role="status"><b>${p.title}</b> ${p.notes.map((note) => html` ${note}`)}</p>
    ${p.warning ? html`<p class="remark">${p.warning}</p>` : ""}
    <ul class="bulk-changes" tabindex="0" aria-label="What would change">${p.changes.map(changeView)}</ul>
    ${p.more ? html`<p class="muted">and ${p.more} more</p>` : ""}
    <p><button class="primary" id="bulk-apply" data-do="apply" ${given(!p.count || p.isStale, "disabled")}
      >${p.count === 1 ? "Change this caption" : `Change these ${p.count} captions`}</button></p>`;
};
const draw = mount(
  (v) => html`<details class="bulk-edit" id="bulk-edit"><summary>Edit many captions at once</summary>
    <div class="bulk-body">${formView(v)} ${scopeView(v)}
      <div class="bulk-preview">${previewView(preview)}</div></div></details>`,
  { apply: () => trigger("apply", { sent: { ...about(), key: preview.key } }) },
);
const scopeField = () => element.querySelector("[name=scope]");
/* What the server needs to know of the edit. */
function about() {
  const { project, made, ids } = props.value;
  return { project, made, ...edit(), ids: scopeField() && scopeField().value === "shown" ? ids : null };
}
async function ask() {
  clearTimeout(timer);
  const number = ++asked;
  const next = isFilled(edit()) ? await server.preview_live(about()).catch(() => preview) : null;
  if (number !== asked) return;
  preview = next;
  draw();
}
/* What is shown belongs to what was typed before: it can't be done until the next preview has come. */
function askSoon() {
  clearTimeout(timer);
  if (preview && !preview.isStale) {
    preview = { ...preview, isStale: true };
    draw();
  }
  timer = setTimeout(ask, PAUSE_MS);
}
function afterDraw() {
  const v = props.value;
  if (!v?.ways || !form()) return void (preview = null);
  if (filledFor !== v.number && v.edit) {
    element.querySelector("details").open = true;
    fillIn(v.edit);
    element.scrollIntoView({ block: "start" });
    (fieldOf("find").closest("label").hidden ? fieldOf("text") : fieldOf("find")).focus({ preventScroll: true });
  }
  const isNews = filledFor !== v.number || newsSeen !== `${v.news}/${v.ids.length}`;
  [filledFor, newsSeen] = [v.number, `${v.news}/${v.ids.length}`];
  showFields();
  if (isNews && isFilled(edit())) ask(); // what would change is another thing now
}
watch("value", afterDraw);
afterDraw();
element.addEventListener("input", ({ target }) => {
  if (target.name === "kind") showFields();
  askSoon();
});
element.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
