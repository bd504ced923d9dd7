/* Pictures, or captions as a list. */
const oneOf = (isOpen, wanted, label) => html`<button class="small" data-do="switch" data-open="${wanted}"
  aria-pressed="${isOpen === wanted}">${label}</button>`;
mount(
  (v) => html`<div class="caption-switch" role="group" aria-label="What is shown">
    ${oneOf(v.is_open, false, "Pictures")} ${oneOf(v.is_open, true, `Captions ${v.num_captions}`)}</div>`,
  {
    switch: (button) => trigger("switch", { open: button.dataset.open === "true" }),
  },
);
