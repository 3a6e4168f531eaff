"""Packed supervised loss equals the loss of plain prompts; the expected objective equals enumeration."""

import itertools
import math

import numpy as np
import pytest
import torch
from chat_cases import batch_of, bird_bank, lessons_of, policy_of, tiny
from hypothesis import given
from hypothesis import strategies as st

from linnet.train import rewards
from linnet.train.chat.flat import Flat
from linnet.train.chat.groups import EPSILON, advantages, compositions, n_compositions
from linnet.train.chat.losses import Expected, divergence, others, supervised
from linnet.train.chat.policy import Said
from linnet.train.chat.recipe import Lora, Rft
from linnet.train.chat.reference import Reference

ROWS = [0, 5, 10]


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return bird_bank(tmp_path_factory.mktemp("birds"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("model") / "qwen3_vl")


def plain_loss(policy, lessons, rows, per):
    """Every question as a prompt of its own through the model's own loss over labels."""
    chat, total, tokens, questions = policy.chat, 0.0, 0, 0
    for row in rows:
        lesson = lessons[row]
        picture = lessons.picture(row)[0]
        for k, asked in enumerate(lesson.prompt.asked):
            said = asked.replies[int(lesson.options[k][0])] + chat.tokenizer.eos_token
            inputs = chat.processor(text=[asked.text + said], images=[picture], return_tensors="pt")
            n = len(lesson.prompt.branches[k].options[0])
            labels = torch.full_like(inputs["input_ids"], -100)
            labels[0, -n:] = inputs["input_ids"][0, -n:]
            total = total + policy.model(**inputs, labels=labels).loss * n
            tokens, questions = tokens + n, questions + 1
    return total / (tokens if per == "token" else questions)


@pytest.mark.parametrize("form", ["name", "letter"])
@pytest.mark.parametrize("per", ["token", "question"])
def test_packed_sft_equals_the_loss_and_gradient_of_plain_prompts(folder, bank, form, per):
    policy = policy_of(folder, Lora(rank=0), ("language", "projector", "vision"))
    lessons = lessons_of(policy.chat, bank, form, reward=None)
    loss, _ = supervised(policy(batch_of(lessons, ROWS)), batch_of(lessons, ROWS), per)
    moving = list(policy.moving().values())
    packed = torch.autograd.grad(loss, moving, allow_unused=True)
    reference = plain_loss(policy, lessons, ROWS, per)
    torch.testing.assert_close(loss, reference, atol=1e-5, rtol=1e-5)
    plain = torch.autograd.grad(reference, moving, allow_unused=True)
    sizes = []
    for name, one, other in zip(policy.moving(), packed, plain, strict=True):
        assert (one is None) == (other is None), name
        if one is not None:
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3, msg=name)
            sizes.append(float(one.abs().max()))
    assert max(sizes) > 1e-2


def test_gold_only_reads_nothing_but_the_right_answers(folder, bank):
    policy = policy_of(folder)
    taught, judged = (lessons_of(policy.chat, bank, reward=reward) for reward in (None, "exact"))
    with torch.no_grad():
        some, full = policy(batch_of(taught, ROWS)), policy(batch_of(judged, ROWS))
    batch = batch_of(judged, ROWS)
    one = torch.nn.functional.one_hot(batch.answer.clamp(min=0), 3).bool() & (batch.answer >= 0)[..., None]
    assert torch.equal(some.offered, one)
    torch.testing.assert_close(some.logprob[one], full.logprob[one])


# ---- groups ----


def brute_force(p, reward, group):
    """Expected advantage of the first of `group` draws, over all sequences of draws."""
    k = len(p)
    found = np.zeros(k)
    for rest in itertools.product(range(k), repeat=group - 1):
        chance = math.prod(p[o] for o in rest)
        for first in range(k):
            earned = reward[[first, *rest]]
            found[first] += chance * (earned[0] - earned.mean()) / (earned.std(ddof=1) + EPSILON)
    return found


@given(st.integers(2, 4), st.integers(2, 4), st.integers(0, 10**6))
def test_advantages_equal_all_groups_enumerated(kinds, group, seed):
    rng = np.random.default_rng(seed)
    p, reward = rng.dirichlet(np.ones(kinds)), rng.integers(0, 3, kinds) / 2
    found = advantages(torch.tensor(p)[None], torch.tensor(reward)[None], group)[0]
    np.testing.assert_allclose(found, brute_force(p, reward, group), atol=1e-4)


@pytest.mark.parametrize(("p", "factor"), [(0.5, 1.40), (0.02, 1.49)])
def test_groups_of_four_scale_the_gradient_as_known(p, factor):
    """For a reward of one answer the gradient is (A(right) - A(wrong)) p grad log p."""
    found = advantages(torch.tensor([[p, 1 - p]]), torch.tensor([[1.0, 0.0]]), 4)[0]
    assert float(found[0] - found[1]) == pytest.approx(factor, abs=0.005)


