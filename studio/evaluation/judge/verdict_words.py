"""The verdict in plain sentences: what was measured, and nothing that was not. Free of torch."""

from studio.config import EXPERTS
from studio.evaluation.judge.table import HELD_OUT_MARGIN, SAME, percent
from studio.models.preset import WAN_WORDS

NOT_MEASURED = "Likeness was not measured: look at the faces in the clips before you decide."
TOO_FEW = "Likeness was not measured: keep at least 3 photos of one person in the dataset, then run the comparison again."
NOBODY = "Likeness was not measured: no prompt asks for the person."
WORSE = (  # what a later pair may do: score, 1 where more is better, margin, words for its value and the best pair's
    ("identity", 1, SAME, "identity {} against {}"),
    ("resemblance", -1, 0.05, "strangers look {} like the person, against {}"),
    ("follows", 1, 0.05, "{} of what prompts say is seen, against {}"),
    ("motion", 1, 0.15, "motion {} of the base's against {}"),
    ("drift_share", -1, 0.15, "people who are not asked for change {} as much as yours, against {}"),
)


def summary(best):
    """ "Identity 91 % of your photos; motion 94 % of the base."."""
    motion = f"; motion {percent(best['motion'])} of the base" if best["motion"] is not None else ""
    return f"Identity {percent(best['identity'])} of your photos{motion}."


def reasons(sweep, best, rest, table, clear):
    """Sentences for a pair that was named by its likeness, the most important first."""
    why = [summary(best), *_likeness_sentences(best), "" if best["motion"] is not None else _motion_sentence(best)]
    why += [_artifact_sentence(best), _drift_sentence(best)]
    why += [_strength_sentence(best, table), *_compare_pairs(best, rest, table)]
    why += [_held_out_sentence(best, rest)] if best["held_out"] else []
    why += _left_out_sentences(table)
    if not clear:
        why.append(
            f"{name_pair(best)} and {name_pair(rest[0]).lower()} are too close to call by these measures: compare their clips and trust your eye."
        )
    return [sentence for sentence in why if sentence]


def what_may_be_wrong(sweep, rows, table):
    """Sentences where likeness was not measured: why not, then each row's faults. They warn, and put no pair before another."""
    faulty = [row for row in rows if row["problems"]]
    why = [_unmeasured(sweep, table)]
    why += ["These are what may have gone wrong:"] if faulty else []
    why += [f"{name_pair(row)} at {row['strength']:g}: {'; '.join(row['problems'])}." for row in faulty]
    why += [_clean_sentence(rows, faulty), *_left_out_sentences(table)]
    if any(row["drift_share"] is None for row in rows):
        why.append("Other people were not among the prompts, so whether they stay themselves is not known.")
    return [sentence for sentence in why if sentence]


def _clean_sentence(rows, faulty):
    """The pairs that nothing speaks against, which is no praise: a pair that has learned nothing is among them."""
    spoilt = {row["pair"] for row in faulty}
    names = {row["pair"]: name_pair(row).lower() for row in rows if row["pair"] not in spoilt}
    if not names:
        return ""
    return f"Nothing of the kind was found with {', '.join(names.values())}; a pair that has learned little looks like that, too."


def _left_out_sentences(table):
    nothing_done = sorted({row["pair"] for row in table if row["applied"] is False})
    if nothing_done:
        yield f"Left out, because the clips are exactly the base's: {', '.join(nothing_done)}. The file may be empty or of a wrong kind."
    failed = sum(row["failed"] for row in table)
    if failed:
        yield f"{failed} {'clip' if failed == 1 else 'clips'} could not be drawn; run the comparison again to try again."


def nothing(sweep, table):
    """Sentences where no pair can be named."""
    if any(row["applied"] is False for row in table):
        why = "Every pair draws exactly the base's clips: the LoRA files do nothing. Train longer, or check where they came from."
    else:
        why = "No clip can be compared yet: run the comparison to its end first."
    return [sentence for sentence in (why, _unmeasured(sweep, table)) if sentence]


def _unmeasured(sweep, table):
    """Why likeness was not measured, or ""."""
    if any(row["identity"] is not None for row in table):
        return ""
    if not any(cell.get("scored_by") for cell in sweep["cells"]):
        return NOT_MEASURED
    return TOO_FEW if any(prompt["kind"] == "person" for prompt in sweep["prompts"]) else NOBODY


def name_pair(row):
    """ "Step 3000" with its run, for sentences."""
    return f"Step {row['step']} of {row['run']}"


# -- one pair, with likeness


