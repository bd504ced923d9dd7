/* Shows nothing: asks every two seconds whether the disk holds something else, and says on that it does, so that
   the page reads anew; now and then it does so anyway, for what lies in no file (memory, the time). A hidden page
   asks seldom. */
const ASK_MS = 2000;
const READ_MS = 30_000;
let known = "";
let readAt = 0;
let asking = false;
const SHOWS = "#studio-shows [data-shown], #studio-shows[data-shown]";
const shownProject = () => JSON.parse(document.querySelector(SHOWS)?.dataset.shown ?? "{}").project ?? "";
function readAnew() {
  readAt = Date.now();
  trigger("look", {});
}
/* Whether to read anew: the page is due, or what the server answered is not what it answered before. */
const isDue = (now) => now - readAt >= READ_MS;
async function ask() {
  if (isDue(Date.now())) return readAnew();
  if (asking || document.hidden) return;
  asking = true;
  try {
    const answer = await fetch(`/look/news?project=${encodeURIComponent(shownProject())}`, { cache: "no-store" });
    const { news } = await answer.json();
    if (answer.ok && news !== known) readAnew();
    known = news;
  } catch {
    // the studio is gone or busy: the pulse says so
  } finally {
    asking = false;
  }
}
watch("value", () => trigger("arrived", {}));
clearInterval(window.studioNews);
window.studioNews = setInterval(ask, ASK_MS);
document.addEventListener("visibilitychange", () => document.hidden || ask());
