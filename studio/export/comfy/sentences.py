"""What is said of a pair in ComfyUI: what was copied, which workflows there are, what is missing; and the note in a workflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from studio.errors import Problem
from studio.evaluation.sweep_facts import Sweep
from studio.export.comfy.inventory import Models
from studio.export.comfy.placing import Put, TakenBack
from studio.export.comfy.sampling import AS_THERE, SAMPLER, SCHEDULER
from studio.export.comfy.variants import Recipe
from studio.models.preset import ModelPreset
from studio.words import count

NOTE = """## {title}

Made by Likeness Studio for the pair {pair}, at strength {strength:g}.

- **Prompt:** keep the trigger in it, as it is written now.
- **Too little likeness:** raise strength_model by 0.1 in each LoRA. **Stiff motion or harsh skin:** lower it.
{lines}
What you make with it is AI-generated: say so when you share it, and share it only with the person's permission.
"""


def tell_copied(loras: Mapping[str, Put], folder: Path) -> Iterator[str]:
    """Which LoRA files are new in ComfyUI, and which lay there."""
    new = [put.path.name for put in loras.values() if not put.was_there]
    known = [put.path.name for put in loras.values() if put.was_there]
    if new:
        yield f"Copied {_all(new)} into {folder}. If ComfyUI is open, press R there, so that it sees {'them' if len(new) > 1 else 'it'}."
    if known:
        yield f"{_all(known)} {'are' if len(known) > 1 else 'is'} in ComfyUI already."


def tell_workflows(titles: Sequence[str], listed: bool, folder: Path | None) -> str:
    """Where the workflows are, for somebody who wants to draw now."""
    if not titles or folder is None:
        return "No workflow could be written."
    what = f"{count(len(titles), 'workflow')}: {'; '.join(titles)}."
    if listed:
        return f"In ComfyUI press W to see {what} They are in {folder} too, for the API as well."
    return f"Drag one of these from {folder} onto ComfyUI's page. There {'is' if len(titles) == 1 else 'are'} {what}"


def tell_missing(preset: ModelPreset, problem: Problem) -> str:
    kind = "image-to-video" if preset.takes_first_picture else "text-to-video"
    return f"There is no {kind} workflow: {problem.in_words()}"


def tell_no_quick(preset: ModelPreset) -> str:
    kind = "i2v" if preset.takes_first_picture else "t2v"
    return (
        f"There is no workflow in 4 steps for {preset.title}: lightx2v's two LoRA files for it are not in ComfyUI. "
        f"Their usual names: wan2.2_{kind}_lightx2v_4steps_lora_v1_high_noise and _low_noise."
    )


def tell_distilled(preset: ModelPreset, models: Models) -> Iterator[str]:
    if models.is_distilled:
        yield (
            f"The experts of {preset.title} in this ComfyUI ({_all(models.experts)}) seem to draw in few steps by themselves: "
            "set cfg to 1 and steps to 4 where clips come out burnt."
        )


def tell_sampler(sweep: Sweep | None) -> Iterator[str]:
    """Whether ComfyUI will draw the comparison's clips again."""
    if sweep is None:
        yield "No comparison was drawn, so the workflows draw with the usual numbers."
    elif sweep.config.scheduler == AS_THERE:
        yield "The first drawing repeats the comparison: it has the same seed, steps and noise levels."
    else:
        yield (
            f"The comparison took its steps by {sweep.config.scheduler}, ComfyUI takes them by {SAMPLER} with {SCHEDULER}: its clips differ "
            f"in detail. A comparison whose sampler is {AS_THERE} shows what ComfyUI draws."
        )


def tell_taken_back(taken: TakenBack) -> str:
    """What became of the files that were to leave ComfyUI again."""
    parts = [
        (taken.removed, "Taken back out: {}."),
        (taken.changed, "Changed since they were put there, and left where they are: {}."),
        (taken.held, "In use, and still there: {}. Close ComfyUI, then try again."),
        (taken.gone, "Gone already: {}."),
    ]
    said = [text.format(_all(names)) for names, text in parts if names]
    return " ".join(said) or "Nothing of this person was put into ComfyUI."


def note(title: str, pair: str, recipe: Recipe) -> str:
    """The text beside a workflow's nodes."""
    lines = []
    if recipe.picture:
        lines.append("- **First picture:** choose a picture of the person in the node Load Image.")
    if len(recipe.models.experts) > 1:
        step, steps = recipe.drawing.boundary_step(recipe.boundary), recipe.drawing.steps
        lines.append(
            f"- **Steps:** the high noise model draws the first {step} of {steps}, down to the noise level {recipe.boundary:g}. "
            "With other steps or another shift that number changes, in both samplers."
        )
    if recipe.quick_loras:
        lines.append("- **Four steps:** quicker, with less motion and a little less likeness.")
    return NOTE.format(title=title, pair=pair, strength=recipe.strength, lines="\n".join(lines) + "\n" if lines else "")


def _all(names: Sequence[str]) -> str:
    return " and ".join(", ".join(names).rsplit(", ", 1))