def _likeness_sentences(best):
    base = best["base"]
    if base["identity"] is not None:
        yield f"The base alone, with the same prompts, reaches {percent(base['identity'])} of your photos."
    if "weak" in best["faults"]:
        yield "That is little: train longer, or compare a higher strength such as 0.85."
    if "fading" in best["faults"]:
        yield "The likeness fades within a clip: photos from the side, and a later low-noise file, help."
    if best["follows"] is not None and base["follows"] is not None:
        yield f"{percent(best['follows'])} of what the prompts say is seen; with the base {percent(base['follows'])}."
    if best["resemblance"] is not None and base["resemblance"] is not None:
        advice = " Protect them while training, or use a lower strength." if "bleed" in best["faults"] else ""
        yield f"Strangers look {percent(best['resemblance'])} like the person, with the base {percent(base['resemblance'])}.{advice}"
    if best["memorised"] is not None and "copied" not in best["faults"]:
        yield "Its clips are no copies of the training pictures."


def _strength_sentence(best, table):
    others = [row for row in table if row["pair"] == best["pair"] and row is not best and row["identity"] is not None]
    if not others:
        return f"Only strength {best['strength']:g} was compared."
    said = []
    for row in others:
        text = f"{row['strength']:g} reaches {percent(row['identity'])}"
        new = [words for name, words in zip(row["faults"], row["problems"], strict=True) if name not in (*best["faults"], "weak")]
        said.append(f"{text}, but {'; '.join(new)}" if new else text)
    return f"Of its strengths, {best['strength']:g} is chosen, with an identity of {percent(best['identity'])}; {'; '.join(said)}."


def _compare_pairs(best, rest, table):
    """Later pairs of the run with what they do worse, then earlier ones with what they lack."""
    for row in sorted(rest, key=lambda r: r["step"]):
        if row["run"] == best["run"] and row["step"] > best["step"]:
            same = next((r for r in table if r["pair"] == row["pair"] and r["strength"] == best["strength"]), row)
            found = _worse(best, same)
            if found:
                yield f"{name_pair(row)} is over-trained: {'; '.join(found)}."
            elif row["problems"]:
                yield f"{name_pair(row)} has a problem: {'; '.join(row['problems'])}."
        elif row["faults"] == ["weak"]:
            yield f"{name_pair(row)} has learned too little: {row['problems'][0]}."
        elif row["problems"]:
            yield f"{name_pair(row)} has a problem: {'; '.join(row['problems'])}."


def _worse(best, row):
    """What a row does measurably worse than the best: its own faults, then scores that fell behind."""
    told = {"weak": "identity", "bleed": "resemblance", "disobeys": "follows", "frozen": "motion", "drift": "drift_share"}
    faults = {name: words for name, words in zip(row["faults"], row["problems"], strict=True) if name not in best["faults"]}
    found, covered = list(faults.values()), {told.get(name) for name in faults}
    for name, sign, margin, words in WORSE:
        if name not in covered and row[name] is not None and best[name] is not None and sign * (best[name] - row[name]) > margin:
            found.append(words.format(percent(row[name]), percent(best[name])))
    excess = [r["held_out_excess"] for r in (row, best)]
    if None not in excess and excess[0] - excess[1] > HELD_OUT_MARGIN:
        found.append(f"its loss on the set-aside pictures is {percent(excess[0] - excess[1])} higher")
    return found


# -- one pair, beside its likeness


def _held_out_sentence(best, rest):
    if not best["held_out"]:
        return "No loss on set-aside pictures was recorded, so how well the learning carries over is not known."
    words = dict(zip(EXPERTS, WAN_WORDS, strict=True))
    values = ", ".join(f"{best['held_out'][e]:.4f} for {words[e]}" for e in EXPERTS if e in best["held_out"])
    if best["held_out_excess"] is None or not rest:
        return f"Loss on the set-aside pictures: {values}."
    if best["held_out_excess"] == 0:
        return f"Its loss on the set-aside pictures is the lowest of its run: {values}."
    return f"Its loss on the set-aside pictures is {100 * best['held_out_excess']:.1f} % above the lowest of its run: {values}."


def _motion_sentence(best):
    if best["motion"] is None:
        return "Motion could not be compared: the base's clips hardly move."
    return f"Motion is {percent(best['motion'])} of the base's at the same seeds."


def _artifact_sentence(best):
    own = [words for name, words in zip(best["faults"], best["problems"], strict=True) if name != "drift"]
    if own:
        return f"It is not clean: {'; '.join(own)}."
    if best["findings"]:
        return "Sharpness, flicker and clipping stay near the base's in most clips."
    return "Sharpness, flicker and clipping stay near the base's in every clip."


def _drift_sentence(best):
    if best["drift_share"] is None:
        return "Other people were not among the prompts, so whether they stay themselves is not known."
    text = f"People who are not asked for change {percent(best['drift_share'])} as much as yours"
    if "drift" in best["faults"]:
        return f"{text}: protect them while training, or use a lower strength."
    return f"{text}."
