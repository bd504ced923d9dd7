mount(
  (v) => html`<div class="troubles">${v.troubles.map(
    (t) => html`<section class="notice bad" role="alert" data-key="${t.text}">
      <p><b>${t.text}</b> ${t.cost} ${t.fix}</p>
      ${buttonView(t.button)}
    </section>`,
  )}</div>`,
  { act: (button) => doAction(button) },
);
