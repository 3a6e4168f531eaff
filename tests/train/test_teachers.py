"""Every kind of teacher gives grids, pooled pictures and taxa as it says, and features are kept on disk."""

import os
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from PIL import Image
from strategies import taxonomies
from torch.nn.functional import normalize
from train_cases import classifier, clip, critters, open_clip_model, picture, shake, siglip
from transformers import AutoModelForImageClassification, Dinov2Config, Dinov2Model, ViTImageProcessorPil

from linnet.bank.bank import Bank
from linnet.data import read as read_images
from linnet.errors import LinnetError
from linnet.models.kinds import dual
from linnet.taxonomy import build, path_table
from linnet.taxonomy.distance import edge_distance
from linnet.train import samples, teacher_features
from linnet.train.teacher_features import features
from linnet.train.teachers import open_teacher, without_words
from linnet.train.teachers._taxa import mean_below
from linnet.train.teachers._view import View, random_crop
from linnet.train.teachers.shuffled import ring

IMAGES = [picture(seed, 50 + 5 * seed, 40) for seed in range(3)]
PRODUCTS = "tools saws hand-saw,tools saws band-saw,tools drills hammer-drill,food bread rye,food bread wheat"


@pytest.fixture(scope="module")
def products():
    rows = [row.split() for row in PRODUCTS.split(",")]
    return build(path_table(rows, ("department", "aisle", "product")))[0]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("teachers")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def photos(home) -> Bank:
    return samples.of_images(critters(home / "critters")).subset(np.arange(0, 28, 2))


def dinov2(folder):
    wide = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    torch.manual_seed(0)
    Dinov2Model(Dinov2Config(**wide, image_size=32, patch_size=8)).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(home):
    """A folder of each model, made once."""
    names = ["rye", "wheat loaf", "hand saw", "hammer drill"]
    return {
        "clip": clip(home / "clip"),
        "siglip": siglip(home / "siglip"),
        "open_clip": open_clip_model(home / "open_clip"),
        "dinov2": dinov2(home / "dinov2"),
        "classifier": classifier(home / "classifier", names),
    }


DUAL = ("clip", "siglip", "open_clip")


# ---- dual encoders ----


@pytest.mark.parametrize("name", DUAL)
def test_dual(folders, products, name):
    teacher = open_teacher({"kind": "dual", "model": str(folders[name])})
    grid, pooled = teacher.look(IMAGES)
    assert grid.shape == (3, 4, 4, 32)
    assert grid.dtype == pooled.dtype == torch.float32
    torch.testing.assert_close(teacher.patches(IMAGES), grid)
    torch.testing.assert_close(teacher.patches(IMAGES[:1])[0], grid[0], atol=1e-4, rtol=1e-4)
    words = teacher.words(products)
    assert words.shape == (len(products), pooled.shape[1])
    plain = dual.open(str(folders[name]), template="{name}", device="cpu").words(products)[0]
    torch.testing.assert_close(words, plain)
    assert teacher.sees
    assert not grid.requires_grad


def test_clips_tokens_are_those_behind_the_norm(folders):
    """The class token goes through the same norm and projection as patches do."""
    teacher = open_teacher({"kind": "dual", "model": str(folders["clip"])})
    tower = teacher.scorer.towers.model
    pixels = teacher.view.inputs(
        [teacher.view.load(image) for image in IMAGES], teacher.device, teacher.dtype
    )
    with torch.no_grad():
        hidden = tower.vision_model(**pixels).last_hidden_state
        normed = tower.vision_model.post_layernorm(hidden)
    torch.testing.assert_close(teacher.patches(IMAGES).flatten(1, 2), normed[:, 1:])
    pooled = tower.visual_projection(normed[:, 0])
    torch.testing.assert_close(teacher.pooled(IMAGES), pooled.detach())
    projected = open_teacher({"kind": "dual", "model": str(folders["clip"]), "tokens": "projected"})
    torch.testing.assert_close(
        projected.patches(IMAGES).flatten(1, 2), tower.visual_projection(normed[:, 1:]).detach()
    )


