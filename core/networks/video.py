"""The network of the video model: the image U-Net frame by frame, with attention across time between its blocks.

So do Video LDM (Blattmann et al. 2023) and AnimateDiff (Guo et al. 2024), whose image networks are trained before. Here
the lower levels attend to the tokens of the caption as well. Attention across space and across time are apart: each may
be understood, and the latter switched off, by itself.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.networks.dit import positions
from core.networks.embeddings import Cond, TokenEmbedding
from core.networks.layers import (
    MAX_VECTOR,
    Attention,
    allocate,
    attention_heads,
    check,
    check_input,
    group_norm,
    to_image,
    to_tokens,
    zero,
)
from core.networks.unet import UNet, unet

MAX_FRAMES = 256
NEVER = -1e4  # log odds that are 0 as a probability
SAME = -4.0
"""The log odds that a pixel has the same colour in two frames, before they are compared (see ``PaletteDenoiser``).

It is not learned: training makes it smaller, because the frames of real clips agree, and only those of samples err.
"""


class TimeAttention(nn.Module):
    """Attention between the frames at each place, with a residual connection; zero before training."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm, self.attention = group_norm(channels), Attention(channels, attention_heads(channels))
        zero(self.attention.out)

    def forward(self, h: Tensor, frames: int, mask: Tensor | None) -> Tensor:
        """h [B T, C, H, W]; mask: which frames a frame may attend to, [B, 1, 1, T, T], None: all."""
        clips = self.norm(h).unflatten(0, (-1, frames))
        tokens = clips.permute(0, 3, 4, 1, 2).flatten(1, 2)  # [B, H W, T, C]
        tokens = tokens + positions(1, frames, like=tokens)
        places = tokens.shape[1]
        mask = None if mask is None else mask.expand(-1, places, -1, -1, -1).flatten(0, 1)
        found = self.attention(tokens.flatten(0, 1), mask=mask).unflatten(0, (-1, places))
        return h + found.unflatten(1, h.shape[2:]).permute(0, 3, 4, 1, 2).flatten(0, 1)


