/* How the pairs stand: a dot and its whisker for each, the best one apart; motion beside it. */
const across = (share) => `${(share * 100).toFixed(1)}%`;
const whiskerView = (spot) =>
  spot.low === null
    ? ""
    : html`<span class="whisker" style="left:${across(spot.low)};width:${across(spot.high - spot.low)}"></span>`;
const spotView = (spot, name) => html`<span class="track ${name}" aria-hidden="true">${
    spot ? html`${whiskerView(spot)}<span class="dot" style="left:${across(spot.at)}"></span>` : ""
  }</span><span class="spot-words">${spot ? spot.words : "not measured"}</span>`;
function remarkView(s, isSure) {
  if (!s.is_best) return s.remark;
  const stands = isSure ? "the best, apart from all others" : "the earliest of the best";
  return s.remark ? `${stands}; ${s.remark}` : stands;
}
const saidView = (s) => html`<b>${s.label}${s.run ? html` <small title="${s.run}">${s.run}</small>` : ""}</b>
  <small>at ${s.strength}</small>`;
const standView = (s, isSure) => html`<button class="stand ${s.is_best ? "is-best" : ""} ${s.is_open ? "is-open" : ""}"
    data-do="stand" data-column="${s.column}" data-strength="${s.strength}" data-key="stand-${s.column}"
    title="Show its clips">
    <span class="stand-name">${saidView(s)}</span>
    ${spotView(s.likeness, "of-likeness")} ${spotView(s.motion, "of-motion")}
    <span class="stand-remark">${remarkView(s, isSure)}</span></button>`;
const VOTE = html`<p class="stand-vote"><button class="small" data-do="vote">Vote blind on the open ones</button></p>`;
const standingView = (v) =>
  v.verdict?.standings?.length
    ? html`<section class="standing panel" aria-label="How the pairs stand">
        <p class="stand stand-heads" aria-hidden="true"><span></span>
          <span title="share of what your own photos reach">Likeness</span><span></span>
          <span title="share of the base's, in clips of the person">Motion</span><span></span><span></span></p>
        ${v.verdict.standings.map((s) => standView(s, v.verdict.is_sure))}
        ${v.verdict.standings.some((s) => s.is_open) ? VOTE : ""}
      </section>`
    : "";
