"""What a bank says of its samples, against plain loops."""

from dataclasses import replace

import numpy as np
from bank_cases import skewed
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from linnet.bank.make import make

BANK = make(skewed(5), "random")


@given(arrays(np.int32, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=st.integers(-1, 3)))
def test_the_leaf_level_is_that_of_the_last_taxon_gaps_or_not(lineage):
    lineage = lineage[(lineage >= 0).any(axis=1)]
    found = replace(BANK, lineage=lineage).leaf_level
    assert found.tolist() == [max(k for k, taxon in enumerate(row) if taxon >= 0) for row in lineage]
