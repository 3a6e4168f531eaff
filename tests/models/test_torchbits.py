"""Where a model runs: devices by name, and memory that is kept."""

import platform
import resource

import pytest
import torch

from linnet.errors import LinnetError
from linnet.models.torchbits import device_of, dtype_of, keep_freed_memory

PAGE, SIZE, TIMES = 4096, 2**26, 6
WARM = 24  # glibc before 2.38 takes up to eight rounds to fit an aligned block into one that was freed


def faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep freed memory")
def test_on_a_cpu_freed_memory_is_taken_again_without_new_pages():
    assert device_of("cpu").type == "cpu"
    assert keep_freed_memory()
    for _ in range(WARM):
        torch.ones(SIZE, dtype=torch.uint8)
    before = faults()
    for _ in range(TIMES):
        torch.ones(SIZE, dtype=torch.uint8)
    assert faults() - before < 0.5 * TIMES * SIZE / PAGE  # 1.0 where each block is handed back


def test_settings_of_malloc_are_left_alone(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000000")
    assert not keep_freed_memory.__wrapped__()


def test_names_that_are_no_device_or_dtype_are_refused():
    with pytest.raises(LinnetError, match=r"device 'gpu7' cannot be used .* try auto, cpu or cuda"):
        device_of("gpu7")
    with pytest.raises(LinnetError, match="unknown dtype 'int3'"):
        dtype_of("int3")
