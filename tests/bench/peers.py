"""Our U-Net and those of other libraries: each in the training step and the sampling loop of its own documentation.

All have the same levels, the same width at each, attention at the lowest, and no condition. Ours has one block more in
each level of its way down; they have a convolution at each change of side, a second block in the middle, and wider
ones on the way up. That comes to 1,141,121 weights for 28x28 against 1,124,833 (smalldiffusion) and 1,112,801
(diffusers). The channels of denoising-diffusion-pytorch are 7/8 of theirs, with a fifth head, for 1,142,737.

Where there is a choice, theirs is the faster one: no dropout, no moving average of the weights, the same fused AdamW,
images drawn as ours are. What ours does beside, average and clipping, stays in.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache, partial
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.data.images import ImageSet, load
from core.diffusion import training
from core.diffusion.denoiser import Denoiser
from core.models import images as image_model
from core.networks import make_network
from core.runs.distributed import Team

LEARNING = {"lr": 1e-3, "betas": (0.9, 0.99), "weight_decay": 0.0, "fused": True}


@dataclass(frozen=True)
class Task:
    """What all are given: a set of images, the batch, the network's width, and that of its levels as multiples."""

    data: str
    batch: int = 64
    width: int = 32
    multipliers: tuple[int, ...] = (1, 2, 2)
    device: str = "cpu"
    bf16: bool = False
    compiled: bool = False

    @property
    def images(self) -> ImageSet:
        """The images, without their classes."""
        return replace(_images(self.data), labels=None, classes=())

    @property
    def name(self) -> str:
        """The shape of an image and what is unusual in how they are computed with."""
        channels, side = self.images.images.shape[1:3]
        marks = [self.device] * (self.device != "cpu") + ["bf16"] * self.bf16 + ["compiled"] * self.compiled
        return ", ".join([f"{side}x{side}x{channels}", *marks])


_images = cache(load)


@dataclass(frozen=True)
class Contender:
    """A network in training: ``step`` makes one step; ``sample(n, calls)`` makes images of so many network calls."""

    net: nn.Module
    step: Callable[[], object]
    sample: Callable[[int, int], Tensor]


def ours(task: Task) -> Contender:
    """Our U-Net in our own loop: loss on eps, moving average, clipping; sampled with DDIM."""
    images, device = task.images, torch.device(task.device)
    channels, side = images.images.shape[1:3]
    sizes = {"side": side, "channels": channels, "width": task.width, "multipliers": task.multipliers, "blocks": 2}
    plan = image_model.ImageConfig(prediction="eps", batch=task.batch, warmup=0)
    state = training.new_state(Denoiser(make_network("unet", **sizes), plan.prediction, images.rms), plan.train)
    image_model.move(state, device)
    if task.compiled:
        state.model.net.compile()
    steps = image_model.run(plan, images, state, Team(device=device, bf16=task.bf16))

    def sample(n: int, calls: int) -> Tensor:
        with _precision(task):
            return image_model.sample(state.model, (channels, side, side), [None] * n, sampler="ddim", steps=calls)

    return Contender(state.model, partial(next, steps), sample)


def smalldiffusion(task: Task) -> Contender:
    """Its U-Net and training step as in its example of Fashion-MNIST; its ``samples`` with gam = 1, which is DDIM."""
    peer = library("smalldiffusion", "Unet")
    channels, side = task.images.images.shape[1:3]
    lowest = side // 2 ** (len(task.multipliers) - 1)
    sizes = {"ch": task.width, "ch_mult": task.multipliers, "num_res_blocks": 1, "attn_resolutions": (lowest,)}
    net = _prepared(peer.Scaled(peer.Unet)(side, channels, channels, dropout=0.0, **sizes), task)
    schedule = peer.ScheduleLogLinear(sigma_min=0.01, sigma_max=20, N=800)

    def loss(x0: Tensor) -> Tensor:
        x0, sigma, eps, _ = peer.generate_train_sample(x0, schedule)
        return net.get_loss(x0, sigma, eps)

    def sample(n: int, calls: int) -> Tensor:
        with _precision(task):
            noise = torch.randn(n, channels, side, side, device=task.device)
            sigmas = schedule.sample_sigmas(calls)
            *_, x = peer.samples(net, sigmas, gam=1.0, xt=noise * sigmas[0])
            return x

    return Contender(net, _step(net, loss, task), sample)


