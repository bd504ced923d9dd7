mount(
  (v) => html`<div class="next-step">
    <p><span class="next-word">Next:</span> ${v.text}${v.reason ? html`<small>${v.reason}</small>` : ""}</p>
    ${v.label ? html`<button class="primary" data-do="act" data-action="${v.action}" ${v.disabled ? new Markup("disabled") : ""}>${v.label}</button>` : ""}
  </div>`,
  { act: (button) => (/^(tab|click):/.test(button.dataset.action) ? goTo(button.dataset.action) : trigger("act", { action: button.dataset.action })) },
);
