/* What every component's script begins with: escaped HTML, a gentle re-render, one mount function. */
const escapeText = (text) => String(text ?? "").replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
class Markup extends String {}
function asMarkup(value) {
  if (value instanceof Markup) return value;
  if (Array.isArray(value)) return value.map(asMarkup).join("");
  return value == null ? "" : escapeText(value);
}
/* html`<b>${text}</b>` escapes its values; nested html`` and arrays of it stay as they are. */
function html(strings, ...values) {
  return new Markup(strings.reduce((text, part, i) => text + asMarkup(values[i - 1]) + part));
}
/* An attribute without a value, such as disabled, or nothing. */
const given = (isSo, attribute) => (isSo ? new Markup(attribute) : "");
const percent = (share) => Math.round((share || 0) * 100);
/* How far something is. share: 0 to 1, null while nobody knows. */
const barView = (share, label) => html`<span class="bar busy ${share == null ? "unknown" : ""}" role="progressbar"
  aria-label="${label}" aria-valuemin="0" aria-valuemax="100" aria-valuenow="${percent(share)}"
  ><span style="width:${(share || 0) * 100}%"></span></span>`;
/* The button of an action, where there is one; `doAction` is what it does. */
const buttonView = (button, look = "small", id = "") =>
  button
    ? html`<button class="${look}" ${id && html`id="${id}"`} data-do="act" data-action="${button.action}"
        data-place="${button.place}">${button.label}</button>`
    : "";

/* Change `old` into `fresh` while keeping the nodes, so that focus, scroll position and playing clips survive. */
function morphChildren(old, fresh) {
  const keyed = new Map([...old.children].filter((n) => n.dataset.key).map((n) => [n.dataset.key, n]));
  let at = old.firstChild;
  for (const node of [...fresh.childNodes]) {
    const key = node.dataset?.key;
    let match = key ? keyed.get(key) : at;
    if (key && match && match !== at) old.insertBefore(match, at);
    if (match && !key && (match.nodeName !== node.nodeName || match.dataset?.key)) match = null;
    if (match && match.nodeName !== node.nodeName) match = null;
    if (!match) {
      old.insertBefore(node, at);
      continue;
    }
    at = match.nextSibling;
    morphNode(match, node);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}
/* What a person folded open, or a dialog that is shown, stays open. */
const isOpened = (node, name) => name === "open" && /^(DETAILS|DIALOG)$/.test(node.nodeName);
function morphAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !isOpened(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}
function morphNode(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (fresh.hasAttribute("data-keep") && old.hasAttribute("data-keep")) return;
  const typing = old === document.activeElement && old.matches("input, textarea, select");
  morphAttributes(old, fresh);
  if (old.nodeName === "TEXTAREA") {
    if (!typing && old.value !== fresh.value) old.value = fresh.value;
    return;
  }
  if (old.nodeName === "INPUT" && !typing) {
    if (old.value !== fresh.value) old.value = fresh.value;
    old.checked = fresh.checked;
  }
  morphChildren(old, fresh);
}
function render(root, markup) {
  const fresh = document.createElement("div");
  fresh.innerHTML = asMarkup(markup);
  morphChildren(root, fresh);
}
/* view(value) gives markup, drawn now and whenever the server changes the value. Clicks on [data-do=name] call
   on[name](element, event). */
function mount(view, on = {}) {
  const isEmpty = () => !props.value || !Object.keys(props.value).length;
  const draw = () => render(element, isEmpty() ? "" : view(props.value));
  element.addEventListener("click", (event) => {
    const target = event.target.closest("[data-do]");
    if (target && element.contains(target) && !target.disabled) on[target.dataset.do]?.(target, event);
  });
  watch("value", draw);
  draw();
  return draw;
}
/* Shown by the whole page: go to a tab, or open the file chooser. */
const clickOn = (selector) => document.querySelector(selector)?.click();
/* What a buttonView does: it leads to a place on this page, or the server does it. */
function doAction({ dataset }, more = {}) {
  if (dataset.place) goTo(dataset.place);
  else trigger("act", { action: dataset.action, ...more });
}
/* "tab:train" shows a tab, "tab:dataset/about-person" opens a fold in it, "tab:dataset/about-person/model-folder"
   goes to a field in that, "click:" + a selector presses a control. */
function goTo(place) {
  const [kind, where] = [place.slice(0, place.indexOf(":")), place.slice(place.indexOf(":") + 1)];
  if (kind !== "tab") return clickOn(where);
  const [tab, fold, name] = where.split("/");
  clickOn(`#tab-${tab}-button`);
  const header = fold && document.querySelector(`#${fold} > button`);
  if (!header) return;
  if (!header.classList.contains("open")) header.click();
  header.scrollIntoView({ block: "nearest" });
  if (name) focusOn(`#${name} :is(input, textarea)`);
}
/* Put the caret into a field that a fold or a tab is about to show; tries: how many frames that may take. */
function focusOn(selector, tries = 60) {
  const field = document.querySelector(selector);
  if (field?.offsetParent) {
    field.scrollIntoView({ block: "center" });
    field.focus({ preventScroll: true });
  } else if (tries) requestAnimationFrame(() => focusOn(selector, tries - 1));
}
