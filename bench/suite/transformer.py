"""BERT (Devlin et al., 2018) and GPT-2 (Radford et al., 2019).

The only input is the token ids: mask and token types take the defaults that transformers gives
them (attend to everything, type 0), which an export with ids alone folds into the graph.
"""

from math import sqrt

import numpy as np

DEVIATION = 0.02  # the initialisation both papers' code uses


def bert(graph, ids, width, heads, layers, vocabulary, context):
    embeddings = "embeddings"
    words = _table(graph, f"{embeddings}.word_embeddings.weight", (vocabulary, width))
    kinds = _table(graph, f"{embeddings}.token_type_embeddings.weight", (2, width))
    places = _table(graph, f"{embeddings}.position_embeddings.weight", (context, width))
    tokens = ids.shape[1]
    x = _gather(graph, words, ids, f"{embeddings}.word_embeddings", width)
    kind = _gather(graph, kinds, graph.constant(np.zeros((1, tokens), np.int64)),
                   f"{embeddings}.token_type_embeddings", width, tokens)
    place = _gather(graph, places, graph.constant(np.arange(tokens, dtype=np.int64)[None]),
                    f"{embeddings}.position_embeddings", width, tokens)
    x = graph.add(graph.add(x, kind, embeddings), place, embeddings)
    x = _layer_norm(graph, x, f"{embeddings}.LayerNorm", 1e-12)
    for index in range(layers):
        x = _bert_layer(graph, x, f"encoder.layer.{index}", heads)
    first = graph.op("Gather", "pooler", [x, graph.constant(np.int64(0))], (1, width), axis=1)
    pooled = graph.linear(first, "pooler.dense", width)
    pooled = graph.op("Tanh", "pooler", [pooled], pooled.shape)
    graph.output(x, "last_hidden_state")
    graph.output(pooled, "pooler_output")


def _bert_layer(graph, x, path, heads):
    width = x.shape[2]
    own = f"{path}.attention.self"
    query, key, value = (_heads(graph, _dense(graph, x, f"{own}.{part}", width), f"{own}.{part}",
                                heads) for part in ("query", "key", "value"))
    y = _attend(graph, query, key, value, own)
    y = _dense(graph, y, f"{path}.attention.output.dense", width)
    x = _layer_norm(graph, graph.add(y, x, f"{path}.attention.output"),
                    f"{path}.attention.output.LayerNorm", 1e-12)
    y = _gelu(graph, _dense(graph, x, f"{path}.intermediate.dense", 4 * width),
              f"{path}.intermediate")
    y = _dense(graph, y, f"{path}.output.dense", width)
    return _layer_norm(graph, graph.add(y, x, f"{path}.output"), f"{path}.output.LayerNorm",
                       1e-12)


def gpt2(graph, ids, width, heads, layers, vocabulary, context):
    """The language model with its head, which shares the embedding's weights."""
    tokens = ids.shape[1]
    words = _table(graph, "transformer.wte.weight", (vocabulary, width))
    places = _table(graph, "transformer.wpe.weight", (context, width))
    x = _gather(graph, words, ids, "transformer.wte", width)
    place = _gather(graph, places, graph.constant(np.arange(tokens, dtype=np.int64)[None]),
                    "transformer.wpe", width, tokens)
    x = graph.add(x, place, "transformer")
    later = np.triu(np.full((tokens, tokens), np.finfo(np.float32).min, np.float32), 1)
    mask = graph.constant(later[None, None])
    for index in range(layers):
        x = _gpt2_layer(graph, x, f"transformer.h.{index}", heads, mask, layers)
    x = _layer_norm(graph, x, "transformer.ln_f", 1e-5)
    flat = graph.reshape(x, "lm_head", (tokens, width))
    logits = graph.op("Gemm", "lm_head", [flat, words], (tokens, vocabulary), transB=1)
    graph.output(graph.reshape(logits, "lm_head.out", (1, tokens, vocabulary)), "logits")


