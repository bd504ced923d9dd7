"""The README's table of graphics cards: what the studio's own plan reckons for the usual card of each size, for a dataset of photos on WAN 2.2 A14B.

    python tests/benchmarks/card_times.py

Prints the lines of the table. Blocks are those of the default recipe; hours are estimates from data sheets, nothing was measured.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from studio.config import load_preset
from studio.machine import Machine
from studio.project_facts import Permission
from studio.training.plan.planner import propose
from studio.workspace import Workspace

SIZES = (8, 10, 12, 16, 24, 32, 48, 80)
RAM_GB = {8: 32}  # 64 for all others
MACHINE = Machine(gpus=(), ram_total_gb=64, ram_free_gb=58, cpu_name="", cpu_cores=16)


def main():
    with tempfile.TemporaryDirectory() as folder:
        for line in table_lines(Workspace(Path(folder))):
            print(line)


def table_lines(workspace):
    project = workspace.create_project("Bea", trigger="ohwx", base_model="wan22-t2v-a14b", permission=Permission(granted=True))
    return [table_line(project, size) for size in SIZES]


def table_line(project, size):
    def plan_with(recipe):
        return propose(project, MACHINE, workspace=project.workspace, vram_gb=size, ram_gb=RAM_GB.get(size, 64), recipe=recipe)

    usual, quick = plan_with("person-photos"), plan_with("quick-look")
    preset = load_preset("hardware", usual.hardware)
    photo, clip, frames = (preset["limits"]["data"][name] for name in ("photo_size", "clip_size", "clip_frames"))
    memory = usual.config.memory
    blocks = f"{memory.blocks_swapped or 'none'}{', as int8' if memory.precision == 'int8' else ''}"
    card = f"{size} GB ({preset['usual_card']}{f', {RAM_GB[size]} GB of RAM' if size in RAM_GB else ''})"
    times = [in_words(plan.predicted.hours) for plan in (usual, quick)]
    return f"| {' | '.join([card, f'{photo} px', f'{clip} px, {frames} frames', blocks, *times])} |"


def in_words(hours):
    """Hours as coarse as an estimate deserves."""
    if hours < 1:
        return f"{max(10, round(hours * 6) * 10)} min"
    if hours < 10:
        return f"{hours:.1f} h".replace(".0 h", " h")
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.1f} days".replace(".0 days", " days")


if __name__ == "__main__":
    main()
