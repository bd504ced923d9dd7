"""The arms of the learning bench: what each changes against the default in settings, dataset, steps, or in what is drawn with."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace

from studio.config import EXPERTS, TrainConfig, from_dict, merge, nest, to_dict


@dataclass(frozen=True)
class Dataset:
    """What is learned from; smaller datasets are the beginnings of larger ones. omit: phrases of the scene that no caption says."""

    photos: int = 12
    clips: int = 0
    one_shirt: bool = False
    one_place: bool = False
    omit: tuple[str, ...] = ()

    @property
    def name(self):
        """Short: a project's folder takes 24 characters."""
        flags = ["shirt"] * self.one_shirt + ["place"] * self.one_place + [f"no-{what[:3]}" for what in self.omit]
        return "-".join([f"{self.photos}p{self.clips}c", *flags])


@dataclass(frozen=True)
class Arm:
    """One training choice. changes: dotted settings; scales: dotted settings that are multiplied; num_steps: share of the bench's budget.

    experts: whose LoRA files are drawn with; none is the base model, for which nothing is trained. described: the prompts say in words what
    the person looks like, in place of the trigger.
    """

    name: str
    title: str
    changes: dict = field(default_factory=dict)
    scales: dict = field(default_factory=dict)
    dataset: Dataset = Dataset()
    num_steps: float = 1.0
    experts: tuple[str, ...] = EXPERTS
    described: bool = False

    def config(self, preset, steps, seed):
        """The TrainConfig of this arm: a base model preset's [train], what the arm changes, and the bench's budget of steps."""
        common = {"steps": round(steps * self.num_steps), "save_every": round(steps * self.num_steps), "resume_every": 100, "seed": seed}
        common |= {"held_out_every": 10_000, "data": {"held_out_items": 0}}
        default = to_dict(preset.train_config)
        scaled = {name: _look_up(default, name) * factor for name, factor in self.scales.items()}
        return from_dict(TrainConfig, merge(default, common, nest(self.changes), nest(scaled)), f"arm {self.name}")

    def run_key(self, preset, steps, seed):
        """Equal for arms that are points of one run: it does not depend on how long that run is."""
        config = to_dict(self.config(preset, steps, seed)) | {"steps": 0, "save_every": 0}
        return digest([config, asdict(self.dataset)])

    def key(self, preset, steps, seed):
        """Equal for arms that are the same thing to measure."""
        if not self.experts:
            return digest(["base", self.described])
        return digest([to_dict(self.config(preset, steps, seed)), asdict(self.dataset), self.experts, self.described])

    def cost(self, preset, steps):
        """How long its training takes, roughly and in steps of photos without protection; an arm that shares a run counts whole."""
        if not self.experts:
            return 0.0
        preservation = self.config(preset, steps, 0).preservation
        protected = 1 / preservation.every if preservation.enabled else 0.0
        clips = self.dataset.clips / (self.dataset.clips + self.dataset.photos)
        return steps * self.num_steps * (1 + 1.4 * protected) * (1 + 2 * clips)


def digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _look_up(settings, name):
    for part in name.split("."):
        settings = settings[part]
    return settings


DEFAULT = Arm("default", "Default")
MANY = Dataset()

ARMS = (
    Arm("base", "Base model, no LoRA", experts=()),
    Arm("base-described", "Base model, described in words", experts=(), described=True),
    Arm("steps-x0.25", "A quarter of the steps", num_steps=0.25),
    Arm("steps-x0.5", "Half the steps", num_steps=0.5),
    DEFAULT,
    Arm("steps-x2", "Twice the steps", num_steps=2.0),
    Arm("steps-x4", "Four times the steps", num_steps=4.0),
    Arm("draw-high", "Default, high-noise file alone", experts=("high_noise",)),
    Arm("draw-low", "Default, low-noise file alone", experts=("low_noise",)),
    Arm("dop-off", "No protection (DOP off)", {"preservation.enabled": False}),
    Arm("dop-plain", "Protection at the own photos (plain DOP), same cost", {"preservation.pictures": 0}),
    Arm("dop-plain-all", "Plain DOP at every picture", {"preservation.pictures": 0, "preservation.every": 1}),
    Arm("dop-plain-4", "Plain DOP, strength x4", {"preservation.pictures": 0}, scales={"preservation.multiplier": 4.0}),
    Arm("dop-half", "Protection x0.5", scales={"preservation.multiplier": 0.5}),
    Arm("dop-double", "Protection x2", scales={"preservation.multiplier": 2.0}),
    Arm("dop-all", "Protection at every picture", {"preservation.every": 1}),
    Arm("dop-every-4", "Protection at every 4th picture", {"preservation.every": 4}),
    Arm("others-8", "8 pictures of others", {"preservation.pictures": 8}),
    Arm("others-96", "96 pictures of others", {"preservation.pictures": 96}),
    Arm("sigmoid", "Noise levels: sigmoid", {"timesteps.distribution": "sigmoid"}),
    Arm("uniform", "Noise levels: uniform", {"timesteps.distribution": "uniform"}),
    Arm("cosine", "Noise levels: cosine", {"timesteps.distribution": "cosine"}),
    Arm("shift", "Noise levels: shift 3", {"timesteps.distribution": "shift", "timesteps.shift": 3.0}),
    Arm("high-only", "All steps for high noise", {"high_noise_share": 1.0}),
    Arm("low-only", "All steps for low noise", {"high_noise_share": 0.0}),
    Arm("photos-6", "6 photos", dataset=replace(MANY, photos=6)),
    Arm("photos-24", "24 photos", dataset=replace(MANY, photos=24)),
    Arm("one-outfit", "One outfit, named in the captions", dataset=replace(MANY, one_shirt=True)),
    Arm("one-outfit-unnamed", "One outfit, not in the captions", dataset=replace(MANY, one_shirt=True, omit=("clothes",))),
    Arm("one-place", "One place, named in the captions", dataset=replace(MANY, one_place=True)),
    Arm("clips", "12 clips", dataset=Dataset(photos=0, clips=12)),
    Arm("both", "6 photos and 6 clips", dataset=Dataset(photos=6, clips=6)),
    Arm("rate-x0.3", "Learning speed x0.3", scales={"optimizer.learning_rate": 0.3}),
    Arm("rate-x3", "Learning speed x3", scales={"optimizer.learning_rate": 3.0}),
    Arm("rank-4", "LoRA size 4", {"lora.rank": 4}),
    Arm("rank-32", "LoRA size 32", {"lora.rank": 32}),
)


def list_arms(names, preset, steps):
    """The arms of those names, or all; without any that is the default by another name. ValueError names the arms there are."""
    unknown = sorted(set(names) - {arm.name for arm in ARMS})
    if unknown:
        raise ValueError(f"there is no arm {unknown[0]!r}; there are {', '.join(arm.name for arm in ARMS)}")
    same = DEFAULT.key(preset, steps, 0)
    return [arm for arm in ARMS if (not names or arm.name in names) and (arm is DEFAULT or arm.key(preset, steps, 0) != same)]
