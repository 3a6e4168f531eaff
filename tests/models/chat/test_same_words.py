"""A question has the same text in a chat model, at a server, and in an exported task."""

import json
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import pytest
import yaml

from linnet.bank import prompts
from linnet.bank.formats import lmms_eval
from linnet.models.api.questions import Wording, asker
from linnet.models.chat import variants
from linnet.models.chat.questions import poser
from linnet.models.chat.tiny import PLACEHOLDERS

TEMPLATES = ("plain", "fast", "paper-0", "paper-cot", "paper-biocot", "paper-taxonomy")
FAMILIES = (None, "qwen3_vl")


class Loader(yaml.SafeLoader):
    """Skips the `!function`s of a task."""


Loader.add_constructor("!function", lambda loader, node: None)


@pytest.fixture
def animals(bank, tmp_path):
    """The bank as one of animals, for which there are all templates."""
    return replace(bank, manifest={"domain": "inat-animal"}, image_root=tmp_path)


def in_chat(chat, bank, name, family):
    """System prompt and user's text of the questions of the first two samples."""
    made = variants.make(bank, name, False, "image", None, family)
    asked = poser(chat, bank, made, "letter")
    texts = [one.asked.text for row in (0, 1) for one in asked.questions(0, row)]
    system, user = zip(*(text.split("<|im_start|>user\n") for text in texts), strict=True)
    image, end = PLACEHOLDERS[chat.facts["family"]], "<|im_end|>\n<|im_start|>assistant\n"
    head, tail = "<|im_start|>system\n", "<|im_end|>\n"
    said = {text.removeprefix(head).removesuffix(tail) for text in system}
    return said, [text.removesuffix(end).replace(image, "") for text in user]


def at_server(bank, name, family):
    made = asker(bank, Wording(name, family=family))
    chats = [made.messages(one, {"type": "image_url"}) for one in made.questions(np.array([0, 1]))]
    said = {chat[0]["content"] if len(chat) > 1 else "" for chat in chats}
    return said, ["".join(part.get("text", "") for part in chat[-1]["content"]) for chat in chats]


def in_task(bank, name, folder):
    lmms_eval.write(bank, folder, name)
    spec = spec_from_file_location("task_utils", folder / "utils.py")
    utils = module_from_spec(spec)
    spec.loader.exec_module(utils)
    settings = yaml.load(next(folder.glob("*.yaml")).read_text("utf-8"), Loader)
    words = settings["lmms_eval_specific_kwargs"]["default"]
    lines = next(folder.glob("*.jsonl")).read_text("utf-8").splitlines()
    docs = [doc for doc in map(json.loads, lines) if doc["image_id"] in bank.sample_id[:2]]
    return [utils.doc_to_text(doc, words) for doc in docs]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", TEMPLATES)
def test_chat_model_server_and_task_read_the_same(opened, animals, tmp_path, name, family):
    system, texts = in_chat(opened("qwen3_vl"), animals, name, family)
    assert len(texts) == 8
    assert at_server(animals, name, family) == (system, texts)
    if family is None:
        assert in_task(animals, name, tmp_path / "task") == texts


def test_shared_text_stands_on_a_line_of_its_own(animals):
    fast = prompts.template("fast", animals)
    question = fast.question(animals, 0, 1)
    assert fast.after_image(animals, 0, question) == f"{fast.prefix_text(animals, 0)}\n{question}"
    plain = prompts.template("plain", animals)
    assert plain.after_image(animals, 0, question) == question
    assert fast.after_image(animals, 0, "") == fast.prefix_text(animals, 0)
