"""Recipes are typed, every refusal says what, where and what instead, and the command line wins."""

import dataclasses

import pytest
import yaml
from train_cases import recipe_of

from linnet.errors import LinnetError, UsageError
from linnet.train import recipe
from linnet.train.dual_recipe import DualRecipe

PLAIN = {"task": "dual", "data": {"source": "photos"}, "model": {"name": "owner/model"}}


def refused(tmp_path, values, *overrides, error=LinnetError):
    with pytest.raises(error) as caught:
        recipe_of(tmp_path / "mine.yaml", values, *overrides)
    return str(caught.value).replace(str(tmp_path), "DIR")


@pytest.mark.parametrize("name", recipe.shipped())
def test_shipped_recipes_load_and_say_what_they_train_cost_and_reached(name):
    about = recipe.about(recipe.shipped()[name])
    assert len(about) >= 3
    assert about[1].startswith("Costs ")
    assert about[2].startswith("Reached: ")
    loaded = recipe.load(name)
    assert isinstance(loaded, DualRecipe) == (loaded.task == "dual")


def test_what_is_not_said_is_the_default_and_a_dump_says_all(tmp_path):
    loaded = recipe_of(tmp_path / "a.yaml", PLAIN)
    assert (loaded.lora.rank, loaded.lora.vision, loaded.text.template) == (8, ("q_proj", "v_proj"), "rank")
    assert loaded.terms == {"hisce": 1.0, "tp_kl": 1.0}
    assert recipe_of(tmp_path / "b.yaml", yaml.safe_load(recipe.dump(loaded))) == loaded


@pytest.mark.parametrize(
    ("text", "value"), [("1e-4", 1e-4), ("1E-4", 1e-4), ("2.5e3", 2500.0), (".5", 0.5), ("3", 3.0)]
)
def test_numbers_with_exponents_are_numbers(tmp_path, text, value):
    assert recipe_of(tmp_path / "a.yaml", PLAIN, f"train.learning_rate={text}").train.learning_rate == value


def test_overrides_reach_into_sections_lists_and_losses(tmp_path):
    more = ("lora.rank=4", "lora.vision=[fc1, fc2]", "lora.text=k_proj", "objective.tp_kl=2", "data.val=null")
    loaded = recipe_of(tmp_path / "a.yaml", {**PLAIN, "objective": {"hisce": 1.0, "tp_kl": 1.0}}, *more)
    assert (loaded.lora.rank, loaded.lora.vision, loaded.lora.text) == (4, ("fc1", "fc2"), ("k_proj",))
    assert loaded.terms == {"hisce": 1.0, "tp_kl": 2}
    assert loaded.data.val is None
    dropped = recipe_of(tmp_path / "a.yaml", PLAIN, "objective={leaf_ce: 1, hisce: null}", "data.val=0.25")
    assert (dropped.terms, dropped.data.val) == ({"leaf_ce": 1}, 0.25)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["lora.rnak=4"], "unknown setting 'lora.rnak' in the command line;"),
        (["lora.rnak=4"], "Did you mean 'lora.rank'?"),
        (["lora.rank=four"], 'lora.rank is "four" in the command line; it takes a whole number'),
        (["lora.rank=true"], "lora.rank is true in the command line; it takes a whole number"),
        (["train.precision=fp8"], "it takes one of fp32, bf16, fp16"),
        (["data.val=true"], "it takes text (quote what looks like a number) or a number or null"),
        (["lora.vision=[1]"], "it takes a list, each text"),
        (["lora=8"], "lora is 8 in the command line; it takes a section with rank, alpha"),
        (["task.kind=x"], "'task.kind=x' sets a part of task, which is 'dual'; write task='{...}'"),
        (
            ["task=dul"],
            "unknown task 'dul' in the command line; tasks: arms, base, dual, rft, sft, tara. "
            "Did you mean 'dual'?",
        ),
        (["train.epochs=[1"], "the value of train.epochs on the command line is no valid YAML"),
        (["model.vision=x"], "model takes either a name, or both vision and text"),
        (["model.name=null"], "model takes either a name, or both vision and text"),
        (["data.cache_features=true", "data.augment=flip"], "so data.augment must be none"),
        (["data.val=1.5"], "data.val is 1.5; a share of the photos is between 0 and 1"),
        (["data.shots=0"], "data.shots is 0; give the photos per leaf"),
    ],
)
def test_refusals_on_the_command_line(tmp_path, overrides, message):
    assert message in refused(tmp_path, PLAIN, *overrides)


def test_refusals_of_a_file_name_the_file(tmp_path):
    where = "recipe 'DIR/mine.yaml'"
    wrong = {**PLAIN, "train": {"epoch": 3}}
    assert f"unknown setting 'train.epoch' in {where}" in refused(tmp_path, wrong)
    assert "Did you mean 'train.epochs'?" in refused(tmp_path, wrong)
    assert f"data.source is missing in {where}" in refused(tmp_path, {**PLAIN, "data": {"shots": 3}})
    assert f'lora.rank is "8" in {where}' in refused(tmp_path, {**PLAIN, "lora": {"rank": "8"}})
    (tmp_path / "bad.yaml").write_text("a: [1")
    with pytest.raises(LinnetError, match="no valid YAML"):
        recipe.load(str(tmp_path / "bad.yaml"))


def test_an_override_without_a_value_is_a_wrong_command_line(tmp_path):
    said = refused(tmp_path, PLAIN, "epochs", error=UsageError)
    assert said == "'epochs' sets nothing; write key=value, for example train.epochs=3"


def test_an_unknown_recipe_names_the_shipped_ones():
    with pytest.raises(LinnetError, match=r"unknown recipe 'clip-lra'.*Did you mean 'clip-lora'"):
        recipe.load("clip-lra")


def test_recipes_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.load("clip-lora").task = "other"
