mount(
  (v) => html`<div class="next-step">
    <p><span class="next-word">Next:</span> ${v.text}${v.reason ? html`<small>${v.reason}</small>` : ""}</p>
    ${buttonView(v.button, "primary")}
  </div>`,
  { act: (button) => doAction(button) },
);
