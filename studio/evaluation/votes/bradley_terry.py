"""How strongly each of several things is preferred, from votes on two at a time. Numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PRIOR_SPREAD = (
    2.0  # standard deviation of strengths before any vote: nine of ten wins are within one of it. It keeps few votes from being certain
)
MOST_ROUNDS = 50
SURE = 1.96  # standard deviations


@dataclass(frozen=True)
class Preference:
    """Strengths (N,) in log odds, around 0, and their covariance (N, N)."""

    strengths: np.ndarray
    covariance: np.ndarray

    def lead(self, one: int, other: int) -> tuple[float, float]:
        """(how far one is stronger, standard deviation of that)."""
        variance = self.covariance[one, one] + self.covariance[other, other] - 2 * self.covariance[one, other]
        return float(self.strengths[one] - self.strengths[other]), float(np.sqrt(max(variance, 0.0)))

    def share(self, one: int, other: int) -> float:
        """How often one would be preferred to the other, 0 to 1."""
        return float(_logistic(self.strengths[one] - self.strengths[other]))

    def is_sure(self, one: int, other: int) -> bool:
        """Whether one is stronger with 97.5 % certainty."""
        lead, spread = self.lead(one, other)
        return lead > SURE * spread


def fit(count: int, votes: Sequence[tuple[int, int, float]]) -> Preference:
    """votes: (one, other, share of a win for one: 1, 0, or .5 where they were equal), of `count` things.

    The largest posterior of the Bradley-Terry model (Bradley & Terry 1952) with a normal prior, by Newton's method; the covariance is the inverse
    of its second derivative there (Laplace). A tie counts as half a win of each (Glickman 1999).
    """
    strengths = np.zeros(count)
    prior = np.eye(count) / PRIOR_SPREAD**2
    for _ in range(MOST_ROUNDS):
        gradient, curvature = -prior @ strengths, prior.copy()
        for one, other, won in votes:
            expected = _logistic(strengths[one] - strengths[other])
            gradient[one] += won - expected
            gradient[other] -= won - expected
            _add(curvature, one, other, expected * (1 - expected))
        step = np.linalg.solve(curvature, gradient)
        strengths = strengths + step
        if np.abs(step).max(initial=0.0) < 1e-9:
            break
    return Preference(strengths, np.linalg.inv(curvature))


def information(preference: Preference, one: int, other: int) -> float:
    """How much a vote on these two is expected to tell: by how much it narrows the difference between them."""
    share = preference.share(one, other)
    return share * (1 - share) * preference.lead(one, other)[1] ** 2


def with_vote_expected(preference: Preference, one: int, other: int) -> Preference:
    """As if a vote on these two had come out as expected: the same strengths, told more surely."""
    curvature = np.linalg.inv(preference.covariance)
    share = preference.share(one, other)
    _add(curvature, one, other, share * (1 - share))
    return Preference(preference.strengths, np.linalg.inv(curvature))


def _add(curvature: np.ndarray, one: int, other: int, amount: float) -> None:
    curvature[[one, other], [one, other]] += amount
    curvature[[one, other], [other, one]] -= amount


def _logistic(value: float) -> float:
    return 1 / (1 + np.exp(-value))
