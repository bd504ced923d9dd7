/* Who is in the photos: groups of faces, and what a person answers. */
const faceView = (face) =>
  html`<img class="face" src="${face.src}" alt="" loading="lazy" decoding="async" width="48" height="48" />`;
const showsOf = (group) => `Show the ${group.photos} photos of ${group.is_person ? "the person" : "somebody else"}`;
const answerView = (group, name, label) =>
  html`<button class="small" data-do="${name}" data-group="${group.key}">${label}</button>`;
const groupView = (v, group) => html`<li class="person-group" data-key="${group.key}">
  <button class="faces" data-do="show" data-show="${group.show}" aria-pressed="${group.show === v.show}"
    aria-label="${showsOf(group)}" title="${showsOf(group)}">${group.faces.map(faceView)}</button>
  <div class="group-words"><span>${group.is_person ? html`<b>The person</b> ` : ""}${group.photos} photos</span>
  <span class="group-buttons">
    ${group.is_person && v.people.is_said ? "" : answerView(group, "choose", "This is the person")}
    ${answerView(group, "deny", "Somebody else")}</span></div></li>`;
const peopleView = (v) => html`<details class="people" ${given(!v.people.is_said, "open")}
    data-key="people-${v.people.is_said}">
  <summary>${v.people.title}</summary>
  ${v.people.question ? html`<p class="remark">${v.people.question}</p>` : ""}
  <ul>${v.people.groups.map((group) => groupView(v, group))}</ul>
  ${v.people.more ? html`<p class="muted">${v.people.more}</p>` : ""}</details>`;