def test_siglips_tokens_are_normed_once(folders):
    teacher = open_teacher({"kind": "dual", "model": str(folders["siglip"])})
    vision = teacher.scorer.towers.model.vision_model
    pixels = teacher.view.inputs(
        [teacher.view.load(image) for image in IMAGES], teacher.device, teacher.dtype
    )
    with torch.no_grad():
        last = vision(**pixels).last_hidden_state
    torch.testing.assert_close(teacher.patches(IMAGES).flatten(1, 2), last)
    with pytest.raises(LinnetError, match="no projection that patch tokens could go through"):
        open_teacher({"kind": "dual", "model": str(folders["siglip"]), "tokens": "projected"}).patches(IMAGES)


def test_open_clips_tokens_are_its_own(folders):
    """The same tokens as open_clip gives with `output_tokens`, row by row."""
    teacher = open_teacher({"kind": "dual", "model": str(folders["open_clip"])})
    visual = teacher.scorer.towers.model.visual
    pixels = teacher.view.inputs(
        [teacher.view.load(image) for image in IMAGES], teacher.device, teacher.dtype
    )
    visual.output_tokens = True
    with torch.no_grad():
        pooled, tokens = visual(pixels["pixel_values"])
    visual.output_tokens = False
    torch.testing.assert_close(teacher.patches(IMAGES).flatten(1, 2), tokens)
    torch.testing.assert_close(teacher.pooled(IMAGES), pooled)
    projected = open_teacher({"kind": "dual", "model": str(folders["open_clip"]), "tokens": "projected"})
    torch.testing.assert_close(projected.patches(IMAGES).flatten(1, 2), (tokens @ visual.proj).detach())


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_other_tokens(folders, name):
    settings = {"kind": "dual", "model": str(folders[name])}
    last = open_teacher(settings).patches(IMAGES)
    before = open_teacher({**settings, "tokens": "penultimate"}).patches(IMAGES)
    assert before.shape == last.shape
    assert not torch.allclose(before, last, atol=1e-2)
    pooled = open_teacher({**settings, "tokens": "pooled"})
    grid, vector = pooled.look(IMAGES)
    torch.testing.assert_close(grid[:, 0, 0], vector)


def test_templates_change_the_words(folders, products):
    settings = {"kind": "dual", "model": str(folders["clip"])}
    bare, path = (open_teacher({**settings, **more}).words(products) for more in ({}, {"template": "{path}"}))
    top = products.at_level(0)
    torch.testing.assert_close(bare[top], path[top])
    assert not torch.allclose(bare[products.leaves], path[products.leaves], atol=1e-3)


# ---- what a teacher looks at ----


def test_the_whole_photo_is_seen(folders):
    """Left half black, right half white, twice as wide as high: the default view keeps both ends."""
    wide = Image.fromarray(np.repeat(np.repeat(np.uint8([[[0] * 3] * 8 + [[255] * 3] * 56]), 32, 0), 1, 1))
    scorer = dual.open(str(folders["clip"]), device="cpu")
    whole, own = (View(scorer.towers.preprocess, view) for view in ("whole", "own"))
    assert np.asarray(whole.load(wide))[:, 0].max() < 30
    assert np.asarray(own.load(wide))[:, 0].min() > 200
    assert whole.pixels == (32, 32)


def test_the_released_view_is_a_crop_of_the_photo_itself():
    image = picture(0, 256, 256)
    crop = random_crop(image)
    assert crop.tobytes() == random_crop(image.copy()).tobytes()
    assert 0.85 < crop.width * crop.height / 256**2 <= 1.01
    sizes = {random_crop(picture(seed, 256, 256)).size for seed in range(5)}
    assert len(sizes) > 1


# ---- vision only ----


def test_vision_words_are_class_means(folders, photos):
    teacher = open_teacher({"kind": "vision", "model": str(folders["dinov2"])}, photos)
    assert teacher.patches(IMAGES).shape == (3, 4, 4, 32)
    tree, words = photos.taxonomy, teacher.words(photos.taxonomy)
    seen = normalize(torch.from_numpy(features(teacher, photos).pooled).float(), dim=-1)
    seen = (seen - seen.mean(dim=0)).numpy()
    ends = photos.lineage.max(axis=1)
    leaf = {taxon: seen[ends == taxon].mean(axis=0) for taxon in np.unique(ends)}
    for taxon in range(len(tree)):
        below = [vector for end, vector in leaf.items() if taxon in tree.ancestors[end]]
        expected = np.mean(below, axis=0) / np.linalg.norm(np.mean(below, axis=0)) if below else np.zeros(32)
        np.testing.assert_allclose(words[taxon], expected, atol=1e-4)
    gone = [taxon for taxon in tree.leaves if taxon not in leaf]
    report = without_words(words, tree)
    assert report["n_without"] >= len(gone) > 0
    assert report["per_rank"][tree.level_names[-1]] == len(gone)


