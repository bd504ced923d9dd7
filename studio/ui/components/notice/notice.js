let hidden = "";
const shown = (v) => JSON.stringify(v);
const redraw = mount(
  (v) =>
    !v.text || hidden === shown(v)
      ? ""
      : html`<div class="notice ${v.tone}" role="${v.tone === "bad" ? "alert" : "status"}">
          <p><b>${v.text}</b> ${v.cost || ""} ${v.fix || ""}</p>
          ${v.label ? html`<button class="small" data-do="act" data-action="${v.action}">${v.label}</button>` : ""}
          <button class="quiet small" data-do="close" aria-label="Close this message">Close</button>
        </div>`,
  {
    act: (button) => (/^(tab|click):/.test(button.dataset.action) ? goTo(button.dataset.action) : trigger("act", { action: button.dataset.action, project: props.value.project })),
    close: () => {
      hidden = shown(props.value);
      redraw();
    },
  },
);
