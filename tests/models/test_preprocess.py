import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import (
    CLIPImageProcessorPil,
    ConvNextImageProcessorPil,
    MobileNetV2ImageProcessorPil,
    SiglipImageProcessorPil,
    ViTImageProcessorPil,
)

from linnet.models.preprocess import Fast, Slow, of_processor, of_transforms, same

HERE = torch.device("cpu"), torch.float32
PROCESSORS = {
    "squash": MobileNetV2ImageProcessorPil(
        size={"height": 48, "width": 40}, do_center_crop=False, resample=3
    ),
    "resize and crop": CLIPImageProcessorPil(
        size={"shortest_edge": 48}, crop_size={"height": 40, "width": 40}
    ),
    "siglip": SiglipImageProcessorPil(size={"height": 32, "width": 32}),
    "no mean": ViTImageProcessorPil(size={"height": 32, "width": 32}, do_normalize=False),
}


@pytest.mark.parametrize("name", PROCESSORS)
@given(width=st.integers(8, 90), height=st.integers(8, 90), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_the_fast_path_gives_the_processors_bits(name: str, width: int, height: int, seed: int) -> None:
    fast = of_processor(PROCESSORS[name])
    assert isinstance(fast, Fast)
    slow = Slow(lambda image: PROCESSORS[name](images=image, return_tensors="pt"))
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    image = Image.fromarray(noise)
    assert same(fast.collate([fast.load(image)], *HERE), slow.collate([slow.load(image)], *HERE))


def test_batches_are_their_items() -> None:
    fast = of_processor(PROCESSORS["squash"])
    images = [Image.effect_noise((30 + k, 50), 80).convert("RGB") for k in range(3)]
    batch = fast.collate([fast.load(image) for image in images], *HERE)["pixel_values"]
    assert batch.shape == (3, 3, 48, 40)
    for image, row in zip(images, batch, strict=True):
        assert torch.equal(row, fast.collate([fast.load(image)], *HERE)["pixel_values"][0])


def test_a_processor_with_steps_of_its_own_stays() -> None:
    # ConvNeXt resizes to size / crop_pct and crops, which its settings do not show as others do.
    processor = ConvNextImageProcessorPil(size={"shortest_edge": 64}, crop_pct=0.875)
    kept = of_processor(processor)
    assert isinstance(kept, Slow)
    image = Image.effect_noise((90, 70), 80).convert("RGB")
    inputs = kept.collate([kept.load(image), kept.load(image)], torch.device("cpu"), torch.bfloat16)
    expected = processor(images=[image, image], return_tensors="pt")["pixel_values"]
    assert torch.equal(inputs["pixel_values"], expected.bfloat16())


@pytest.mark.parametrize("mode", ["shortest", "squash", "longest"])
def test_open_clip_pipelines(mode: str) -> None:
    open_clip = pytest.importorskip("open_clip")
    transform = open_clip.image_transform(32, is_train=False, resize_mode=mode, mean=(0.4, 0.5, 0.6))
    fast = of_transforms(transform.transforms)
    assert isinstance(fast, Fast)
    image = Image.effect_noise((61, 47), 80).convert("RGB")
    assert torch.equal(fast.collate([fast.load(image)], *HERE)["pixel_values"][0], transform(image))
