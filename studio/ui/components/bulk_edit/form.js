/* The form of an edit for many captions: what is typed stays whatever the page reads meanwhile. */
const form = () => element.querySelector("form");
const fieldOf = (name) => form().elements[name];
const NEEDS_FIND = ["replace", "remove"];
const shownWords = (v) => (v.ids.length === v.total ? "" : `the ${v.ids.length} shown`);
const wayView = (w, i) => html`<option value="${w.id}" ${given(i === 0, "selected")}>${w.label}</option>`;
const checkView = (name, label, isOn) =>
  html`<label class="bulk-check" data-for="${name}"
    ><input type="checkbox" name="${name}" ${given(isOn, "checked")} /> ${label}</label>`;
const formView = (v) => html`<form data-keep autocomplete="off">
  <label class="bulk-way">Do<select name="kind" id="bulk-kind">${v.ways.map(wayView)}</select></label>
  <label data-for="find">Find<input name="find" id="bulk-find" /></label>
  <label data-for="text"><span class="bulk-text-label">Replace with</span><input name="text" id="bulk-text" /></label>
  <div class="bulk-checks">${checkView("whole_words", "Whole words", true)}
    ${checkView("any_case", "Upper and lower case alike", false)}
    ${checkView("after_trigger", "Behind the trigger", true)}</div></form>`;
const TEXT_LABELS = { replace: "Replace with", begin: "Add at the beginning", end: "Add at the end" };
/* Only the fields that this kind of edit has. */
function showFields() {
  const kind = fieldOf("kind").value;
  const isShown = {
    find: NEEDS_FIND.includes(kind),
    text: kind !== "remove",
    whole_words: NEEDS_FIND.includes(kind),
    any_case: NEEDS_FIND.includes(kind),
    after_trigger: kind === "begin",
  };
  for (const [name, shown] of Object.entries(isShown)) element.querySelector(`[data-for=${name}]`).hidden = !shown;
  element.querySelector(".bulk-text-label").textContent = TEXT_LABELS[kind] ?? "";
}
const edit = () => ({
  kind: fieldOf("kind").value,
  find: fieldOf("find").value,
  text: fieldOf("text").value,
  whole_words: fieldOf("whole_words").checked,
  any_case: fieldOf("any_case").checked,
  after_trigger: fieldOf("after_trigger").checked,
});
const isFilled = ({ kind, find, text }) => Boolean((NEEDS_FIND.includes(kind) ? find : text).trim());
function fillIn(proposed) {
  for (const name of ["kind", "find", "text"]) fieldOf(name).value = proposed[name];
  fieldOf("whole_words").checked = proposed.whole_words ?? true;
  fieldOf("any_case").checked = proposed.any_case ?? false;
  fieldOf("after_trigger").checked = proposed.after_trigger ?? true;
  showFields();
}
