"""What the Dataset tab shows, as plain JSON for its components; only reads."""

import functools
from dataclasses import dataclass

from studio.data import dataset, persons
from studio.data.captions.rules import audit, check_caption, class_prompt
from studio.data.media.thumbnails import version_of
from studio.jobs import state
from studio.models.preset import model_preset
from studio.training.material import learnable, why_nothing_to_learn
from studio.ui import actions, download_view
from studio.ui import formatting as f

PER_PAGE = 60
DIFFERENCES = "Different places, light, clothes and angles matter more than the number."
WORTH_CHECKING = 5  # fewer pictures are quicker looked at
SHOWN = {
    "all": "All",
    "kept": "Kept",
    "out": "Left out",
    "clips": "Clips",
    "no-caption": "Without caption",
    "remark": "Caption with a remark",
    "doubt": "Kept with a doubt",
}
SOURCES = {"hand": "written by you", "auto": "written by the studio", "imported": "came with the file", "": "not written yet"}
_FILTERS = {
    "all": lambda item, look: True,
    "kept": lambda item, look: item.keep,
    "out": lambda item, look: not item.keep,
    "clips": lambda item, look: item.kind == "clip",
    "no-caption": lambda item, look: not item.caption,
    "remark": lambda item, look: bool(item.caption and look.remarks[item.id]),
    "doubt": lambda item, look: item.keep and bool(doubts_of(item)),
}


@dataclass(frozen=True)
class Look:
    """The items of a project and what there is to say about their captions."""

    items: tuple
    remarks: dict  # id -> what is wrong with the caption
    findings: str  # the audit as HTML

    @property
    def kept(self):
        return [item for item in self.items if item.keep]


def doubts_of(item):
    """What the check saw in a picture that is no reason to leave it out; what it says of all of them is said once, elsewhere."""
    return [words for words in item.measurements.get("warnings", []) if words != persons.SEVERAL]


def look_at(project):
    """The Look of a project; made anew only when a file of its dataset, or its trigger, has changed."""
    return _look_at(dataset.version(project), words_of(project))


@functools.lru_cache(maxsize=4)
def _look_at(version, words):
    items = dataset.list_items(version[0])
    remarks = {item.id: tuple(check_caption(item.caption, *words)) for item in items}
    return Look(tuple(items), remarks, describe_findings(items, *words))


def next_step(project):
    """The one thing to do next, with its button."""
    if project is None:
        return {"text": "make a project with New person, at the left.", **{"action": "click:#new-person", "label": "New person"}}
    return describe_next(project, look_at(project))


def describe_next(project, look):
    items, kept = look.items, look.kept
    running = {job.kind for job in state.list_jobs(project.workspace, project) if not job.is_over}
    for kind, words in (
        ("import", "wait while photos come in."),
        ("caption", "wait while captions are written."),
        ("curate", "wait for the check."),
    ):
        if kind in running:
            return {"text": words}
    preset = model_preset(project.facts().base_model)
    if not items:
        photos = "" if preset.takes_first_picture else "10 to 30 varied photos of the person, or "
        return {"text": f"add {photos}12 to 20 clips of 4 to 8 seconds.", **actions.button("upload")}
    if not kept:
        return {"text": "keep some photos: everything is left out, so there is nothing to train with."}
    if reason := why_nothing_to_learn(kept, preset):
        return {"text": "add clips of the person.", "reason": reason, **actions.button("upload")}
    kept = learnable(kept, preset)
    bare = [item for item in kept if not item.caption]
    if len(bare) >= WORTH_CHECKING and not any(item.measurements for item in items):
        reason = "Blurred, dark and doubled pictures, and other people, are found before you write captions for them."
        return {"text": f"have {count_media(kept)} checked.", "reason": reason, **actions.button("check-photos")}
    if bare:
        return write_or_get_captioner(project, count_media(bare))
    wrong = [item for item in kept if look.remarks[item.id]]
    if wrong:
        text = f"look at {f.count(len(wrong), 'caption')} with a remark, beginning with {wrong[0].id}."
        return {"text": text, "reason": look.remarks[wrong[0].id][0], **actions.button("see-remarks")}
    if len(kept) < 10:
        more, many = ("clips", "12 to 20 varied clips") if preset.takes_first_picture else ("photos", "10 to 30 varied photos")
        reason = f"{count_media(kept)} can be trained; {many} give a better likeness."
        return {"text": f"train, or add more {more}.", "reason": reason, **actions.button("open-train")}
    return {"text": f"train with {count_media(kept)}.", **actions.button("open-train")}


def write_or_get_captioner(project, what):
    """The next step where captions are missing: writing them, or the model that does it."""
    missing = download_view.read_captioner(project)
    if not missing:
        return {"text": f"write captions for {what}.", "action": "write-captions", "label": "Write captions"}
    if missing["state"] != "missing":
        return {"text": f"wait for the captioner, or write captions for {what} by hand meanwhile."}
    reason = "It writes captions on this computer alone. You can also write them by hand, beside each picture."
    get = actions.button("download-captioner") if missing.get("label") else {}
    return {"text": f"get the captioner, for {what} without a caption.", "reason": reason, **get}


def words_of(project):
    data = project.facts()
    return data.trigger, data.class_noun


def count_media(items):
    photos, clips = sum(i.kind == "photo" for i in items), sum(i.kind == "clip" for i in items)
    parts = [f.count(photos, "photo")] * bool(photos) + [f.count(clips, "clip")] * bool(clips)
    return " and ".join(parts) or "nothing"


