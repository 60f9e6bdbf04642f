"""What a network does while it runs: which of torch's functions it calls, where, and with what."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

COUNT = 37  # images: no layer has that many channels, so a shape (37, ...) is one of images
NUM_CLASSES = 10
NOISE = 0.05  # added to every parameter, so that one which starts at 0 takes part as well
ROUNDING = 1e-4  # share of the largest value by which results may differ and be the same
CONVOLUTIONS = {"conv1d", "conv2d"}
MATRIX_PRODUCTS = {"linear", "matmul", "mm", "addmm", "einsum"}
SIGMOIDS = {"sigmoid", "sigmoid_", "special_expit"}


def draw_images() -> Tensor:
    """Return blurred blots (37, 1, 28, 28) from 0 to 1, as different from each other as digits."""
    blots = torch.rand(COUNT, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    return F.interpolate(blots.square(), size=(28, 28), mode="bilinear")


IMAGES = draw_images()


class Call(NamedTuple):
    """A call of one of torch's functions, made by a layer or by hand."""

    function: str  # "conv2d" for nn.Conv2d and F.conv2d alike
    place: str  # the layer that made it, such as "features.3", or else "forward()"
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Tensor
    value: Tensor  # copy of the result, which a later call may change in place

    def argument(self, position: int, *names: str) -> Any:
        """Return the argument that has one of these names, or else this position."""
        named = [self.kwargs[name] for name in names if name in self.kwargs]
        return named[0] if named else self.args[position]

    def given(self) -> list[Tensor]:
        """Return the tensors among the arguments."""
        return tensors_in([self.args, self.kwargs])


class Outsider(NamedTuple):
    """A tensor that takes part in a run, and is neither registered nor computed from another."""

    tensor: Tensor
    is_weight: bool  # it wants a gradient, as only weights do
    place: str  # where it is used first


class Run(NamedTuple):
    """A pass of all `IMAGES` through a network."""

    scores: Tensor
    calls: list[Call]  # those that the scores depend on, in their order
    outsiders: list[Outsider]
    layers: set[str]  # names of those that ran
    untrained: list[str]  # names of the parameters that get no gradient, or only zeros


class Network:
    """A network, and how it ran in training mode and in evaluation mode."""

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        torch.manual_seed(0)
        self.module = make()
        self.evaluate(IMAGES)  # layers such as nn.LazyLinear take their shapes
        with torch.no_grad():
            for parameter in self.module.parameters():
                parameter += NOISE * torch.randn_like(parameter)
        self.training = watch(self.module.train())
        self.evaluation = watch(self.module.eval())

    def evaluate(self, images: Tensor) -> Tensor:
        """Return the scores of `images` (N, 1, 28, 28) in evaluation mode."""
        with torch.no_grad():
            return self.module.eval()(images.clone())


def watch(module: nn.Module) -> Run:
    """Return how `module` runs on `IMAGES` in the mode that it is in.

    Raises AssertionError if it does not return a tensor that can be trained.
    """
    # All that is computed from images with gradients has gradients: that tells it from constants.
    images = IMAGES.clone().requires_grad_().clone()
    watcher = Watcher(module)
    with watcher, watcher.following_layers():
        scores = module(images)
    kind = type(scores).__name__
    assert kind == "Tensor", f"forward() must return a tensor of scores, and returns a {kind}"
    assert scores.requires_grad, "the scores must have gradients, and are cut off from the weights"
    trainable = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    loss = (scores * torch.randn_like(scores)).sum()
    of_parameters = gradients(loss, [parameter for _, parameter in trainable])
    calls = [call for call in watcher.calls if call.result.requires_grad]
    of_calls = gradients(loss, [call.result for call in calls])
    return Run(
        scores=scores,
        calls=[call for call, g in zip(calls, of_calls, strict=True) if g is not None],
        outsiders=watcher.outsiders,
        layers=watcher.layers,
        untrained=[
            name
            for (name, _), g in zip(trainable, of_parameters, strict=True)
            if g is None or not g.any()
        ],
    )


def gradients(loss: Tensor, tensors: list[Tensor]) -> list[Tensor | None]:
    """Return the gradient of `loss` with respect to each tensor, None if it does not matter."""
    if not tensors:
        return []
    return list(torch.autograd.grad(loss, tensors, allow_unused=True, retain_graph=True))


