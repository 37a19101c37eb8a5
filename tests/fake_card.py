"""A pretended graphics card: tensors on it are computed on the CPU, but must not meet tensors of the CPU.

Inside ``FakeCard()`` the device "lazy", which PyTorch knows and does not use here, behaves like a card: an operation on
tensors of two devices fails, as does reading the memory of a tensor that is on the card.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import optimizer
from torch.utils._python_dispatch import TorchDispatchMode

from core.runs import distributed

CARD = torch.device("lazy", 0)


class CardTensor(Tensor):
    """A tensor that says that it is on the card; ``inner`` holds its values on the CPU."""

    @staticmethod
    def __new__(cls, inner: Tensor) -> "CardTensor":
        """The tensor with these values."""
        tensor = Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype,
            device=CARD,
        )  # fmt: skip
        tensor.inner = inner
        return tensor

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Compute on the card, also where the mode is not active."""
        return compute(function, args, kwargs or {})

    def tolist(self) -> Any:
        """The values, as a real card copies them to the CPU; PyTorch refuses that for tensors of a subclass."""
        return self.inner.tolist()

    def __repr__(self) -> str:
        return f"CardTensor({self.inner!r})"


class FakeCard(TorchDispatchMode):
    """While it is active, tensors can be made on the card and moved to and from it."""

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Compute where the tensors are."""
        return compute(function, args, kwargs or {})


MOVES = torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default


def compute(function: Any, args: tuple, kwargs: dict) -> Any:
    """Run an operation on the CPU; its results are on the device of its arguments or on the one that it asks for."""
    devices, mutated = set(), {}

    def unwrap(value: Any) -> Any:
        if isinstance(value, CardTensor):
            devices.add("card")
            mutated[id(value.inner)] = value
            return value.inner
        if isinstance(value, Tensor) and value.dim() > 0:  # a single number may come from anywhere
            devices.add("CPU")
        return value

    device = kwargs.get("device")
    plain, named = _each(unwrap, args), {name: _each(unwrap, value) for name, value in kwargs.items()}
    if len(devices) > 1 and function not in MOVES:
        raise RuntimeError(f"{function} with tensors on the card and on the CPU")
    on_card = "card" in devices
    if device is not None:
        on_card = torch.device(device).type == CARD.type
        named["device"] = torch.device("cpu") if on_card else device
    result = function(*plain, **named)

    def wrap(value: Any) -> Any:
        if isinstance(value, Tensor) and not isinstance(value, CardTensor) and on_card:
            return mutated.get(id(value)) if id(value) in mutated else CardTensor(value)
        return value

    if function is torch.ops.aten.copy_.default:
        return args[0]
    return _each(wrap, result)


def _each(change: Callable[[Any], Any], value: Any) -> Any:
    """A value, or each of those in its lists and tuples, changed. PyTorch's ``tree_map`` takes ten times as long."""
    return type(value)(_each(change, one) for one in value) if type(value) in (list, tuple) else change(value)


_ON_CPU = torch.tensor


def _tensor(data: Any, *, device: torch.device | str | None = None, **options: Any) -> Tensor:
    """``torch.tensor``, whose own way to a device goes round the mode."""
    tensor = _ON_CPU(data, **options)
    return tensor if device is None else tensor.to(device)


@pytest.fixture
def card(monkeypatch):
    """Everything that asks for the device of this process gets the pretended card."""
    name = "_get_fused_kernels_supported_devices"
    supported = [*getattr(optimizer, name)(), CARD.type]
    monkeypatch.setattr(optimizer, name, lambda: supported)
    monkeypatch.setattr(torch, "tensor", _tensor)
    monkeypatch.setattr(distributed, "device", lambda: CARD)
    torch.__future__.set_swap_module_params_on_conversion(True)
    with FakeCard():
        yield CARD
    torch.__future__.set_swap_module_params_on_conversion(False)
