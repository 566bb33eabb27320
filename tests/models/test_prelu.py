import pytest
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call, jacfwd, jacrev, vmap

from smug.models.noise import complex_normal
from smug.models.prelu import PReLU


@pytest.fixture
def x(device):
    """Features with zeros among them, in channels_last."""
    values = complex_normal(torch.tensor(0), (2, 3, 5, 4), torch.complex128, device).real
    values[0, 0, 0] = 0
    return values.contiguous(memory_format=torch.channels_last)


def both(device, slope, dtype):
    """Ours and torch's, with the same slope."""
    for layer in (PReLU(), nn.PReLU()):
        nn.init.constant_(layer.weight, slope)
        yield layer.to(device, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("slope", [0.25, 0.0, -0.3, 0.7, 1.0, 2.0])
def test_it_is_torchs(x, device, slope, dtype):
    results = []
    for layer in both(device, slope, dtype):
        inside = x.to(dtype).requires_grad_()
        y = layer(inside)
        (y * y.detach().cos()).sum().backward()
        results.append((y, inside.grad, layer.weight.grad))
    (y, of_x, of_slope), (expected, *gradients) = results
    assert torch.equal(y, expected)
    torch.testing.assert_close((of_x, of_slope), tuple(gradients))
    assert (of_x.dtype, of_slope.dtype, of_slope.shape) == (dtype, dtype, (1,))


def test_derivatives_of_first_and_second_order(device):
    layer, x = PReLU().to(device, torch.float64), torch.linspace(-1, 1, 6, dtype=torch.float64, device=device)
    arguments = (x.requires_grad_(), torch.tensor([0.3], dtype=torch.float64, device=device, requires_grad=True))

    def call(x, slope):
        return functional_call(layer, {"weight": slope}, (x,)) ** 3

    assert gradcheck(call, arguments)
    assert gradgradcheck(call, arguments)


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # torch's, in its forward mode
def test_function_transforms(x, device):
    ours, torchs = both(device, 0.25, torch.float64)
    small = x[0, :, 1].contiguous()  # without zeros, where torch's forward mode takes the other side
    for jacobian in (jacrev, jacfwd):
        torch.testing.assert_close(jacobian(ours)(small), jacobian(torchs)(small))
    assert torch.equal(vmap(ours)(x), torchs(x))


def test_weights_are_torchs():
    layer = PReLU()
    layer.load_state_dict({"weight": torch.tensor([0.5])})
    assert nn.PReLU().state_dict() == PReLU().state_dict() == {"weight": torch.tensor([0.25])}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_under_autocast(x, device, dtype):
    layer = PReLU().to(device)
    inside = x.to(dtype).requires_grad_()
    with torch.autocast(device.type, torch.bfloat16):
        y = layer(inside)
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert inside.grad.dtype == dtype and layer.weight.grad.dtype == torch.float32
    torch.testing.assert_close(inside.grad.float(), torch.where(inside > 0, 1.0, 0.25))
    torch.testing.assert_close(layer.weight.grad.item(), float(x.clamp(max=0).sum()), rtol=2e-2, atol=0)


def test_what_is_not_finite_shows(device):
    inside = torch.tensor([float("nan"), 1.0, -float("inf")], device=device, requires_grad=True)
    y = PReLU().to(device)(inside)
    y.sum().backward()
    assert y.isnan().tolist() == [True, False, False]
    assert inside.grad.isfinite().tolist()[1:] == [True, True]


def test_compiled_in_one_graph(x, device):
    """A break of the graph at every activation would undo what compilation gains."""
    layer = PReLU().to(device, torch.float64)
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    assert torch.equal(compiled(x), layer(x))
