"""The rows of each optimizer step: which pictures, how strongly noised, all a function of (seed, expert, step)."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from studio.config import TrainConfig
from studio.data.cache import Cache, ClassPicture, Sample
from studio.models.catalogue import BaseModel
from studio.training.events import Band
from studio.training.samples import Samples
from studio.training.step.flow import Timesteps
from studio.training.step.gradients import Group, Row
from studio.training.step.preservation import preservation_weight, preserved_pictures
from studio.training.step.randomness import generator
from studio.workspace import Project

HELD_OUT_LEVELS = 4  # noise levels at which each held-out picture is checked, one for each band


class Batches:
    """Rows for one expert. Nothing is kept between steps, so a resumed run asks for the same step and gets the same rows."""

    def __init__(self, config: TrainConfig, project: Project, base: BaseModel, expert: str, samples: Samples):
        self.config, self.expert, self.samples = config, expert, samples
        self.cache = Cache(project)
        self.timesteps = Timesteps(config.timesteps, *base.sigma_range(expert))
        self._order = functools.lru_cache(maxsize=8)(self._draw_order)

    def group(self, expert_step: int) -> Group:
        """The Group of an expert's step; the first is 0."""
        count = self.config.accumulation
        draw = generator(self.config.seed, self.expert, expert_step, "noise")
        sigmas = self.timesteps.sample(count, draw).tolist()
        chosen = [self._sample_at(expert_step * count + i) for i in range(count)]
        rows, plain = zip(*(self._rows(sample, sigma, draw) for sample, sigma in zip(chosen, sigmas)))
        preservation = self.config.preservation
        kept = preserved_pictures(preservation, expert_step, count)
        others = (
            self._picture_rows(expert_step, [sigmas[i] for i in kept]) if self.samples.class_pictures else tuple(plain[i] for i in kept)
        )
        return Group(rows, others, preservation_weight(preservation, len(kept), count))

    def held_out_rows(self) -> Iterator[Row]:
        """Rows whose noise and levels depend on nothing but the picture: comparable from step to step."""
        sigmas = self.timesteps.midpoints(HELD_OUT_LEVELS).tolist()
        for sample in self.samples.held_out:
            draw = generator("held out", self.expert, sample.latents_key)
            for sigma in sigmas:
                yield self._rows(sample, sigma, draw)[0]

    def held_out_bands(self, losses: torch.Tensor) -> tuple[Band, ...]:
        """Each band of noise levels, from the losses of `held_out_rows`."""
        means, limits = losses.view(-1, HELD_OUT_LEVELS).mean(dim=0).tolist(), self.timesteps.bands(HELD_OUT_LEVELS)
        return tuple(Band(low=round(low, 4), high=round(high, 4), loss=mean) for (low, high), mean in zip(limits, means))

    def _rows(self, sample: Sample, sigma: float, draw: torch.Generator) -> tuple[Row, Row]:
        """A sample's row, and the same noised picture with the prompt for people in general: where plain DOP keeps the model's answer."""
        latents, prompt, class_prompt = self.cache.load(sample)
        row = Row(latents.float(), torch.randn(latents.shape, generator=draw), sigma, prompt, self.cache.load_condition(sample))
        return row, replace(row, prompt=class_prompt)

    def _picture_rows(self, expert_step: int, sigmas: Sequence[float]) -> tuple[Row, ...]:
        """Pictures of others with noise of their own, at the levels of the rows to learn: what changes everybody there is felt in the same step."""
        pictures = self.samples.class_pictures
        draw = generator(self.config.seed, self.expert, expert_step, "class pictures")
        rows = []
        for number, sigma in zip(torch.randint(len(pictures), (len(sigmas),), generator=draw).tolist(), sigmas):
            latents, prompt = self._load_picture(pictures[number])
            rows.append(Row(latents.float(), torch.randn(latents.shape, generator=draw), sigma, prompt))
        return tuple(rows)

    def _load_picture(self, picture: ClassPicture) -> tuple[torch.Tensor, torch.Tensor]:
        """(latents, prompt) of a class picture."""
        return self.cache.load_class_picture(picture)

    def _sample_at(self, position: int) -> Sample:
        """Every picture once in each epoch, in an order of the epoch's own."""
        epoch, index = divmod(position, len(self.samples.learned))
        return self.samples.learned[self._order(epoch)[index]]

    def _draw_order(self, epoch: int) -> list[int]:
        return torch.randperm(len(self.samples.learned), generator=generator(self.config.seed, self.expert, epoch, "order")).tolist()
