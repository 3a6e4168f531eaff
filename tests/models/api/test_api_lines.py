"""A served model names all ranks of a photo in one request, and what it does not answer is missing."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scripted import completion

from linnet.errors import LinnetError
from linnet.models.base import State
from linnet.models.open import open_scorer

ROWS = np.arange(2)


def says(handler, body):
    handler.json(200, completion("Rank1: nothing\nrank2: Unknown"))


@pytest.fixture
def ranked(small_bank):
    tree = replace(small_bank.taxonomy, ranks=("rank1", "rank2", "rank3"))
    return replace(small_bank, taxonomy=tree)


def test_one_request_a_photo_then_the_cache(serve, ranked):
    server = serve(says)
    scorer = open_scorer(f"api:tiny@{server.url}", protocol="terraincognita")
    assert "Rank3: <name or Unknown>" in scorer.prepare(ranked)["system"]
    asked = len(server.asked)
    items = [scorer.load(Image.new("RGB", (8, 8), (k, 0, 0))) for k in range(2)]
    found = scorer.score(items, ROWS)
    assert len(server.asked) == asked + 2
    assert server.asked[-1][1]["max_tokens"] == 96
    assert found.state[0].tolist() == [State.INVALID, State.ABSTAINED, State.UNPARSED]
    assert found.text[0] == ["Rank1: nothing\nrank2: Unknown", "", ""]
    scorer.score(items, ROWS)
    assert len(server.asked) == asked + 2
    assert scorer.describe()["protocol"] == "terraincognita"


def test_a_taxonomy_without_rank_names_is_refused(serve, small_bank):
    scorer = open_scorer(f"api:tiny@{serve(says).url}", protocol="terraincognita")
    bare = replace(small_bank, taxonomy=replace(small_bank.taxonomy, ranks=None))
    with pytest.raises(LinnetError, match="asks for ranks by name"):
        scorer.prepare(bare)