def _gpt2_layer(graph, x, path, heads, mask, layers):
    width = x.shape[2]
    y = _layer_norm(graph, x, f"{path}.ln_1", 1e-5)
    y = _conv1d(graph, y, f"{path}.attn.c_attn", 3 * width)
    thirds = [_slice(graph, y, f"{path}.attn", part * width, (part + 1) * width)
              for part in range(3)]
    query, key, value = (_heads(graph, third, f"{path}.attn", heads) for third in thirds)
    y = _attend(graph, query, key, value, f"{path}.attn", mask)
    scale = 1 / sqrt(2 * layers)
    x = graph.add(_conv1d(graph, y, f"{path}.attn.c_proj", width, scale), x, path)
    y = _layer_norm(graph, x, f"{path}.ln_2", 1e-5)
    y = _gelu_tanh(graph, _conv1d(graph, y, f"{path}.mlp.c_fc", 4 * width), f"{path}.mlp.act")
    return graph.add(x, _conv1d(graph, y, f"{path}.mlp.c_proj", width, scale), path)


def _table(graph, name, shape):
    return graph.weight(name, shape, DEVIATION)


def _gather(graph, table, ids, path, width, tokens=None):
    shape = (1, tokens or ids.shape[1], width)
    return graph.op("Gather", path, [table, ids], shape)


def _dense(graph, x, path, features):
    """Linear on [1, tokens, width]: exports write it as MatMul and Add."""
    weight = graph.weight(f"{path}.weight", (x.shape[2], features), DEVIATION)
    bias = graph.weight(f"{path}.bias", (features,), DEVIATION)
    shape = (*x.shape[:2], features)
    product = graph.op("MatMul", path, [x, weight], shape)
    return graph.op("Add", path, [bias, product], shape)


def _conv1d(graph, x, path, features, scale=1.0):
    """GPT-2's own linear layer: exports flatten the tokens and write a Gemm."""
    _, tokens, width = x.shape
    weight = graph.weight(f"{path}.weight", (width, features), DEVIATION * scale)
    bias = graph.weight(f"{path}.bias", (features,), DEVIATION)
    flat = graph.reshape(x, path, (tokens, width))
    product = graph.op("Gemm", path, [flat, weight, bias], (tokens, features))
    return graph.reshape(product, path, (1, tokens, features))


def _layer_norm(graph, x, path, epsilon):
    scale = graph.weight(f"{path}.weight", (x.shape[2],), 0.1, mean=1.0)
    bias = graph.weight(f"{path}.bias", (x.shape[2],), 0.1)
    return graph.op("LayerNormalization", path, [x, scale, bias], x.shape, axis=-1,
                    epsilon=epsilon)


def _slice(graph, x, path, start, end):
    bounds = [graph.constant(np.array([number], np.int64)) for number in (start, end, 2)]
    return graph.op("Slice", path, [x, *bounds], (*x.shape[:2], end - start))


def _heads(graph, x, path, heads):
    """[1, tokens, width] to [1, heads, tokens, width / heads]."""
    _, tokens, width = x.shape
    split = graph.reshape(x, path, (1, tokens, heads, width // heads))
    return graph.transpose(split, path, (0, 2, 1, 3))


def _attend(graph, query, key, value, path, mask=None):
    _, heads, tokens, size = query.shape
    square = (1, heads, tokens, tokens)
    turned = graph.transpose(key, path, (0, 1, 3, 2))
    scores = graph.op("MatMul", path, [query, turned], square)
    scores = graph.op("Div", path, [scores, graph.constant(np.float32(sqrt(size)))], square)
    if mask is not None:
        scores = graph.op("Add", path, [scores, mask], square)
    weights = graph.op("Softmax", path, [scores], square, axis=-1)
    mixed = graph.op("MatMul", path, [weights, value], query.shape)
    joined = graph.transpose(mixed, path, (0, 2, 1, 3))
    return graph.reshape(joined, path, (1, tokens, heads * size))


def _gelu(graph, x, path):
    """x / 2 * (1 + erf(x / sqrt 2))."""
    def step(kind, *inputs):
        return graph.op(kind, path, inputs, x.shape)

    number = {key: graph.constant(np.float32(key)) for key in (0.5, 1.0, sqrt(2))}
    inner = step("Erf", step("Div", x, number[sqrt(2)]))
    return step("Mul", step("Mul", x, step("Add", inner, number[1.0])), number[0.5])


def _gelu_tanh(graph, x, path):
    """x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))."""
    def step(kind, *inputs):
        return graph.op(kind, path, inputs, x.shape)

    def number(value):
        return graph.constant(np.float32(value))

    cubic = step("Mul", step("Pow", x, number(3)), number(0.044715))
    inner = step("Tanh", step("Mul", step("Add", x, cubic), number(sqrt(2 / np.pi))))
    return step("Mul", step("Mul", x, number(0.5)), step("Add", inner, number(1)))
