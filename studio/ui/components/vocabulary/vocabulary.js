/* Words that mean the same in the captions: for each thing the person takes one of them, or leaves all as they are. */
const countView = (term) => html` <small class="muted">${term.count} (${term.automatic} automatic)</small>`;
const optionView = (row, value, words, isChosen) => html`<label><input type="radio" name="${row.key}" value="${value}"
  ${given(isChosen, "checked")}> ${words}</label>`;
const termView = (row, term) =>
  optionView(row, term.word, html`${term.word}${countView(term)}`, term.word === row.chosen);
const rowView = (row) => html`<fieldset data-key="${row.key}"><legend>${row.says}</legend>
  ${row.terms.map((term) => termView(row, term))}
  ${optionView(row, "", "leave them as they are", false)}</fieldset>`;
const listView = (v) => html`${v.rows.map(rowView)}
  <button data-do="use" id="use-words">Use these words in automatic captions</button>`;
const taken = () => {
  const chosen = [...element.querySelectorAll("input:checked")].filter((input) => input.value);
  return Object.fromEntries(chosen.map((input) => [input.name, input.value]));
};
mount((v) => html`<div class="vocabulary"><p>${v.text}</p>${v.rows.length ? listView(v) : ""}</div>`, {
  use: () => trigger("use", { accepted: taken() }),
});
