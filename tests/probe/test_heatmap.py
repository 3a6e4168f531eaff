"""The heat map is read by lightness alone, and shows a word where there is no figure."""

import numpy as np
from PIL import Image

from linnet.probe import heatmap
from linnet.probe.kept import Kept

# Viénot, Brettel and Mollon 1999: what is left of linear RGB without red (protan) or green (deutan) cones.
PROTAN = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
DEUTAN = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])


def test_lightness_rises_with_the_share():
    light = [heatmap.lightness(heatmap.colour(share)) for share in np.linspace(0, 1, 101)]
    assert (np.diff(light) > 0).all()
    assert light[0] < 0.02
    assert light[-1] > 0.7


def test_steps_stay_apart_without_red_or_green_cones():
    colours = np.array([heatmap.colour(share) for share in np.linspace(0, 1, 6)]) / 255
    for cones in (PROTAN, DEUTAN):
        seen = (np.clip((colours**2.2) @ cones.T, 0, 1)) ** (1 / 2.2)
        assert np.linalg.norm(np.diff(seen, axis=0), axis=1).min() > 0.12


def test_a_cell_has_the_colour_of_its_share(tmp_path):
    values = [[0.0, 1.0], [None, 0.5]]
    words = [["0.0", "100.0"], ["trivial", "50.0"]]
    heatmap.draw(tmp_path / "heat.png", ["vision.0", "answer.1"], ["order", "species"], values, words, "x")
    image = Image.open(tmp_path / "heat.png").convert("RGB")
    found = {image.getpixel((x, y)) for x in range(image.width) for y in range(0, image.height, 3)}
    assert {heatmap.colour(0.0), heatmap.colour(0.5), heatmap.BLANK} <= found
    corners = [
        image.getpixel((image.width - heatmap.GAP - heatmap.CELL + 3, 4 * heatmap.GAP + 2 * heatmap.SIZE + 2))
    ]
    assert corners == [heatmap.colour(1.0)]


def test_results_are_kept_and_a_torn_line_does_not_count(tmp_path):
    calls = []

    def make():
        calls.append(1)
        return {"a": (1, 2)}

    path = tmp_path / "kept.jsonl"
    assert Kept(path).once(["x", 1], make) == {"a": [1, 2]}
    assert Kept(path).once(["x", 1], make) == {"a": [1, 2]}
    with path.open("a") as file:
        file.write('["[\\"y\\"]", {"b"')
    again = Kept(path)
    assert again.once(["x", 1], make) == {"a": [1, 2]}
    again.once(["y"], make)
    assert len(Kept(path).found) == 2
    assert len(calls) == 2
