"""Oxford-IIIT Pet as published: breeds below cat and dog."""

import pytest
from layout_folders import lay, told

from linnet.data.layouts import pets
from linnet.errors import LinnetError

LISTS = {
    "annotations/trainval.txt": "Egyptian_Mau_100 11 1 5\namerican_pit_bull_terrier_7 2 2 1\n",
    "annotations/test.txt": "# a comment\namerican_pit_bull_terrier_8 2 2 1\n",
}


def test_two_ranks_and_breeds_capitalised_alike(tmp_path):
    images = pets.read(lay(tmp_path, LISTS))
    assert images.taxonomy.ranks == ("animal", "breed")
    assert told(images) == [
        ("images/Egyptian_Mau_100.jpg", "train", "cat > Egyptian Mau"),
        ("images/american_pit_bull_terrier_7.jpg", "train", "dog > American Pit Bull Terrier"),
        ("images/american_pit_bull_terrier_8.jpg", "test", "dog > American Pit Bull Terrier"),
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"images/a.jpg": ""},
            "'{root}' is no Oxford-IIIT Pet folder: expected annotations/trainval.txt, annotations/test.txt; "
            "annotations/trainval.txt, annotations/test.txt not there; found images/",
        ),
        (
            LISTS | {"annotations/test.txt": "Egyptian_Mau_1 11 1 5\npug_2 26 3 1\n"},
            "line 2 of annotations/test.txt is 'pug_2 26 3 1'; "
            "expected name, class, 1 (cat) or 2 (dog), breed",
        ),
    ],
)
def test_what_does_not_fit(tmp_path, files, message):
    with pytest.raises(LinnetError) as error:
        pets.read(lay(tmp_path, files))
    assert str(error.value) == message.format(root=tmp_path)
