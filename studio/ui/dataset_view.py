"""What the Dataset tab shows, as plain JSON for its components; only reads."""

from studio.data import dataset
from studio.data.captions import audit, check_caption, class_prompt
from studio.jobs import state
from studio.ui import actions
from studio.ui import formatting as f

PER_PAGE = 60
SHOWN = {"all": "All", "kept": "Kept", "out": "Left out", "clips": "Clips", "no-caption": "Without caption"}
SOURCES = {"hand": "written by you", "auto": "written by the studio", "imported": "came with the file", "": "not written yet"}
_FILTERS = {
    "all": lambda item: True,
    "kept": lambda item: item.keep,
    "out": lambda item: not item.keep,
    "clips": lambda item: item.kind == "clip",
    "no-caption": lambda item: not item.caption,
}


def next_step(project):
    """The one thing to do next, with its button."""
    if project is None:
        return {"text": "make a project with New person, at the left.", **{"action": "click:#new-person", "label": "New person"}}
    items = dataset.list_items(project)
    running = {job.kind for job in state.list_jobs(project.workspace, project) if not job.is_over}
    for kind, words in (
        ("import", "wait while photos come in."),
        ("caption", "wait while captions are written."),
        ("curate", "wait for the check."),
    ):
        if kind in running:
            return {"text": words}
    if not items:
        text = "add 10 to 30 varied photos of the person, or 12 to 20 clips of 4 to 8 seconds."
        return {"text": text, **actions.button("upload")}
    kept = [item for item in items if item.keep]
    if not kept:
        return {"text": "keep some photos: everything is left out, so there is nothing to train with."}
    bare = [item for item in kept if not item.caption]
    if bare:
        return {"text": f"write captions for {count_media(bare)}.", "action": "write-captions", "label": "Write captions"}
    wrong = [item for item in kept if check_caption(item.caption, *words_of(project))]
    if wrong:
        return {
            "text": f"look at {f.count(len(wrong), 'caption')} with a remark, beginning with {wrong[0].id}.",
            **actions.button("open-train"),
        }
    if len(kept) < 10:
        reason = f"{count_media(kept)} can be trained; 10 to 30 varied photos give a better likeness."
        return {"text": "train, or add more photos.", "reason": reason, **actions.button("open-train")}
    return {"text": f"train with {count_media(kept)}.", **actions.button("open-train")}


def read_last_job(project):
    """How the newest import, captioning or check ended, if there is something to say."""
    jobs = state.list_jobs(project.workspace, project) if project else []
    job = next((job for job in jobs if job.kind in ("import", "caption", "curate")), None)
    if job is None or not job.is_over:
        return {}
    if job.state == "done":
        return {"text": result_sentence(job), "tone": "done"} | ({"fix": rejected_sentence(job)} if job.kind == "import" else {})
    error = job.error or {"message": f"{job.title}: {f.STATES[job.state]}.", "fix": "What was done is kept."}
    words = {"text": error["message"], "cost": error.get("cost", ""), "fix": error.get("fix", "")}
    return words | {"tone": "bad" if job.error else "done", "action": f"resume:{job.name}", "label": "Try again"}


def result_sentence(job):
    result = job.result
    if job.kind == "import":
        same = len(result.get("duplicates", []))
        return f"Imported {f.count(len(result.get('added', [])), 'item')}" + (f"; {same} were here already." if same else ".")
    if job.kind == "curate":
        return "The photos are checked. Those left out say why; Undo takes it back."
    return "The captions are written. Read them: what you say in a caption stays changeable."


def rejected_sentence(job):
    rejected = job.result.get("rejected", [])
    return " ".join(f"{name}: {f.sentence(reason)}" for name, reason in rejected[:8]) + (
        f" And {len(rejected) - 8} more." if len(rejected) > 8 else ""
    )


def words_of(project):
    data = project.read()
    return data["trigger"], data["class_noun"]


