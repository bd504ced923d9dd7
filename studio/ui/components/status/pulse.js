/* Asks every few seconds whether the studio still answers. Closed: one calm sentence. Back: the page begins anew (a
   half-typed caption is kept by the viewer). */
const PULSE_MS = 3000;
const CLOSED = "The studio was closed. Start it again, then reload this page.";
let startSeen = null;
let missed = 0;
function say(text) {
  let bar = document.getElementById("studio-closed");
  if (!text) bar?.remove();
  document.documentElement.classList.toggle("studio-closed", Boolean(text));
  if (!text || bar) return;
  bar = document.createElement("div");
  bar.id = "studio-closed";
  bar.setAttribute("role", "alert");
  bar.textContent = text;
  document.body.append(bar);
}
async function askStudio() {
  try {
    const answer = await fetch("/look/alive", { cache: "no-store", signal: AbortSignal.timeout(PULSE_MS) });
    if (!answer.ok) throw new Error(answer.statusText);
    const { start } = await answer.json();
    startSeen ??= start;
    missed = 0;
    if (start === startSeen) say("");
    else location.reload();
  } catch {
    if (++missed > 1) say(CLOSED); // one lost answer is no closing
  }
}
if (!window.studioPulse) {
  window.studioPulse = setInterval(askStudio, PULSE_MS);
  askStudio();
}