def diffusers(task: Task) -> Contender:
    """UNet2DModel with DDPMScheduler as in its tutorial, which clips the gradient; sampled with DDIMScheduler."""
    peer = library("diffusers", "UNet2DModel")
    channels, side = task.images.images.shape[1:3]
    levels = len(task.multipliers)
    net = peer.UNet2DModel(
        sample_size=side, in_channels=channels, out_channels=channels, layers_per_block=1,
        block_out_channels=[task.width * multiplier for multiplier in task.multipliers],
        down_block_types=["DownBlock2D"] * (levels - 1) + ["AttnDownBlock2D"],
        up_block_types=["AttnUpBlock2D"] + ["UpBlock2D"] * (levels - 1),
    )  # fmt: skip
    net, noising, sampling = _prepared(net, task), peer.DDPMScheduler(), peer.DDIMScheduler()

    def loss(x0: Tensor) -> Tensor:
        eps, t = torch.randn_like(x0), torch.randint(noising.config.num_train_timesteps, (len(x0),), device=x0.device)
        return F.mse_loss(net(noising.add_noise(x0, eps, t), t, return_dict=False)[0], eps)

    @torch.no_grad()
    def sample(n: int, calls: int) -> Tensor:
        x = torch.randn(n, channels, side, side, device=task.device)
        sampling.set_timesteps(calls)
        with _precision(task):
            for t in sampling.timesteps:
                x = sampling.step(net(x, t).sample, t, x).prev_sample
        return x

    return Contender(net, _step(net, loss, task, clip=1.0), sample)


def denoising_diffusion_pytorch(task: Task) -> Contender:
    """Its Unet in its GaussianDiffusion as in its readme; sampled with DDIM."""
    peer = library("denoising_diffusion_pytorch", "Unet")
    channels, side = task.images.images.shape[1:3]
    sizes = {"dim": task.width * 7 // 8, "attn_heads": 5, "attn_dim_head": task.width}
    net = _prepared(peer.Unet(dim_mults=task.multipliers, channels=channels, **sizes), task)

    def diffusion(calls: int | None = None) -> nn.Module:
        made = peer.GaussianDiffusion(
            net, image_size=side, objective="pred_noise", auto_normalize=False, sampling_timesteps=calls
        )
        return made.to(task.device)

    def sample(n: int, calls: int) -> Tensor:
        with _precision(task):
            return diffusion(calls).sample(batch_size=n)

    return Contender(net, _step(net, diffusion(), task), sample)


CONTENDERS: dict[str, Callable[[Task], Contender]] = {
    "ours": ours,
    "smalldiffusion": smalldiffusion,
    "diffusers": diffusers,
    "denoising-diffusion-pytorch": denoising_diffusion_pytorch,
}


class Missing(ImportError):
    """A peer that cannot be measured here, with the remedy."""


def library(name: str, needed: str) -> ModuleType:
    """A peer, and in it what is needed. Raises Missing."""
    try:
        # smalldiffusion names four transforms of torchvision when it is imported, and the bench uses none of them.
        with _instead_of_torchvision() if name == "smalldiffusion" else nullcontext():
            found = importlib.import_module(name)
        getattr(found, needed)  # diffusers imports what is asked for, when it is
        return found
    except Exception as error:
        remedy = "run `.venv/bin/pip install --no-deps -r tests/bench/requirements.txt`"
        if "torchvision" in str(error):
            remedy = "install the torchvision that was made for this torch"
        raise Missing(f"{name} does not import ({str(error).splitlines()[-1]}): {remedy}") from error


def on_the_processor():
    """What keeps smalldiffusion off a graphics card, where there is one."""
    return library("accelerate", "Accelerator").Accelerator(cpu=True)


@contextmanager
def _instead_of_torchvision() -> Iterator[None]:
    """Where torchvision does not import (it is absent, or made for another torch): empty transforms, for a while."""
    try:
        importlib.import_module("torchvision.transforms")
    except Exception:
        package, transforms = ModuleType("torchvision"), ModuleType("torchvision.transforms")
        for name in ("Compose", "RandomHorizontalFlip", "ToTensor", "Lambda"):
            setattr(transforms, name, lambda *_: None)
        package.transforms = transforms
        stand_in = {"torchvision": package, "torchvision.transforms": transforms}
        sys.modules |= stand_in
        try:
            yield
        finally:
            for name in stand_in:
                del sys.modules[name]
    else:
        yield


def _prepared(net: nn.Module, task: Task) -> nn.Module:
    net.to(task.device)
    if task.device != "cpu":
        net.to(memory_format=torch.channels_last)
    if task.compiled:
        net.compile()
    return net


def _step(
    net: nn.Module, loss: Callable[[Tensor], Tensor], task: Task, clip: float | None = None
) -> Callable[[], object]:
    images, optimizer, generator = task.images, torch.optim.AdamW(net.parameters(), **LEARNING), torch.Generator()

    def step() -> float:
        x0 = images.sample(task.batch, generator)[0].to(task.device)
        optimizer.zero_grad()
        with _precision(task):
            value = loss(x0)
        value.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        return value.item()

    return step


def _precision(task: Task):
    return torch.autocast(task.device, torch.bfloat16) if task.bf16 else nullcontext()