def count_media(items):
    photos, clips = sum(i.kind == "photo" for i in items), sum(i.kind == "clip" for i in items)
    parts = [f.count(photos, "photo")] * bool(photos) + [f.count(clips, "clip")] * bool(clips)
    return " and ".join(parts) or "nothing"


def shown_items(project, place):
    return [item for item in dataset.list_items(project) if _FILTERS.get(place["show"], _FILTERS["all"])(item)]


def read_pictures(project, place):
    """Values of the grid, the viewer and the findings."""
    if project is None:
        return [{}, {}, ""]
    items = dataset.list_items(project)
    shown = shown_items(project, place)
    chosen = next((item for item in items if item.id == place["id"]), None) or next(iter(shown), None)
    return [read_grid(project, items, shown, place, chosen), read_viewer(project, chosen), read_findings(project, items)]


def read_grid(project, items, shown, place, chosen):
    pages = max(1, -(-len(shown) // PER_PAGE))
    page = min(max(0, place["page"]), pages - 1)
    words = words_of(project)
    kept = [item for item in items if item.keep]
    return {
        "items": [thumbnail(project, item, words) for item in shown[page * PER_PAGE : (page + 1) * PER_PAGE]],
        "chosen": chosen.id if chosen else "",
        "page": page,
        "pages": pages,
        "filters": [{"id": key, "label": label, "count": sum(map(_FILTERS[key], items))} for key, label in SHOWN.items()],
        "show": place["show"],
        "counters": counters(items, kept),
        "undo": dataset.can_undo(project),
        "empty": not items,
    }


def counters(items, kept):
    """Plain numbers about variety: how much of what."""
    seconds = sum(item.seconds or 0 for item in kept if item.kind == "clip")
    captioned = sum(bool(item.caption) for item in kept)
    numbers = [f"{len(kept)} of {len(items)} kept"]
    if seconds:
        numbers.append(f"{seconds:.0f} s of clips")
    numbers.append(f"{captioned} with a caption")
    return numbers


def thumbnail(project, item, words):
    badges = []
    if not item.keep:
        badges.append({"text": "left out", "tone": "out"})
    if item.kind == "clip":
        badges.append({"text": f"{item.seconds:.1f} s", "tone": "plain"})
    if not item.caption:
        badges.append({"text": "no caption", "tone": "warn"})
    elif check_caption(item.caption, *words):
        badges.append({"text": "caption", "tone": "warn"})
    said = ", ".join([item.id, *[badge["text"] for badge in badges]])
    return {
        "id": item.id,
        "src": media_address(project, "thumbnails", item),
        "keep": item.keep,
        "badges": badges,
        "said": said,
        "why": item.reason,
    }


def media_address(project, what, item):
    return f"/media/{project.slug}/{what}/{item.id}?v={item.sha256[:12]}"


def read_viewer(project, item):
    """The large picture with its caption, or {} without one."""
    if item is None:
        return {}
    trigger, noun = words_of(project)
    facts = [f"{item.width} x {item.height} px"]
    if item.kind == "clip":
        facts += [f"{item.seconds:.1f} s", f"{item.fps:.3g} frames a second"]
    return {
        "id": item.id,
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
        "problems": check_caption(item.caption, trigger, noun),
        "placeholder": f"{trigger or 'the trigger'}, a {noun} with ..., in ...",
        "keep": item.keep,
        "reason": item.reason,
        "problem": item.problem,
    }


def read_findings(project, items):
    """What the audit says about all captions together, as a list; a missing caption is said by "Next" already."""
    found = [finding for finding in audit(items, project.read()) if not finding["message"].endswith("without a caption.")] if items else []
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
    permission = data.get("permission") or {}
    if not permission.get("granted"):
        return '<p class="muted">No permission is written down for this person, so training is not possible.</p>'
    return f'<p class="muted">Permission: {f.escape(permission.get("statement") or "given")}</p>'