def test_vision_without_photos_has_no_words(folders, products, photos):
    for given_photos in (None, photos):
        teacher = open_teacher({"kind": "vision", "model": str(folders["dinov2"])}, given_photos)
        with pytest.raises(LinnetError, match="has no words: give it training photos"):
            teacher.words(products)


# ---- classifiers ----


def test_classifier_words_are_means_of_rows(folders, products):
    """'wheat loaf' names no taxon; no leaf of 'saws' but 'hand saw' is known."""
    teacher = open_teacher({"kind": "classifier", "model": str(folders["classifier"])})
    words = teacher.words(products)
    rows = AutoModelForImageClassification.from_pretrained(folders["classifier"]).classifier.weight.detach()
    rye, hand, drill = rows[0], rows[2], rows[3]
    expected = {
        "rye": rye,
        "bread": rye,
        "food": rye,
        "hand-saw": hand,
        "saws": hand,
        "hammer-drill": drill,
        "drills": drill,
        "tools": (hand + drill) / 2,
    }
    for taxon in range(len(products)):
        name = str(products.names[taxon])
        vector = normalize(expected[name], dim=0) if name in expected else torch.zeros(rows.shape[1])
        torch.testing.assert_close(words[taxon], vector, atol=1e-5, rtol=1e-4)
    report = without_words(words, products)
    assert report["per_rank"] == {"department": 0, "aisle": 0, "product": 2}
    assert report["without"] == ["tools > saws > band-saw", "food > bread > wheat"]


def test_classifier_cells_mean_to_its_logits(folders):
    teacher = open_teacher({"kind": "classifier", "model": str(folders["classifier"]), "view": "own"})
    head = teacher.head
    logits = teacher.pooled(IMAGES) @ head.weight.T + head.bias
    expected = teacher.scorer.class_logits(IMAGES)
    np.testing.assert_allclose(logits.detach().numpy(), expected, atol=1e-3)


def test_classifier_of_other_things(folders, t6):
    with pytest.raises(LinnetError, match="none of the 4 classes of teacher"):
        open_teacher({"kind": "classifier", "model": str(folders["classifier"])}).words(t6)


def test_the_real_bird_model(shared):
    table = str(shared / "data/cub100/bird_label_map.csv")
    settings = {"kind": "classifier", "model": str(shared / "models/bird-mobilenet-v2"), "labels": table}
    teacher = open_teacher(settings)
    images = read_images("metadata-csv", shared / "data/cub100").of_split("test")
    tree = images.taxonomy
    words = teacher.words(tree)
    assert without_words(words, tree)["per_rank"]["species"] == 14
    rows = np.linspace(0, len(images) - 1, 12).astype(int)
    grid, pooled = teacher.look([Image.open(images.root / images.image[row]).convert("RGB") for row in rows])
    assert grid.shape == (12, 7, 7, 1280)
    for level in (0, 3):  # 13 orders, 100 species
        taxa = tree.at_level(level)
        guess = taxa[(normalize(pooled, dim=1) @ words[taxa].T).argmax(dim=1).numpy()]
        assert (guess == images.lineage[rows, level]).mean() >= 0.5


# ---- the tree, and controls ----


@given(taxonomies())
def test_tree_cosines_fall_with_distance(tree):
    """Among taxa of one level and depth, the closer pair has the larger cosine."""
    words = open_teacher({"kind": "tree"}).words(tree).double().numpy()
    cosine = words @ words.T
    for level in range(tree.first_scored_level, tree.n_levels):
        taxa = tree.at_level(level)
        taxa = taxa[tree.depth[taxa] == tree.depth[taxa[0]]] if len(taxa) else taxa
        for one in taxa[:3]:
            far = edge_distance(tree, np.full(len(taxa), one), taxa)
            order = np.argsort(far, kind="stable")
            assert (np.diff(cosine[one, taxa][order]) <= 1e-6).all()
            known = cosine[one, taxa][order]
            assert ((np.diff(far[order]) > 0) <= (np.diff(known) < -1e-6)).all() or not words[one].any()