class Watcher(TorchFunctionMode):
    """Sees every call of torch's functions while a network runs."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.outsiders: list[Outsider] = []
        self.layers: set[str] = set()
        self.places = ["forward()"]  # the layers that are running, the innermost last
        self.names = {layer: name or "forward()" for name, layer in module.named_modules()}
        self.known = {id(tensor) for tensor in [*module.parameters(), *module.buffers()]}
        self.owners = {
            id(parameter): name
            for name, layer in module.named_modules()
            for parameter in layer.parameters(recurse=False)
        }

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        place = self.places[-1]
        given = tensors_in([args, kwargs])
        for tensor in given:
            if id(tensor) in self.owners:  # F.conv2d(images, self.conv.weight) runs self.conv
                self.layers.add(self.owners[id(tensor)])
            elif tensor.is_leaf and id(tensor) not in self.known:
                self.known.add(id(tensor))
                self.outsiders.append(Outsider(tensor, tensor.requires_grad, place))
        result = function(*args, **kwargs)
        for tensor in tensors_in(result):
            # torch.zeros(N, 64) is made of a single number, torch.tensor([...]) of all of them.
            if given or len(tensor.unique()) == 1:
                self.known.add(id(tensor))
            value = tensor.detach().clone()
            self.calls.append(Call(function.__name__, place, args, kwargs, tensor, value))
        return result

    @contextmanager
    def following_layers(self) -> Iterator[None]:
        """Keep `places` up to date; layers in a plain list, which have no name, have one there."""

        def enter(layer: nn.Module, _: object) -> None:
            name = self.names.get(layer, f"an unregistered {type(layer).__name__}")
            self.places.append(name)
            self.layers.add(name)

        def leave(*_: object) -> None:
            self.places.pop()

        hooks = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def tensors_in(value: Any) -> list[Tensor]:
    """Return the tensors in `value`, however deep in lists, tuples and dictionaries."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in tensors_in(item)]
    return []


def is_same(values: Tensor, others: Tensor) -> bool:
    """Whether the two have one shape and, but for rounding, the same values."""
    if values.shape != others.shape:
        return False
    largest = others.abs().max()
    return bool(((values - others).abs() <= ROUNDING * largest).all())


def is_row(tensor: Tensor) -> bool:
    """Whether `tensor` has a row of numbers for each image: (37, K), (37, K, 1, 1) and the like."""
    sizes = tensor.shape[1:]
    return tensor.shape[:1] == (COUNT,) and sizes.numel() == max(sizes, default=0)


def is_fully_connected(call: Call) -> bool:
    """Whether `call` computes each of its numbers from all that there is of an image."""
    if call.function in CONVOLUTIONS:
        maps = call.argument(0, "input")
        filters = call.argument(1, "weight")
        return bool(filters.shape[2:] == maps.shape[2:])
    return call.function in MATRIX_PRODUCTS and any(map(is_row, call.given()))


def averages_maps(calls: list[Call]) -> bool:
    """Whether a result is the average of all pixels of each channel of an earlier result."""
    averages: list[Tensor] = []
    for call in calls:
        value = call.value
        if is_row(value) and any(is_same(value.flatten(1), average) for average in averages):
            return True
        if value.shape[:1] == (COUNT,) and value.dim() > 2 and value[0, 0].numel() > 1:
            averages.append(value.flatten(2).mean(2))
    return False


def gives_probabilities(call: Call, run: Run) -> bool:
    """Whether the scores are probabilities that `call` returns, or such times a constant, plus one.

    log() of probabilities, and a product with something else, depend on them at another rate in
    each image. Constants do so at the same.
    """
    value = call.value
    if call.function in SIGMOIDS and value.dim() > 1:
        return is_same(value.flatten(1), run.scores.detach().flatten(1))
    if value.dim() < 2 or value.shape[:2] != (COUNT, NUM_CLASSES):
        return False
    sums = value.sum(1)
    if (value < 0).any() or not is_same(sums, sums[:1].expand_as(sums)):
        return False
    weights = torch.randn(run.scores.shape[1:])
    (rates,) = torch.autograd.grad((run.scores * weights).sum(), call.result, retain_graph=True)
    return is_same(rates, rates[:1].expand_as(rates))
