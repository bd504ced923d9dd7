/* Leaves only the settings whose label or help has all the typed words, and opens the folds that hold them. */
const split = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
const hasAll = (text, words) => words.every((word) => text.toLowerCase().includes(word));
const hideFields = (fold, words) => {
  for (const field of fold.querySelectorAll(".settings .block")) {
    field.classList.toggle("is-filtered", !hasAll(field.textContent, words));
  }
};
const typed = () => split(element.querySelector("input")?.value ?? "");
/* Folds that hold what is searched: they are held open, for gradio may close one again whose fields it just made. What
   a person closes stays closed. */
let heldOpen = new Set();
const headerOf = (id) => document.querySelector(`#${id} > button`);
const openFolds = () => {
  for (const id of heldOpen) {
    const header = headerOf(id);
    if (header && !header.classList.contains("open")) header.click();
  }
};
document.addEventListener("click", ({ isTrusted, target }) => {
  for (const id of heldOpen) if (isTrusted && headerOf(id)?.contains(target)) heldOpen.delete(id);
});
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
  heldOpen = new Set(words.length ? found.map(([id]) => id) : []);
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
/* The fields of a fold come on the page when it is opened, their words after them. Looked at once a frame: what was
   just pressed needs its time. */
let isDue = false;
const lookAgain = () => {
  isDue = false;
  if (!typed().length) return;
  openFolds();
  hideOthers();
};
new MutationObserver(() => {
  if (!isDue) requestAnimationFrame(() => requestAnimationFrame(lookAgain));
  isDue = true;
}).observe(document.querySelector("#all-settings") ?? document.body, {
  attributeFilter: ["class", "style"],
  childList: true,
  subtree: true,
  characterData: true,
});
