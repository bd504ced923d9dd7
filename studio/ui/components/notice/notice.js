let hidden = "";
const shown = (v) => JSON.stringify(v);
const redraw = mount(
  (v) =>
    !v.text || hidden === shown(v)
      ? ""
      : html`<div class="notice ${v.tone}" role="${v.tone === "bad" ? "alert" : "status"}">
          <p><b>${v.text}</b> ${v.cost} ${v.fix}</p>
          ${buttonView(v.button)}
          <button class="quiet small" data-do="close" aria-label="Close this message">Close</button>
        </div>`,
  {
    act: (button) => doAction(button, { project: props.value.project }),
    close: () => {
      hidden = shown(props.value);
      redraw();
    },
  },
);
