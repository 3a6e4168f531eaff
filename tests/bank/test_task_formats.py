"""Exported tasks: the functions they name do what the harness expects of them, without Linnet."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml
from bank_cases import birds, skewed

from linnet import discover
from linnet.bank import NONE, blind
from linnet.bank.audit import audit
from linnet.bank.formats import lm_eval, lmms_eval
from linnet.bank.make import make
from linnet.errors import LinnetError


class Loader(yaml.SafeLoader):
    """Reads `!function utils.name` as its name, the way the harnesses do."""


Loader.add_constructor("!function", lambda loader, node: f"function {loader.construct_scalar(node)}")


def functions(folder: Path) -> ModuleType:
    """utils.py of a task folder, loaded from its path."""
    spec = spec_from_file_location("utils", folder / "utils.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def task(folder: Path) -> tuple[dict, list[dict]]:
    """The YAML and the documents of a task folder."""
    settings = yaml.load(next(folder.glob("*.yaml")).read_text(), Loader)
    data = settings["dataset_kwargs"]["data_files"]["test"]
    return settings, [json.loads(line) for line in Path(data).read_text("utf-8").splitlines()]


def named_functions(value) -> list[str]:
    """Names behind every `!function` of a YAML."""
    if isinstance(value, dict):
        return [name for part in value.values() for name in named_functions(part)]
    if isinstance(value, list):
        return [name for part in value for name in named_functions(part)]
    return [value.removeprefix("function utils.")] if str(value).startswith("function utils.") else []


@pytest.fixture(scope="module")
def bird_bank(shared):
    return make(birds(shared), "balanced").subset(np.arange(0, 2903, 60))


def test_formats_are_found_by_file_name():
    assert discover.names("linnet.bank.formats") == ["datasets", "lm-eval", "lmms-eval", "papers"]


@pytest.mark.parametrize("format", [lmms_eval, lm_eval])
def test_every_function_the_task_names_is_there(bird_bank, tmp_path, format):
    folder = format.write(bird_bank, tmp_path)
    settings, _ = task(folder)
    names = named_functions(settings)
    assert len(names) >= 5
    assert all(callable(getattr(functions(folder), name)) for name in names)
    source = (folder / "utils.py").read_text()
    assert "import linnet" not in source
    assert "from linnet" not in source


@pytest.mark.parametrize("format", [lmms_eval, lm_eval])
def test_the_functions_load_where_linnet_is_not_installed(bird_bank, tmp_path, format):
    folder = format.write(bird_bank, tmp_path)
    code = "import sys; sys.modules['linnet'] = None; import utils; print(utils.letter('B', 4))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


# ---- lmms-eval ----


def test_photos_and_questions_reach_the_model(bird_bank, tmp_path):
    settings, docs = task(lmms_eval.write(bird_bank, tmp_path))
    utils = functions(tmp_path)
    assert len(docs) == 4 * len(bird_bank)
    doc = docs[5]
    (image,) = utils.doc_to_visual(doc)
    assert (image.mode, image.size) == ("RGB", (227, 227))
    names = bird_bank.option_names(1, 1)
    words = settings["lmms_eval_specific_kwargs"]["default"]
    assert utils.doc_to_text(doc, words) == (
        "Based on taxonomy, what is the family of the bird in this image?\n"
        f"A. {names[0]}\nB. {names[1]}\nC. {names[2]}\nD. {names[3]}\n"
        "Answer with the option's letter from the given choices directly."
    )
    assert utils.doc_to_target(doc) == "ABCD"[bird_bank.answer[1, 1]]
    assert settings["output_type"] == "generate_until"


def test_images_outside_the_root_are_refused(bird_bank, tmp_path):
    lmms_eval.write(bird_bank, tmp_path)
    with pytest.raises(ValueError, match="leaves the image root"):
        functions(tmp_path).doc_to_visual({"image": "../metadata.csv/../../x.jpg"})


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("B", 1),
        (" (C).", 2),
        ("**D** because of the beak", 3),
        ("d", 3),
        ("The answer is B", 1),
        ("Answer: C", 2),
        ("Option a", 0),
        ("B. a bobolink", 1),
        ("A bird", None),
        ("The answer is a bird", None),
        ("E", None),
        ("Animalia", None),
        ("I cannot tell", None),
        ("", None),
    ],
)
def test_letters_are_read_strictly(bird_bank, tmp_path, text, position):
    lmms_eval.write(bird_bank, tmp_path)
    assert functions(tmp_path).letter(text, 4) == position


def test_scores_of_the_task_equal_our_own(bird_bank, tmp_path):
    _, docs = task(lmms_eval.write(bird_bank, tmp_path))
    utils = functions(tmp_path)
    choice = blind.majority_choice(bird_bank)
    said = ["ABCD"[choice[row, level]] for row in range(len(bird_bank)) for level in range(4)]
    records = [utils.process_generated(doc, [text]) for doc, text in zip(docs, said, strict=True)]
    figures = audit(bird_bank)
    weight = bird_bank.weight.astype(float)
    right = blind.correct(bird_bank, choice)
    assert utils.agg_mean([r["accuracy"] for r in records]) == pytest.approx(
        (weight * right).sum() / weight.sum()
    )
    assert utils.agg_hca([r["hca"] for r in records]) == pytest.approx(figures["path"]["majority_hca"])
    assert utils.agg_mean([r["invalid"] for r in records]) == 0
    assert utils.process_generated(docs[0], ["no idea"])["invalid"]["score"] == 1


def test_a_template_with_a_prefix_puts_it_before_the_question(bird_bank, tmp_path):
    settings, docs = task(lmms_eval.write(bird_bank, tmp_path, template="fast"))
    text = functions(tmp_path).doc_to_text(docs[0], settings["lmms_eval_specific_kwargs"]["default"])
    assert text.startswith("Name the bird in this image at one level")
    assert "\nWhich order?\nA. " in text
    with pytest.raises(LinnetError, match="template 'binary' asks yes or no; export needs a lettered one"):
        lmms_eval.write(bird_bank, tmp_path / "other", template="binary")


def test_a_bank_without_images_is_refused(tmp_path):
    with pytest.raises(LinnetError, match="has no image root; give one with --image-root DIR"):
        lmms_eval.write(replace(make(skewed(4)), image_root=None), tmp_path)


# ---- lm-eval ----


def test_text_questions_stop_above_the_leaf(bird_bank, tmp_path):
    settings, docs = task(lm_eval.write(bird_bank, tmp_path))
    utils = functions(tmp_path)
    assert len(docs) == 3 * len(bird_bank)
    assert {doc["level"] for doc in docs} == {"order", "family", "genus"}
    label = bird_bank.label[0]
    assert utils.doc_to_text(docs[0]).startswith(
        f"Given the {label}, what is its taxonomic classification at the"
    )
    assert utils.doc_to_text(docs[0]).endswith("\nAnswer:")
    assert utils.doc_to_choice(docs[0]) == ["A", "B", "C", "D"]
    assert docs[0]["answer"] == bird_bank.answer[0, 0]
    assert settings["output_type"] == "multiple_choice"


def test_a_prefix_that_names_the_leaf_is_part_of_the_question(bird_bank, tmp_path):
    _, docs = task(lm_eval.write(bird_bank, tmp_path, template="fast"))
    text = functions(tmp_path).doc_to_text(docs[4])
    assert docs[4]["image_id"] == bird_bank.sample_id[1]
    assert text.startswith(f"Name {bird_bank.label[1]} at one level of its taxonomy")
    assert "\nWhich family?\nA. " in text


def test_log_likelihoods_are_scored(bird_bank, tmp_path):
    _, docs = task(lm_eval.write(bird_bank, tmp_path))
    utils = functions(tmp_path)
    sure = [[(0.0 if k == doc["answer"] else -9.0, False) for k in range(4)] for doc in docs]
    records = [utils.process_scored(doc, pairs) for doc, pairs in zip(docs, sure, strict=True)]
    assert utils.agg_hca([r["hca"] for r in records]) == 1
    wrong = [(float(k == (docs[0]["answer"] + 1) % 4), False) for k in range(4)]
    records[0] = utils.process_scored(docs[0], wrong)
    weight = bird_bank.weight[:, :3].astype(float)
    assert utils.agg_mean([r["accuracy"] for r in records]) == pytest.approx(1 - weight[0, 0] / weight.sum())
    per_image = weight.mean(axis=1)
    assert utils.agg_hca([r["hca"] for r in records]) == pytest.approx(1 - per_image[0] / per_image.sum())


def test_only_scored_questions_are_exported(tmp_path):
    bank = make(skewed(30), "random")
    bank.answer[0, 1] = NONE
    _, docs = task(lmms_eval.write(bank, tmp_path))
    assert len(docs) == 89
    assert docs[0]["path"] == bank.taxonomy.path(bank.lineage[0, 2])
    assert docs[0]["choice_ids"][docs[0]["answer"]] == docs[0]["path"][0]
