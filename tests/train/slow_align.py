"""The alignment written in plain Python, token by token: the reference for tests."""

import math


def cosine(a, b):
    """Of two lists of numbers."""
    length = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(y * y for y in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / length


def silu(x):
    return x / (1 + math.exp(-x))


def project(head, vector):
    """A projector's three layers."""
    for k in (0, 2, 4):
        weight, bias = head[k].weight.tolist(), head[k].bias.tolist()
        vector = [
            sum(w * x for w, x in zip(row, vector, strict=True)) + b
            for row, b in zip(weight, bias, strict=True)
        ]
        vector = vector if k == 4 else [silu(x) for x in vector]
    return vector


def bilinear(grid, down, across):
    """Value of a grid (nested lists) at a place given as shares of its height and width."""
    out = [0.0] * len(grid[0][0])
    y = min(max(down * len(grid) - 0.5, 0), len(grid) - 1)
    x = min(max(across * len(grid[0]) - 0.5, 0), len(grid[0]) - 1)
    for j in (math.floor(y), math.floor(y) + 1):
        for k in (math.floor(x), math.floor(x) + 1):
            weight = max(0, 1 - abs(y - j)) * max(0, 1 - abs(x - k))
            if weight:
                out = [o + weight * v for o, v in zip(out, grid[j][k], strict=True)]
    return out


def area(grid, top, left, bottom, right):
    """Mean of a grid over a box given as shares of its height and width."""
    out, total = [0.0] * len(grid[0][0]), 0.0
    for j in range(len(grid)):
        for k in range(len(grid[0])):
            tall = min(bottom * len(grid), j + 1) - max(top * len(grid), j)
            wide = min(right * len(grid[0]), k + 1) - max(left * len(grid[0]), k)
            weight = max(0, tall) * max(0, wide)
            total += weight
            out = [o + weight * v for o, v in zip(out, grid[j][k], strict=True)]
    return [o / total for o in out]


def targets(grid, part, match):
    """What the teacher sees at each token of a part, row by row."""
    top, left, bottom, right = part.box
    tall, wide = (bottom - top) / part.h, (right - left) / part.w
    found = []
    for row in range(part.h):
        for column in range(part.w):
            y, x = top + row * tall, left + column * wide
            if match == "area":
                found.append(area(grid, y, x, y + tall, x + wide))
            else:
                found.append(bilinear(grid, y + tall / 2, x + wide / 2))
    return found


def visual_loss(head, states, grids, teacher, match="bilinear", form="cosine"):
    """Mean over images of the mean over tokens of one minus the cosine."""
    losses = []
    for state, grid, seen in zip(states, grids, teacher, strict=True):
        if seen is None:
            continue
        if match == "linspace":
            flat = [cell for row in seen for cell in row]
            m = min(len(state), 256, len(flat))
            step = max(1, m - 1)
            pairs = [
                (state[int(i * (len(state) - 1) / step)], flat[int(i * (len(flat) - 1) / step)])
                for i in range(m)
            ]
        else:
            pairs = []
            for part in grid.parts:
                tokens = [part.start + r * part.stride + c for r in range(part.h) for c in range(part.w)]
                pairs += zip([state[t] for t in tokens], targets(seen, part, match), strict=True)
        made = [(project(head, one), other) for one, other in pairs]
        losses.append(relational(made) if form == "relational" else mean(1 - cosine(*pair) for pair in made))
    return mean(losses)


def relational(pairs):
    return mean((cosine(a[0], b[0]) - cosine(a[1], b[1])) ** 2 for a in pairs for b in pairs)


def label_loss(head, states, words):
    """Mean over answers whose taxon has a vector."""
    return mean(1 - cosine(project(head, s), w) for s, w in zip(states, words, strict=True) if any(w))


def mean(values):
    values = list(values)
    return sum(values) / len(values)
