/* What is to be deleted, and has not been confirmed yet: "this", or the slug of a project deleted before. */
let asking = "";
const nameOf = () => element.querySelector("[name=project-name]").value.trim();
const confirmView = (what, question, verb) => html`<div class="project-confirm" role="alertdialog"
  aria-label="${question}">
  <p>${question}</p>
  <div class="row"><button class="small" data-do="${what}">${verb}</button>
    <button class="small quiet" data-do="keep">Cancel</button></div>
</div>`;
const deletedView = (p) => html`<li data-key="${p.slug}"><span><b>${p.name}</b> <small>${p.when}</small></span>
  ${asking === p.slug
    ? confirmView("forget", `Delete ${p.name} for good: photos, runs and clips?`, "Delete for good")
    : html`<span class="row"><button class="small" data-do="restore" data-slug="${p.slug}">Bring back</button>
        <button class="small quiet" data-do="ask" data-what="${p.slug}">Delete for good</button></span>`}
</li>`;
const projectView = (v) => html`<label>Name <input name="project-name" data-keep maxlength="80" value="${v.name}"
    autocomplete="off"></label>
  <div class="row">
    <button class="small" data-do="rename">Rename</button>
    <button class="small" data-do="duplicate">Duplicate</button>
    <button class="small" data-do="open">Open the folder</button>
    <button class="small" data-do="ask" data-what="this" ${given(v.busy, "disabled")} title="${v.busy}">Delete</button>
  </div>
  ${v.busy ? html`<p class="muted">${v.busy}</p>` : ""}
  ${asking === "this" ? confirmView("remove", `Delete ${v.name}? It can be brought back here.`, "Delete") : ""}`;
const redraw = mount(
  (v) => html`<details class="project-menu">
    <summary>Rename, duplicate, delete</summary>
    <div class="project-menu-body" data-key="${v.slug}">
      ${v.slug ? projectView(v) : ""}
      ${v.deleted.length ? html`<h3>Deleted</h3><ul>${v.deleted.map(deletedView)}</ul>` : ""}
    </div>
  </details>`,
  {
    rename: () => trigger("rename", { name: nameOf() }),
    duplicate: () => trigger("duplicate", {}),
    open: () => trigger("open", {}),
    ask: (button) => ask(button.dataset.what),
    keep: () => ask(""),
    remove: () => {
      ask("");
      trigger("remove", {});
    },
    restore: (button) => trigger("restore", { slug: button.dataset.slug }),
    forget: () => {
      const slug = asking;
      ask("");
      trigger("forget", { slug });
    },
  },
);
function ask(what) {
  asking = what;
  redraw();
  element.querySelector(".project-confirm button")?.focus();
}