def test_a_wide_tree_keeps_its_cosines_roughly():
    rows = [[f"a{k // 50}", f"b{k // 10}", f"c{k}"] for k in range(300)]
    tree = build(path_table(rows))[0]
    exact, rough = (open_teacher({"kind": "tree", "width": width}).words(tree) for width in (1000, 256))
    assert (exact.shape[1], rough.shape[1]) == (len(tree), 256)
    assert float((exact @ exact.T - rough @ rough.T).abs().max()) < 0.35
    assert float((exact @ exact.T - rough @ rough.T).square().mean().sqrt()) < 0.08


def test_the_tree_sees_nothing(photos):
    teacher = open_teacher({"kind": "tree"})
    assert not teacher.sees
    with pytest.raises(LinnetError, match="sees no photos"):
        features(teacher, photos)


def test_random_vectors_stay(products):
    teacher, again, other = (open_teacher({"kind": "random", "seed": seed}) for seed in (0, 0, 1))
    grid, pooled = teacher.look(IMAGES)
    assert grid.shape == (3, 7, 7, 256)
    assert torch.equal(grid[1], again.patches(IMAGES[1:])[0])
    assert torch.equal(pooled, again.pooled(IMAGES))
    assert torch.equal(teacher.words(products), again.words(products))
    assert not torch.allclose(teacher.words(products), other.words(products))
    cosine = normalize(grid.flatten(0, 2), dim=1) @ normalize(grid.flatten(0, 2), dim=1).T
    assert float((cosine - torch.eye(len(cosine))).abs().mean()) < 0.1


def test_shuffled_gives_every_taxon_another_of_its_level(products, photos, folders):
    inner = {"kind": "vision", "model": str(folders["dinov2"])}
    teacher = open_teacher({"kind": "shuffled", "of": inner, "seed": 3}, photos)
    real = open_teacher(inner, photos)
    tree = photos.taxonomy
    words, wrong = real.words(tree), teacher.words(tree)
    for level in range(tree.n_levels):
        taxa = tree.at_level(level)
        if len(taxa) > 1:
            assert sorted(map(tuple, words[taxa].tolist())) == sorted(map(tuple, wrong[taxa].tolist()))
            known = taxa[words[taxa].any(dim=1).numpy()]
            assert len(known) == 1 or not any(torch.equal(words[t], wrong[t]) for t in known)
            assert torch.equal(words[taxa].any(dim=1), wrong[taxa].any(dim=1))
    one, other = features(real, photos), features(teacher, photos)
    assert all(not torch.equal(one.patches(row), other.patches(row)) for row in range(len(photos)))
    order = teacher.order(len(photos))
    assert all(torch.equal(one.patches(int(order[row])), other.patches(row)) for row in range(len(photos)))
    assert torch.equal(teacher.patches(IMAGES), real.patches(IMAGES))


@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_nothing_stays_in_a_ring(n):
    moved = ring(n, np.random.default_rng(n))
    assert sorted(moved) == list(range(n))
    assert n == 1 or (moved != np.arange(n)).all()


@given(taxonomies())
def test_means_below_equal_a_walk(tree):
    rng = np.random.default_rng(len(tree))
    own, has = rng.standard_normal((len(tree), 3)), rng.random(len(tree)) < 0.6
    found = mean_below(tree, own, has)
    for taxon in range(len(tree)):
        below = [own[other] for other in np.flatnonzero(has) if taxon in tree.ancestors[other]]
        mean = np.mean(below, axis=0) if below else np.zeros(3)
        np.testing.assert_allclose(found[taxon], mean / max(np.linalg.norm(mean), 1e-12), atol=1e-5)


# ---- errors ----


def test_bad_settings(folders):
    with pytest.raises(LinnetError, match=r"no kind; write kind: one of classifier, dual, random"):
        open_teacher({"model": "x"})
    with pytest.raises(LinnetError, match="unknown teacher 'duel'"):
        open_teacher({"kind": "duel"})
    with pytest.raises(
        LinnetError, match=r"unknown option 'token' in teacher kind 'dual'.*Did you mean 'tokens'"
    ):
        open_teacher({"kind": "dual", "token": "last"})
    with pytest.raises(LinnetError, match="teacher kind 'classifier' needs model"):
        open_teacher({"kind": "classifier"})
    with pytest.raises(LinnetError, match="unknown tokens 'lst'"):
        open_teacher({"kind": "dual", "model": str(folders["clip"]), "tokens": "lst"})
    with pytest.raises(LinnetError, match="unknown view 'hole'"):
        open_teacher({"kind": "dual", "model": str(folders["clip"]), "view": "hole"})


