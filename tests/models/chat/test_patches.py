"""One product in place of a convolution over single patches gives the same, and changes nothing else."""

import copy

import pytest
import torch
from torch import nn

from linnet.models.chat.patches import PatchEmbedding, embed_by_product


def convolution(**options) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(3, 8, (2, 4, 4), stride=(2, 4, 4), **options))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 3, 2, 4, 4), (2, 3, 4, 8, 8)])
def test_the_same_as_the_convolution(bias, shape):
    before, patches = convolution(bias=bias), torch.randn(shape)
    after = copy.deepcopy(before)
    embed_by_product(after)
    assert type(after[0]) is PatchEmbedding
    expected = before(patches)
    assert after(patches).shape == expected.shape
    torch.testing.assert_close(after(patches), expected, atol=1e-5, rtol=0)


def test_weights_keep_their_names_and_gradients():
    before = convolution()
    after = copy.deepcopy(before)
    embed_by_product(after)
    assert list(after.state_dict()) == list(before.state_dict())
    patches = torch.randn(5, 3, 2, 4, 4)
    for model in (before, after):
        model(patches).square().sum().backward()
    torch.testing.assert_close(after[0].weight.grad, before[0].weight.grad, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("options", [{"padding": 1}, {"groups": 1, "padding": "same", "stride": 1}])
def test_other_convolutions_stay(options):
    model = nn.Sequential(nn.Conv3d(3, 6, 3, **options))
    embed_by_product(model)
    assert type(model[0]) is nn.Conv3d


def test_grouped_convolutions_stay():
    model = nn.Sequential(nn.Conv3d(4, 8, 2, groups=2))
    embed_by_product(model)
    assert type(model[0]) is nn.Conv3d


def test_opened_models_have_it(opened):
    for family in ("qwen2_5_vl", "qwen3_vl"):
        assert isinstance(opened(family).handles.vision.patch_embed.proj, PatchEmbedding)
