"""A recipe's `train` section in the words of transformers' Trainer."""

import pytest
import torch

from linnet.errors import LinnetError
from linnet.train.arguments import training_arguments
from linnet.train.dual_recipe import Train


@pytest.mark.skipif(torch.accelerator.is_available(), reason="is about machines without an accelerator")
def test_published_precision_trains_without_an_accelerator(tmp_path):
    told = training_arguments(Train(precision="bf16"), tmp_path, "auto", validates=False)
    assert told.bf16
    assert told.device == torch.device("cpu")


def test_devices_that_are_none(tmp_path):
    with pytest.raises(LinnetError, match="device"):
        training_arguments(Train(), tmp_path, "gpu", validates=False)