def test_large_groups_approach_the_limit():
    p, reward = torch.tensor([[0.2, 0.5, 0.3]]), torch.tensor([[1.0, 0.0, 0.5]])
    limit = advantages(p, reward, None)
    gaps = [float((advantages(p, reward, group) - limit).abs().max()) for group in (4, 16, 64)]
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2]
    assert gaps[2] < 0.05


def test_compositions_are_counted_before_they_are_made():
    for draws, kinds in ((3, 4), (7, 5), (2, 1)):
        assert len(compositions(draws, kinds)) == n_compositions(draws, kinds)


def test_equal_rewards_give_no_advantage():
    for group in (4, None):
        found = advantages(torch.tensor([[0.2, 0.8]]), torch.tensor([[1.0, 1.0]]), group)
        torch.testing.assert_close(found, torch.zeros(1, 2), atol=1e-6, rtol=0)


# ---- the expected objective ----


def reinforce(policy, batch, settings, reward, group):
    """Gradient of REINFORCE, averaged over all groups of answers to one question."""
    objective, moving = Expected(settings), list(policy.moving().values())
    logprob = objective.distribution(policy(batch).logprob[batch.answer >= 0])[0]
    grads = [torch.autograd.grad(value, moving, retain_graph=True, allow_unused=True) for value in logprob]
    p = logprob.detach().double().exp()
    total = [torch.zeros_like(parameter) for parameter in moving]
    for drawn in itertools.product(range(len(p)), repeat=group):
        earned = reward[list(drawn)]
        score = (earned - earned.mean()) / (earned.std() + EPSILON)
        chance = math.prod(float(p[o]) for o in drawn)
        for k, o in enumerate(drawn):
            for slot, grad in zip(total, grads[o], strict=True):
                if grad is not None:
                    slot -= float(chance * score[k] / group) * grad
    return total


@pytest.mark.parametrize("over", ["options", "all"])
def test_expected_equals_the_mean_of_enumerated_sampled_gradients(folder, bank, over):
    policy = policy_of(folder)
    with torch.no_grad():
        for name, parameter in policy.moving().items():
            parameter.add_(torch.randn_like(parameter) * 0.3 * ("lora_B" in name))
    lessons = lessons_of(policy.chat, bank, reward="tree-distance", ranks={"species": 1.0})
    batch = batch_of(lessons, [5])
    settings = Rft(over=over, group=3, beta=0.0)
    loss, _ = Expected(settings)(policy(batch), batch)
    found = torch.autograd.grad(loss, list(policy.moving().values()), allow_unused=True)
    reward = batch.reward[batch.answer >= 0][0]
    assert len(set(reward.tolist())) > 1
    reward = torch.cat([reward, torch.zeros(1 if over == "all" else 0)]).double()
    expected = reinforce(policy, batch, settings, reward, 3)
    largest = max(float(grad.abs().max()) for grad in expected)
    assert largest > (1e-3 if over == "options" else 1e-12)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5 * max(1.0, largest), rtol=1e-3)


def said_of(logits):
    return Said(logits.log_softmax(-1), torch.ones(logits.shape, dtype=torch.long))


class Toy:
    """A batch of one sample whose questions have these rewards."""

    def __init__(self, reward, answer):
        self.reward, self.answer = torch.tensor(reward)[None], torch.tensor(answer)[None]


def test_monte_carlo_draws_agree_with_the_expectation():
    torch.manual_seed(0)
    logits = torch.tensor([[[0.3, -0.4, 0.9, 0.1]]], requires_grad=True)
    toy = Toy([[0.0, 1.0, 0.4, 0.0]], [1])
    loss, parts = Expected(Rft(group=4, beta=0.0))(said_of(logits), toy)
    (expected,) = torch.autograd.grad(loss, logits)
    logprob = logits[0, 0].log_softmax(0)
    drawn = torch.multinomial(logprob.detach().exp(), 4 * 40_000, replacement=True).view(-1, 4)
    earned = toy.reward[0, 0][drawn]
    score = (earned - earned.mean(1, keepdim=True)) / (earned.std(1, keepdim=True) + EPSILON)
    (sampled,) = torch.autograd.grad(-(score * logprob[drawn]).mean(), logits)
    torch.testing.assert_close(sampled, expected, atol=0.006, rtol=0)
    assert float(expected.abs().max()) > 0.1
    assert float(parts["reward"]) == pytest.approx(float(earned.mean()), abs=0.01)


def test_the_loss_falls_along_its_gradient_to_the_right_answer():
    logits = torch.zeros(1, 2, 3, requires_grad=True)
    toy = Toy([[1.0, 0, 0], [0, 0, 1.0]], [0, 2])
    (grad,) = torch.autograd.grad(Expected(Rft(beta=0.0))(said_of(logits), toy)[0], logits)
    assert (-grad).argmax(-1).tolist() == [[0, 2]]


