/* Leaves only the settings whose label or help has all the typed words, and opens the folds that hold them. */
const split = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
const hasAll = (text, words) => words.every((word) => text.toLowerCase().includes(word));
const hideFields = (fold, words) => {
  for (const field of fold.querySelectorAll(".settings .block")) {
    field.classList.toggle("is-filtered", !hasAll(field.textContent, words));
  }
};
const look = () => {
  const words = split(element.querySelector("input").value);
  let found = 0;
  for (const [id, texts] of Object.entries(props.value.folds)) {
    const fold = document.querySelector(`#${id}`);
    const header = fold.querySelector("button");
    const here = texts.filter((text) => hasAll(text, words)).length;
    fold.classList.toggle("is-filtered", !here);
    found += here;
    if (words.length && here && !header.classList.contains("open")) header.click();
    hideFields(fold, words);
  }
  element.querySelector("[role=status]").textContent = words.length && !found ? "No setting has these words." : "";
};
mount(
  () => html`<label class="find-setting">Find a setting <input data-keep type="search" autocomplete="off"
    placeholder="for example memory, rank, clip"></label>
  <p class="muted" role="status" data-keep></p>`,
);
element.addEventListener("input", look);
/* the fields of a fold come on the page when it is opened */
const folds = document.querySelector("#all-settings") ?? document.body;
new MutationObserver((changes) => {
  const words = split(element.querySelector("input")?.value ?? "");
  if (!words.length || !changes.some((change) => change.addedNodes.length)) return;
  for (const id of Object.keys(props.value.folds)) hideFields(document.querySelector(`#${id}`), words);
}).observe(folds, { childList: true, subtree: true });
