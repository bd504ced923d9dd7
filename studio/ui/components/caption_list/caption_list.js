/* Captions as a list, the picture beside each. Saving goes past the page's own reading, so that typing waits for
   nothing. */
const rowOf = (article) => rowNow(listed(article.dataset.key));
/* A text as it would be saved. The trigger stands in an empty box already; who types it all the same has it once. */
function cleaned(text, row) {
  const { trigger: word } = props.value;
  const bare = text.trim().replace(/\s+/g, " ");
  if (row.caption || !word) return bare;
  const rest = bare.startsWith(`${word}, `) ? bare.slice(word.length + 2) : bare;
  if (rest === `${word},` || rest === word || !rest) return "";
  return rest.startsWith(word) ? rest : bare;
}
function saveBox(box) {
  const { key } = articleOf(box).dataset;
  if (listed(key)) draft(rowOf(articleOf(box)), cleaned(box.value, rowOf(articleOf(box))));
  save([key]); // a row that has left the page has its draft
}
function tell(words) {
  element.querySelector(".caption-told").textContent = words;
}
async function decide(article, keep) {
  const row = rowOf(article);
  if (row.keep === keep) return;
  const { project, made } = props.value;
  note(keyOf(row.id), { ...row, keep, reason: "" });
  redraw();
  const { answers, error } = await server.keep_live({ project, made, id: row.id, version: row.version, keep });
  if (error) {
    delete answered[keyOf(row.id)];
    tell(error);
  }
  answers.forEach((answer) => note(keyOf(answer.id), answer.row));
  redraw();
  trigger("changed", {});
}
/* A box is as high as its text. */
function fit(box) {
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight + 2}px`;
}
/* A box that nobody types into shows what is on the disk, the one with the focus too. */
function fill(box) {
  const row = rowOf(articleOf(box));
  const own = drafts[keyOf(row.id)];
  const wanted = own ? own.text : row.caption;
  // what is being typed may end with a space, or be the trigger alone
  const isTyping = box === document.activeElement && cleaned(box.value, row) === wanted;
  if (!isTyping) box.value = wanted;
  fit(box);
}
let led = null; // the number of the last place that was led to
let wasOpen = false;
function afterDraw() {
  const v = props.value;
  if (!v?.rows) return void ([led, wasOpen] = [led ?? 0, false]);
  boxes().forEach(fill);
  arrive();
  if (led !== null && v.number && v.number !== led) element.scrollIntoView({ block: "start" });
  if (!wasOpen) resend();
  [led, wasOpen] = [v.number, true];
}
/* What an earlier visit left unsaved. */
const resend = () => save(Object.keys(drafts));
const draw = mount(
  (v) => {
    const rows = v.rows.map(rowNow);
    rows.forEach(settle);
    return html`<section class="caption-list" aria-label="Captions">${headView(v)}
      <p class="sr-only caption-told" role="status" data-keep></p>
      ${rows.length ? "" : html`<p class="muted caption-none">There are none of these.</p>`}
      <div class="caption-rows">${rows.map((row) => rowView(v, row))}</div>${footView(v)}</section>`;
  },
  {
    show: (button) => trigger("show", { show: button.dataset.show }),
    turn: (button) => trigger("turn", { page: Number(button.dataset.page) }),
    act: (button) => doAction(button),
    undo: () => trigger("undo", {}),
    decide: (button) => decide(articleOf(button), button.getAttribute("aria-pressed") !== "true"),
    mine: ({ dataset }) => {
      const own = drafts[dataset.draft];
      Object.assign(own, { was: listed(dataset.draft)?.caption ?? own.theirs ?? own.was, said: "" });
      const row = listed(dataset.draft);
      if (row) own.version = row.version;
      save([dataset.draft]);
    },
    theirs: ({ dataset }) => {
      forget(dataset.draft);
      redraw();
    },
  },
);
function redraw() {
  draw();
  afterDraw();
}
watch("value", afterDraw);
afterDraw();
element.addEventListener("input", (event) => {
  const box = event.target;
  if (!box.matches("textarea")) return;
  const row = rowOf(articleOf(box));
  draft(row, cleaned(box.value, row));
  articleOf(box).querySelector(".caption-state").textContent = stateOf(row, drafts[keyOf(row.id)]);
  fit(box);
});
element.addEventListener("focusin", ({ target: box }) => {
  isRowMode = !box.matches("textarea") && isRowMode;
  if (!box.matches("textarea") || box.value || !props.value.trigger) return;
  box.value = `${props.value.trigger}, `;
  box.setSelectionRange(box.value.length, box.value.length);
});
element.addEventListener("focusout", ({ target: box }) => {
  if (!box.matches("textarea")) return;
  saveBox(box);
  if (box.isConnected && listed(articleOf(box).dataset.key)) fill(box);
});