# ---- on disk ----


class Counting:
    """A random teacher that counts its photos, and stops after some as if it had been killed."""

    def __init__(self, stop=10**9):
        self.inner, self.stop, self.n, self.sees = open_teacher({"kind": "random", "width": 8}), stop, 0, True

    def describe(self):
        return self.inner.describe()

    def look(self, images):
        if self.n >= self.stop:
            raise KeyboardInterrupt
        self.n += len(images)
        return self.inner.look(images)


def test_features_are_computed_once_and_in_half_precision(photos, cache):
    teacher = Counting()
    found = features(teacher, photos, progress=False)
    again = features(teacher, photos, progress=False)
    assert teacher.n == len(photos) == len(found)
    assert isinstance(again.stored, np.memmap)
    assert again.stored.dtype == again.pooled.dtype == np.float16
    with Image.open(photos.image_path(5)) as image:
        exact = teacher.inner.patches([image.convert("RGB")])[0]
    torch.testing.assert_close(again.patches(5), exact, atol=2e-3, rtol=2e-3)
    assert (again.width, again.readable.all()) == (8, True)


def test_a_killed_run_goes_on(photos, monkeypatch):
    monkeypatch.setattr(teacher_features, "BATCH", 4)
    killed = Counting(stop=8)
    with pytest.raises(KeyboardInterrupt):
        features(killed, photos, progress=False)
    rest = Counting()
    found = features(rest, photos, progress=False)
    assert (killed.n, rest.n) == (8, len(photos) - 8)
    monkeypatch.setenv("LINNET_CACHE", os.environ["LINNET_CACHE"] + "-other")
    whole = features(Counting(), photos, progress=False)
    assert all(torch.equal(found.patches(row), whole.patches(row)) for row in range(len(photos)))


def test_files_that_are_not_whole_are_made_anew(photos, cache):
    features(Counting(), photos, progress=False)
    (folder,) = (cache / "teachers").iterdir()
    (folder / teacher_features.ABOUT).unlink()
    (folder / teacher_features.PATCHES).write_bytes(b"torn")
    again = Counting()
    features(again, photos, progress=False)
    assert again.n == len(photos)


def test_photos_and_weights_are_part_of_the_key(photos, folders, home):
    teacher = open_teacher({"kind": "dual", "model": str(folders["clip"])})
    key = teacher_features.key(teacher, photos)
    other_words = open_teacher({"kind": "dual", "model": str(folders["clip"]), "template": "{path}"})
    assert teacher_features.key(other_words, photos) == key
    assert teacher_features.key(teacher, photos.subset(np.arange(3))) != key
    own = open_teacher({"kind": "dual", "model": str(folders["clip"]), "view": "own"})
    assert teacher_features.key(own, photos) != key
    copy = shutil.copytree(folders["clip"], home / "moved" / "clip", dirs_exist_ok=True)
    scorer = dual.open(str(copy), device="cpu")
    assert teacher_features.key(open_teacher({"kind": "dual", "model": str(copy)}), photos) == key
    shake(scorer.towers.model).logit_scale.data.fill_(1.0)
    scorer.towers.model.save_pretrained(copy)
    assert teacher_features.key(open_teacher({"kind": "dual", "model": str(copy)}), photos) != key


def test_unreadable_photos_are_told(photos, home):
    root = shutil.copytree(photos.image_root, home / "broken")
    bank = Bank(**{**vars(photos), "image_root": root})
    bank.image_path(2).write_bytes(b"no picture")
    bank.image_path(4).unlink()
    found = features(Counting(), bank, progress=False)
    assert np.flatnonzero(~found.readable).tolist() == [2, 4]
    assert [one is None for one in found.seen([1, 2, 3])] == [False, True, False]


def test_numbers_too_large_for_half_precision(photos):
    class Huge(Counting):
        def look(self, images):
            return tuple(1e6 * part for part in super().look(images))

    with pytest.raises(LinnetError, match="no float16 numbers"):
        features(Huge(), photos, progress=False)


def test_a_disk_that_takes_nothing(photos, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "file"))
    with pytest.raises(LinnetError, match="cannot be kept"):
        features(Counting(), photos, progress=False)
