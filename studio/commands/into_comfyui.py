"""use: a pair into ComfyUI, with workflows; and out of it again."""

from argparse import Namespace
from typing import Any

from studio.commands.output import Output, find_project
from studio.commands.results import choose_pair, list_damaged, note_damaged
from studio.config import USUAL_STRENGTH
from studio.evaluation import sweeps
from studio.export.comfy import sentences
from studio.export.comfy.placing import take_back
from studio.export.comfy.use import choose_installation, put_into_comfyui
from studio.workspace import Workspace


def use(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    project = find_project(workspace, args.project, out)
    if args.take_back:
        taken = take_back(project)
        out.print(sentences.tell_taken_back(taken))
        return {"project": project.slug, "removed": taken.removed, "changed": taken.changed, "held": taken.held, "gone": taken.gone}
    note_damaged(list_damaged(project), out)
    comfyui = choose_installation(workspace, args.comfyui)
    pair, compared = choose_pair(project, out, args.pair)
    strength = next(known for known in (args.strength, compared, USUAL_STRENGTH) if known is not None)
    done = put_into_comfyui(project, comfyui, pair, strength, sweeps.find_last_with(project, pair.id))
    for sentence in done.said:
        out.print(sentence)
    loras = {expert: str(put.path) for expert, put in done.loras.items()}
    answer = {"project": project.slug, "pair": pair.id, "strength": strength, "comfyui": done.comfyui.title, "loras": loras}
    return answer | {"folder": done.folder, "workflows": [str(path) for path in done.listed], "said": list(done.said)}
