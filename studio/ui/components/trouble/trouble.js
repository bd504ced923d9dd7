mount(
  (v) => html`<div class="troubles">${v.troubles.map(
    (t) => html`<section class="notice bad" role="alert" data-key="${t.text}">
      <p><b>${t.text}</b> ${t.cost || ""} ${t.fix || ""}</p>
      ${t.label ? html`<button class="small" data-do="act" data-action="${t.action}">${t.label}</button>` : ""}
    </section>`,
  )}</div>`,
  { act: (button) => (/^(tab|click):/.test(button.dataset.action) ? goTo(button.dataset.action) : trigger("act", { action: button.dataset.action })) },
);