class TimeMixing(nn.Module):
    """A linear map, at each place, of a frame's features, those of the frames before and after it, and the mean over
    all frames; with a residual connection, and zero before training. It costs a third of a convolution across space."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm, self.mix = group_norm(channels), zero(nn.Conv2d(4 * channels, channels, 1))

    def forward(self, h: Tensor, frames: int, mask: Tensor | None) -> Tensor:
        """h [B T, C, H, W]; mask: see ``TimeAttention``; where it lets a frame attend to itself alone, the others are
        zero."""
        clips = self.norm(h).unflatten(0, (-1, frames))
        empty = torch.zeros_like(clips[:, :1])
        others = [torch.cat([empty, clips[:, :-1]], 1), torch.cat([clips[:, 1:], empty], 1),
                  clips.mean(1, keepdim=True).expand_as(clips)]  # fmt: skip
        if mask is not None:
            whole = mask[:, 0, 0].all((1, 2))[:, None, None, None, None]
            others = [torch.where(whole, each, 0) for each in others]
        return h + self.mix(torch.cat([clips, *others], 2).flatten(0, 1))


class TimeStem(nn.Module):
    """A convolution of the frames around each frame, and of the mean of all, to features of that frame; zero before
    training. Where frames agree, their mean has less noise than each of them."""

    OFFSETS = (-2, -1, 1, 2)

    def __init__(self, channels: int, features: int, patch: int):
        super().__init__()
        self.patch = patch
        around = len(self.OFFSETS) + 1
        self.convolve = zero(nn.Conv2d(around * channels * patch**2, features, 3, padding=1))

    def forward(self, x: Tensor, together: Tensor | None) -> Tensor:
        """Features [B T, features, H / patch, W / patch] of frames x [B, T, channels, H, W]; together [B]: where it is
        false they are zero. Before the first frame and after the last there are zeros."""
        most, frames = max(self.OFFSETS), x.shape[1]
        wide = torch.cat([torch.zeros_like(x[:, :most]), x, torch.zeros_like(x[:, :most])], 1)
        others = [wide[:, most + offset : most + offset + frames] for offset in self.OFFSETS]
        stacked = torch.cat([*others, x.mean(1, keepdim=True).expand_as(x)], 2).flatten(0, 1)
        found = self.convolve(F.pixel_unshuffle(stacked, self.patch).contiguous(memory_format=torch.channels_last))
        if together is None:
            return found
        return found * together.repeat_interleave(frames)[:, None, None, None].to(found.dtype)


class CaptionAttention(nn.Module):
    """Attention of the places of all frames to the tokens of the caption, with a residual connection; zero before
    training."""

    def __init__(self, channels: int, token: int):
        super().__init__()
        self.norm, self.attention = group_norm(channels), Attention(channels, attention_heads(channels))
        self.tokens = TokenEmbedding(token, channels)
        zero(self.attention.out)

    def forward(self, h: Tensor, frames: int, tokens: Tensor | None) -> Tensor:
        """h [B T, C, H, W]; tokens [B, N, token] or None."""
        memory, mask = self.tokens(tokens, len(h) // frames, places=0)
        places = to_tokens(self.norm(h)).unflatten(0, (-1, frames)).flatten(1, 2)  # [B, T H W, C]
        found = self.attention.to(places, memory, mask).unflatten(1, (frames, -1)).flatten(0, 1)
        return h + to_image(found, like=h)


class VideoUNet(nn.Module):
    """F(x[B, T, channels, H, W], c_noise[B], cond) -> the same shape; zero before training.

    The frames attend to each other, and to the caption, after each block below the top level; at the top level, where
    attention would cost most, neighbouring frames and the mean of all are mixed, and so are their pixels. cond holds
    "embed" [B, vector], the vector of the caption (a row of NaN: none), "tokens" [B, N, token] (a row of NaN: absent)
    and "apart" [B]: where it is 1, each frame is computed by itself, as an image would be. With colours, the answer
    ends with a channel of ``SAME``, or of ``NEVER`` where frames are apart. Initial weights follow from
    ``seed``. Raises Problem for more than ``layers.MAX_WEIGHTS`` weights, before anything is allocated.
    """

    def __init__(self, image: UNet, frames: int, token: int, seed: int):
        super().__init__()
        self.frames, self.image = frames, image
        blocks = [(str(k), level, block.conv2.out_channels) for k, (level, block) in enumerate(image.blocks())]
        with torch.device("meta"):
            self.stem = TimeStem(image.channels, image.stem.out_channels, image.patch)
            self.frame = zero(nn.Linear(64, image.conditioning.mix.in_features))
            self.time = nn.ModuleDict({k: (TimeAttention if level else TimeMixing)(c) for k, level, c in blocks})
            self.words = nn.ModuleDict({k: CaptionAttention(c, token) for k, level, c in blocks if level})
        allocate(nn.ModuleList([self.frame, self.time, self.words, self.stem]), seed)

    def forward(self, x: Tensor, c_noise: Tensor, cond: Cond | None = None) -> Tensor:
        check_input(x, (self.frames, self.image.channels, None, None))
        cond, frames = cond or {}, x.shape[1]
        apart, tokens = cond.get("apart"), cond.get("tokens")
        mask, around = _mask(apart, frames), self.stem(x, None if apart is None else apart != 1)

        def attend(h: Tensor, block: int) -> Tensor:
            h = self.time[str(block)](h, frames, mask)
            return self.words[str(block)](h, frames, tokens) if str(block) in self.words else h

        place = self.frame(positions(1, frames, like=x.new_empty(64)))  # [T, width]
        embedding = self.image.conditioning(c_noise, cond, place)
        answer = self.image.run(x.flatten(0, 1), embedding, attend, around).unflatten(0, (-1, frames))
        if self.image.colours is None:
            return answer
        same = answer.new_full(answer[:, :, :1].shape, SAME)
        if apart is not None:
            same = same.masked_fill((apart == 1)[:, None, None, None, None], NEVER)
        return torch.cat([answer, same], 2)


def _mask(apart: Tensor | None, frames: int) -> Tensor | None:
    """Which frames each may attend to, [B, 1, 1, T, T]; None for all."""
    if apart is None:
        return None
    itself = torch.eye(frames, dtype=torch.bool, device=apart.device)
    return (itself | (apart != 1)[:, None, None])[:, None, None]


def video_unet(
    side: int,
    channels: int = 3,
    frames: int = 8,
    vector: int = 128,
    token: int = 96,
    seed: int = 0,
    width: int = 64,
    multipliers: Sequence[int] = (1, 2, 4),
    blocks: int = 1,
    attention: int = 1,
    patch: int = 2,
    colours: int = 0,
) -> VideoUNet:
    """A U-Net for clips of so many ``frames`` of ``side`` by ``side`` pixels, conditioned on a caption: a ``vector`` of
    it and tokens of size ``token``. The other sizes are those of ``unet``. Raises Problem for sizes that are not
    possible, before anything is allocated."""
    check("frames", frames, 1, MAX_FRAMES)
    check("token", token, 1, MAX_VECTOR)
    check("vector", vector, 1, MAX_VECTOR)
    image = unet(side, channels, 0, vector, seed, width, multipliers, blocks, attention, patch, colours=colours)
    return VideoUNet(image, frames, token, seed)
