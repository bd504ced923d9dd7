/* What is typed and not yet saved. It lies in the browser too, so that neither a reload nor a studio that was closed
   loses it; a draft knows which project it is for and what the caption was when it was begun. */
const DRAFTS = "likeness-studio-captions";
const RETRY_MS = 3000;
const ELSEWHERE = "It was changed elsewhere meanwhile, so yours was not saved.";
const drafts = JSON.parse(sessionStorage.getItem(DRAFTS) || "{}");
const answered = {}; // key -> {was, row}: how a caption is on the disk, until the page has read it
const due = new Set(); // keys to be saved
let isSending = false;
let isFailing = false; // the studio does not answer
const keyOf = (id, v = props.value) => `${v.project}/${v.made}/${id}`;
const store = () => sessionStorage.setItem(DRAFTS, JSON.stringify(drafts));

function forget(key) {
  delete drafts[key];
  due.delete(key);
  store();
}
/* A row as it is on the disk: what the server answered counts until the page has read something newer. */
function rowNow(row) {
  const answer = answered[keyOf(row.id)];
  const isOlder = answer && JSON.stringify(answer.was) === JSON.stringify([row.caption, row.keep]);
  if (answer && !isOlder) delete answered[keyOf(row.id)];
  return isOlder ? answer.row : row;
}
/* Remember what was typed into a row. text: as it would be saved. */
function draft(row, text) {
  const key = keyOf(row.id);
  if (text === row.caption) return forget(key);
  const { project, made } = props.value;
  const { was = row.caption, said = "" } = drafts[key] ?? {};
  drafts[key] = { project, made, id: row.id, version: row.version, was, text, said };
  store();
}
/* A draft that the page's news bear upon: saved, or the caption was changed elsewhere meanwhile. */
function settle(row) {
  const key = keyOf(row.id);
  const own = drafts[key];
  if (!own) return;
  if (own.text === row.caption) forget(key);
  else if (own.was !== row.caption && !own.said) own.said = ELSEWHERE;
}
const isOpen = (key) => drafts[key] && !drafts[key].said;
function save(keys) {
  keys.filter(isOpen).forEach((key) => due.add(key));
  send();
}
async function send() {
  if (isSending || !due.size) return;
  const keys = [...due].filter(isOpen);
  const first = drafts[keys[0]];
  if (!first) return due.clear();
  const now = keys.filter((key) => drafts[key].project === first.project && drafts[key].made === first.made);
  const captions = now.map((key) => drafts[key]).map(({ id, version, was, text }) => ({ id, version, was, text }));
  now.forEach((key) => due.delete(key));
  isSending = true;
  try {
    take(now, captions, await server.save_captions_live({ project: first.project, made: first.made, captions }));
    isFailing = false;
  } catch {
    isFailing = true;
    now.forEach((key) => due.add(key));
  }
  isSending = false;
  redraw();
  if (due.size) setTimeout(send, isFailing ? RETRY_MS : 0);
  else trigger("changed", {});
}
/* What became of each caption that was sent; where more was typed meanwhile, that is still to be saved. */
function take(keys, captions, { answers, error }) {
  if (error) keys.forEach((key) => drafts[key] && (drafts[key].said = error));
  for (const answer of answers) {
    const at = captions.findIndex((caption) => caption.id === answer.id);
    const own = drafts[keys[at]];
    if (answer.state === "saved") {
      note(keys[at], answer.row);
      if (own && own.text === captions[at].text) forget(keys[at]);
      else if (own) own.was = captions[at].text;
    } else if (own) Object.assign(own, { said: answer.words, theirs: answer.row?.caption });
  }
  store();
}
const listed = (key) => props.value.rows?.find((row) => keyOf(row.id) === key);
function note(key, row) {
  const old = listed(key);
  if (row && old) answered[key] = { was: [old.caption, old.keep], row };
}
