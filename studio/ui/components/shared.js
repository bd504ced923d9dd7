/* What every component's script begins with: escaped HTML, a gentle re-render, one mount function. */
const escapeText = (text) => String(text ?? "").replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
class Markup extends String {}
const asMarkup = (value) =>
  value instanceof Markup ? value : Array.isArray(value) ? value.map(asMarkup).join("") : value == null ? "" : escapeText(value);
/* html`<b>${text}</b>` escapes its values; nested html`` and arrays of it stay as they are. */
const html = (strings, ...values) => new Markup(strings.reduce((text, part, i) => text + asMarkup(values[i - 1]) + part));

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
function morphNode(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (fresh.hasAttribute("data-keep") && old.hasAttribute("data-keep")) return;
  const typing = old === document.activeElement && old.matches("input, textarea, select");
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !(name === "open" && /^(DETAILS|DIALOG)$/.test(old.nodeName))) old.removeAttribute(name);
  for (const { name, value } of [...fresh.attributes]) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
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
  fresh.innerHTML = String(markup);
  morphChildren(root, fresh);
}
/* view(value) gives markup, drawn now and whenever the server changes the value. Clicks on [data-do=name] call on[name](element, event). */
function mount(view, on = {}) {
  const draw = () => render(element, props.value && Object.keys(props.value).length ? view(props.value) : "");
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
/* "tab:train" shows a tab, "tab:dataset/about-person" opens a fold in it, "click:#some-id" presses another control of the page. */
function goTo(action) {
  const [kind, where] = [action.slice(0, action.indexOf(":")), action.slice(action.indexOf(":") + 1)];
  if (kind !== "tab") return clickOn(where);
  const [tab, fold] = where.split("/");
  clickOn(`#tab-${tab}-button`);
  const header = fold && document.querySelector(`#${fold} > button`);
  if (!header) return;
  if (!header.classList.contains("open")) header.click();
  header.scrollIntoView({ block: "nearest" });
}
