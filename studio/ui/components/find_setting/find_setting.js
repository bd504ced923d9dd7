/* Leaves only the settings whose label or help has all the typed words, and opens the folds that hold them. */
const split = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
const hasAll = (text, words) => words.every((word) => text.toLowerCase().includes(word));
const hideFields = (fold, words) => {
  for (const field of fold.querySelectorAll(".settings .block")) {
    field.classList.toggle("is-filtered", !hasAll(field.textContent, words));
  }
};
const typed = () => split(element.querySelector("input")?.value ?? "");
/* Folds that hold what is searched and were not opened yet: what a person closes then stays closed. */
let unopened = new Set();
const openFolds = () => {
  for (const id of unopened) {
    const header = document.querySelector(`#${id} > button`);
    if (header) unopened.delete(id);
    if (header && !header.classList.contains("open")) header.click();
  }
};
const hideOthers = () => {
  for (const [id, texts] of Object.entries(props.value.folds)) {
    const fold = document.querySelector(`#${id}`);
    fold?.classList.toggle("is-filtered", !texts.some((text) => hasAll(text, typed())));
    if (fold) hideFields(fold, typed());
  }
};
const look = () => {
  const words = typed();
  const found = Object.entries(props.value.folds).filter(([, texts]) => texts.some((text) => hasAll(text, words)));
  unopened = new Set(words.length ? found.map(([id]) => id) : []);
  openFolds();
  hideOthers();
  element.querySelector("[role=status]").textContent = found.length ? "" : "No setting has these words.";
};
mount(
  () => html`<label class="find-setting">Find a setting <input data-keep type="search" autocomplete="off"
    placeholder="for example memory, rank, clip"></label>
  <p class="muted" role="status" data-keep></p>`,
);
element.addEventListener("input", look);
/* the fields of a fold come on the page when it is opened, their words after them */
new MutationObserver(() => {
  if (!typed().length) return;
  openFolds();
  hideOthers();
}).observe(document.querySelector("#all-settings") ?? document.body, {
  childList: true,
  subtree: true,
  characterData: true,
});
