"""Networks F(c_in x, c_noise, cond): what a ``Denoiser`` wraps. They see no sigma and no preconditioning."""

from core.networks.mlp import NETWORKS, make_network

__all__ = ["NETWORKS", "make_network"]