def test_a_path_reward_is_the_product_over_the_image():
    logits = torch.randn(1, 3, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    eye = torch.eye(3).tolist()
    toy = Toy(eye, [0, 1, 2])
    loss, parts = Expected(Rft(scale="none", beta=0.0), whole_path=True)(said_of(logits), toy)
    right = logits[0].softmax(-1).diagonal()
    (plain,) = torch.autograd.grad(right.prod(), logits)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0] * 3, -plain)
    assert float(parts["reward"]) == pytest.approx(right.prod().item())


def test_others_leave_out_the_question_itself():
    asked = torch.tensor([[True, False, True], [True, False, False]])
    found = others(torch.tensor([0.5, 0.2, 0.7]), asked)
    torch.testing.assert_close(found, torch.tensor([0.2, 0.5, 1.0]))


def test_divergence_is_kl_and_ignores_what_is_no_option():
    p = torch.tensor([[0.5, 0.5, 0.0]]).log()
    q = torch.tensor([[0.25, 0.75, 0.0]]).log()
    expected = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    assert float(divergence(p, q)) == pytest.approx(expected, abs=1e-6)
    assert float(divergence(p, p)) == 0.0


def test_questions_of_fewer_options_give_finite_gradients():
    logits = torch.zeros(1, 2, 3, requires_grad=True)
    masked = logits.masked_fill(torch.tensor([[[False, False, True], [True, True, True]]]), -torch.inf)
    said = Said(masked, (masked > -torch.inf).long())
    toy = Toy([[1.0, 0, 0], [0.0, 0, 0]], [0, -1])
    for over in ("options", "all"):
        objective = Expected(Rft(over=over))
        loss, _ = objective(Said(masked - 1.5, said.tokens), toy, masked.detach() - 1.0)
        (grad,) = torch.autograd.grad(loss, logits, retain_graph=True)
        assert bool(torch.isfinite(grad).all())
        assert float(grad[0, 0, 0]) < 0


def test_a_batch_without_a_readable_photo_has_no_loss(folder, bank):
    policy = policy_of(folder)
    lessons = lessons_of(policy.chat, bank)
    lost = lessons.collate([lessons.lesson(0, lessons.picture(0)[0], readable=False)])["batch"]
    for loss, _ in (supervised(policy(lost), lost), Expected(Rft())(policy(lost), lost)):
        loss.backward()
        assert float(loss.detach()) == 0
    assert all(not p.grad.abs().sum() for p in policy.moving().values() if p.grad is not None)


@pytest.mark.parametrize("parts", [(), ("language",)])
def test_the_reference_stays_what_the_policy_was(folder, bank, parts):
    policy = policy_of(folder, Lora(rank=0 if parts else 2), parts)
    lessons = lessons_of(policy.chat, bank)
    batch, reference = batch_of(lessons, ROWS), Reference(policy)
    assert (reference.copy is None) == (not parts)
    with torch.no_grad():
        before = policy(batch).logprob
        for parameter in policy.moving().values():
            parameter.add_(torch.randn_like(parameter) * 0.2)
        after = policy(batch).logprob
    assert not torch.allclose(before, after)
    torch.testing.assert_close(reference(batch), before)
    assert not reference(batch).requires_grad
    loss, found = Expected(Rft())(policy(batch), batch, reference(batch))
    assert float(found["kl"]) > 0
    loss.backward()
    assert all(p.grad is not None for p in policy.moving().values())


@pytest.mark.parametrize(("reward", "advice"), [(0.0, "partial credit"), (0.99, "ask harder questions")])
def test_flat_rewards_are_told_once(caplog, reward, advice):
    flat = Flat(steps=3)
    step = {"reward": torch.tensor(reward), "reward_std": torch.tensor(0.001)}
    flat.note(step)
    flat.note({**step, "reward_std": torch.tensor(0.2)})
    for _ in range(2):
        flat.note(step)
    assert not caplog.records
    for _ in range(9):
        flat.note(step)
    (told,) = caplog.records
    assert advice in told.getMessage()


# ---- rewards ----


@pytest.fixture
def question(t6):
    names = ("s1", "s2", "h1", "c1")
    taxa = np.array([t6.find(name, 2)[0] for name in names])
    return rewards.Question(t6, names, taxa, 0)


@pytest.mark.parametrize(
    ("name", "said", "earned"),
    [
        ("exact", "S1", 1),
        ("exact", " s1", 0),
        ("normalised", " S1\n", 1),
        ("normalised", "s2", 0),
        ("path", "s1 ", 1),
        ("tree-distance", "s1", 1),
        ("tree-distance", "S2", 2 / 3),
        ("tree-distance", "h1", 1 / 3),
        ("tree-distance", "c1", 0),
        ("tree-distance", "nonsense", 0),
    ],
)
def test_rewards(question, name, said, earned):
    assert rewards.load(name).of(said, question) == pytest.approx(earned)


def test_a_table_is_the_reward_of_each_reply(question):
    np.testing.assert_allclose(rewards.load("tree_distance").table(question), [1, 2 / 3, 1 / 3, 0])
    assert rewards.load("path").whole_path
    assert not rewards.load("exact").whole_path
