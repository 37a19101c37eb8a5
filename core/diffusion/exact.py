"""Exact denoisers: the minimisers of the loss, in closed form.

Both are called like a ``Denoiser``, (x [B, ...], sigma [B], cond) -> x0_hat, and also have the log-density of the
noised data, whose gradient is the score.
"""

import math

import torch
from torch import Tensor

from core.diffusion.denoiser import Cond, per_sample
from core.problems import Problem


class EmpiricalDenoiser:
    """E[x0 | x] when the data are these points [N, ...], all equally likely: a softmax over squared distances.

    labels [N], when given, restrict the mean to the points of ``cond["label"]`` (-1: all points).
    """

    def __init__(self, points: Tensor, labels: Tensor | None = None):
        if len(points) == 0:
            raise Problem("no_data_point")
        self.points, self.labels = points, labels
        self._flat = points.flatten(1)

    def __call__(self, x: Tensor, sigma: Tensor, cond: Cond | None = None) -> Tensor:
        return (self.weights(x, sigma, cond) @ self._flat.to(x)).view_as(x)

    def weights(self, x: Tensor, sigma: Tensor, cond: Cond | None = None) -> Tensor:
        """The posterior of each point, p(x0 = point | x), [B, N]; rows sum to 1."""
        return self._log_likelihood(self._distance(x), sigma, cond).softmax(1)

    def variance(self, x: Tensor, sigma: Tensor, cond: Cond | None = None) -> Tensor:
        """Var(x0 | x), [B], mean over coordinates: the squared error of the exact denoiser at x."""
        distance = self._distance(x)
        weights = self._log_likelihood(distance, sigma, cond).softmax(1)
        # Squares of distances from x, which are of the size of sigma: differences of squares of points would cancel.
        mean = weights @ self._flat.to(x) - x.flatten(1)
        return ((weights * distance.square()).sum(1) - mean.square().sum(1)).clamp_min(0) / self._flat.shape[1]

    def log_density(self, x: Tensor, sigma: Tensor, cond: Cond | None = None) -> Tensor:
        """log p(x; sigma), [B], in nats: a mixture of one Gaussian of width sigma on each point."""
        logits = self._log_likelihood(self._distance(x), sigma, cond)
        members = torch.isfinite(logits).sum(1) if cond else torch.tensor(len(self.points))
        dim = self._flat.shape[1]
        return logits.logsumexp(1) - members.to(x).log() - dim / 2 * (2 * math.pi * sigma**2).log()

    def _distance(self, x: Tensor) -> Tensor:
        """|x - point|, [B, N]."""
        # Differences, not |x|^2 - 2 x.p + |p|^2: at sigma = 0.01 that sum loses the digits that decide.
        return torch.cdist(x.flatten(1), self._flat.to(x), compute_mode="donot_use_mm_for_euclid_dist")

    def _log_likelihood(self, distance: Tensor, sigma: Tensor, cond: Cond | None) -> Tensor:
        """-|x - point|^2 / 2 sigma^2, [B, N], and -inf for points of another class."""
        logits = -distance.square() / (2 * per_sample(sigma, distance) ** 2)
        if cond is None or self.labels is None or "label" not in cond:
            return logits
        wanted = cond["label"][:, None]
        return logits.masked_fill((wanted >= 0) & (wanted != self.labels[None]), -math.inf)


class GaussianMixtureDenoiser:
    """E[x0 | x] when the data are a mixture of round Gaussians: means [K, ...], stds [K], weights [K] (equal if None).

    For one Gaussian N(mu, s^2): D = (s^2 x + sigma^2 mu) / (s^2 + sigma^2).
    """

    def __init__(self, means: Tensor, stds: Tensor, weights: Tensor | None = None):
        weights = torch.ones_like(stds) if weights is None else weights
        self.means, self.stds, self.log_weights = means.flatten(1), stds, (weights / weights.sum()).log()

    def __call__(self, x: Tensor, sigma: Tensor, cond: Cond | None = None) -> Tensor:
        flat, s2 = x.flatten(1)[:, None], self.stds[None, :, None] ** 2
        noise = sigma[:, None, None] ** 2
        each = (s2 * flat + noise * self.means) / (s2 + noise)
        belongs = self._log_joint(x, sigma).softmax(1)
        return (belongs[..., None] * each).sum(1).view_as(x)

    def log_density(self, x: Tensor, sigma: Tensor) -> Tensor:
        """log p(x; sigma), [B], in nats."""
        return self._log_joint(x, sigma).logsumexp(1)

    def _log_joint(self, x: Tensor, sigma: Tensor) -> Tensor:
        variance = self.stds**2 + sigma[:, None] ** 2
        square = (x.flatten(1)[:, None] - self.means).square().sum(2)
        return self.log_weights - square / (2 * variance) - self.means.shape[1] / 2 * (2 * math.pi * variance).log()