def shown_items(look, place):
    wanted = _FILTERS.get(place["show"], _FILTERS["all"])
    return [item for item in look.items if wanted(item, look)]


def read_pictures(project, place):
    """From one look at the folder: whether the drop zone is open, grid, viewer, findings."""
    if project is None:
        return [False, {}, {}, ""]
    look = look_at(project)
    shown = shown_items(look, place)
    chosen = next((item for item in look.items if item.id == place["id"]), None) or next(iter(shown), None)
    grid = read_grid(project, look, shown, place, chosen)
    return [not look.items, grid, read_viewer(project, look, chosen), look.findings]


def read_grid(project, look, shown, place, chosen):
    pages = max(1, -(-len(shown) // PER_PAGE))
    page = min(max(0, place["page"]), pages - 1)
    filters = [(key, label, sum(_FILTERS[key](item, look) for item in look.items)) for key, label in SHOWN.items()]
    return {
        "items": [thumbnail(project, item, look) for item in shown[page * PER_PAGE : (page + 1) * PER_PAGE]],
        "chosen": chosen.id if chosen else "",
        "page": page,
        "pages": pages,
        "filters": [{"id": key, "label": label, "count": count} for key, label, count in filters],
        "show": place["show"],
        "counters": counters(look.items, look.kept),
        "undo": dataset.can_undo(project),
        "empty": {} if look.items else describe_empty(project),
    }


def describe_empty(project):
    """{"title", "text"} in place of the grid while there is nothing; a model that is given first pictures learns from clips alone."""
    clips = "12 to 20 clips of 4 to 8 seconds"
    if model_preset(project.facts().base_model).takes_first_picture:
        return {"title": "No clips yet", "text": f"Drop in {clips} of one person. {DIFFERENCES}"}
    return {"title": "No photos yet", "text": f"Drop in 10 to 30 photos of one person, or {clips}. {DIFFERENCES}"}


def counters(items, kept):
    """Plain numbers about variety: how much of what."""
    seconds = sum(item.seconds or 0 for item in kept if item.kind == "clip")
    captioned = sum(bool(item.caption) for item in kept)
    numbers = [f"{len(kept)} of {len(items)} kept"]
    if seconds:
        numbers.append(f"{seconds:.0f} s of clips")
    numbers.append(f"{captioned} with a caption")
    return numbers


def thumbnail(project, item, look):
    badges = []
    if not item.keep:
        badges.append({"text": "left out", "tone": "out"})
    if item.kind == "clip":
        badges.append({"text": f"{item.seconds:.1f} s", "tone": "plain"})
    if not item.caption:
        badges.append({"text": "no caption", "tone": "warn"})
    elif look.remarks[item.id]:
        badges.append({"text": "caption", "tone": "warn"})
    doubts = doubts_of(item) if item.keep else []
    if doubts:
        badges.append({"text": "doubt", "tone": "plain"})
    said = ", ".join([item.id, *[badge["text"] for badge in badges]])
    return {
        "id": item.id,
        "src": media_address(project, "thumbnails", item),
        "keep": item.keep,
        "badges": badges,
        "said": said,
        "why": item.reason if not item.keep else "; ".join(doubts),
    }


def media_address(project, what, item):
    return f"/media/{project.slug}/{what}/{item.id}?v={version_of(item)}"


def read_viewer(project, look, item):
    """The large picture with its caption, or {} without one."""
    if item is None:
        return {}
    trigger, noun = words_of(project)
    facts = [f"{item.width} x {item.height} px"]
    if item.kind == "clip":
        facts += [f"{item.seconds:.1f} s", f"{item.fps:.3g} frames a second"]
    return {
        "id": item.id,
        "project": project.slug,
        "version": version_of(item),
        "kind": item.kind,
        "src": media_address(project, "previews", item),
        "poster": media_address(project, "thumbnails", item),
        "width": item.width,
        "height": item.height,
        "seconds": item.seconds,
        "facts": facts + ([item.original] if item.original else []),
        "caption": item.caption,
        "source": SOURCES[item.caption_source],
        "class_prompt": class_prompt(item.caption, trigger, noun) if item.caption else "",
        "problems": look.remarks[item.id],
        "placeholder": f"{trigger or 'the trigger'}, a {noun} with ..., in ...",
        "keep": item.keep,
        "reason": item.reason,
        "doubts": "; ".join(doubts_of(item)) if item.keep else "",
        "problem": item.problem,
    }


def describe_findings(items, trigger, noun):
    """What the audit says about all captions together, as a list; a missing caption is said by "Next" already."""
    found = audit(items, trigger, noun) if items else []
    found = [finding for finding in found if not finding["message"].endswith("without a caption.")]
    if not found:
        return ""
    lines = [f"<li>{f.escape(x['message'])}{named(x['items'])}</li>" for x in found[:12]]
    fixes = dict.fromkeys(x["fix"] for x in found)
    advice = "".join(f"<p>{f.escape(fix)}</p>" for fix in fixes)
    return f'<details class="findings"><summary>Worth a look: {f.count(len(found), "remark")} about the captions</summary><ul>{"".join(lines)}</ul>{advice}</details>'


def named(ids):
    """ " (0001, 0002 and 7 more)"."""
    if not ids or len(ids) > 20:
        return ""
    more = f" and {len(ids) - 4} more" if len(ids) > 4 else ""
    return f" <small>({f.escape(', '.join(ids[:4]))}{more})</small>"


def permission_line(data):
    if not data.is_permitted:
        return '<p class="muted">No permission is written down for this person, so training is not possible.</p>'
    return f'<p class="muted">Permission: {f.escape(data.permission.statement or "given")}</p>'
