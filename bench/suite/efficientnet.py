"""EfficientNet-Lite4 (Liu, 2020) and EfficientNetV2-L (Tan and Le, 2021)."""

from mobilenet import inverted_residual

# Lite4 is EfficientNet-B4 (width 1.4, depth 1.8) without squeeze-and-excitation and with ReLU6;
# first and last stage, stem and head keep the depth and width of B0.
# kernel, expansion, channels, repeats, stride of the first
LITE4 = ((3, 1, 24, 1, 1), (3, 6, 32, 4, 2), (5, 6, 56, 4, 2), (3, 6, 112, 6, 2),
         (5, 6, 160, 6, 1), (5, 6, 272, 8, 2), (3, 6, 448, 1, 1))

# fused, expansion, channels, repeats, stride of the first
V2_L = ((True, 1, 32, 4, 1), (True, 4, 64, 7, 2), (True, 4, 96, 7, 2), (False, 4, 192, 10, 2),
        (False, 6, 224, 19, 1), (False, 6, 384, 25, 2), (False, 6, 640, 7, 1))

# What keeps the variance, as 2 does behind a rectifier. For a standard normal x 1 / E[silu(x)^2] is
# 2.8, but without live batch norms that would run away as soon as x grows.
SILU_GAIN = 2.0
GATE_GAIN = 4.0  # a squeeze-and-excitation gate halves its input


def efficientnet_lite4(graph, x):
    x = graph.relu6(graph.conv(x, "stem.conv", 32, 3, 2, "same"), "stem.act")
    number = 0
    for kernel, expansion, channels, repeats, stride in LITE4:
        for index in range(repeats):
            x = inverted_residual(graph, x, f"blocks.{number}", expansion, channels, kernel,
                                  stride if index == 0 else 1, "same")
            number += 1
    x = graph.relu6(graph.conv(x, "head.conv", 1280, 1, gain=1.0), "head.act")
    x = graph.flatten(graph.global_average_pool(x, "pool"), "flatten")
    graph.output(graph.linear(x, "classifier", 1000), "output")


def efficientnet_v2_l(graph, x):
    x = graph.silu(graph.conv(x, "features.0.0", 32, 3, 2, 1, gain=1.0), "features.0.2")
    blocks = sum(stage[3] for stage in V2_L)
    for number, (fused, expansion, channels, repeats, stride) in enumerate(V2_L, start=1):
        block = _fused if fused else _mbconv
        for index in range(repeats):
            path = f"features.{number}.{index}.block"
            step = stride if index == 0 else 1
            residual = step == 1 and x.shape[1] == channels
            y = block(graph, x, path, expansion, channels, step, 4 / blocks if residual else 1.0)
            x = graph.add(y, x, path) if residual else y
    x = graph.silu(graph.conv(x, "features.8.0", 1280, 1, gain=1.0), "features.8.2")
    x = graph.flatten(graph.global_average_pool(x, "avgpool"), "flatten")
    graph.output(graph.linear(x, "classifier.1", 1000), "output")


def _fused(graph, x, path, expansion, channels, stride, gain):
    first = channels if expansion == 1 else x.shape[1] * expansion
    y = graph.conv(x, f"{path}.0.0", first, 3, stride, 1, gain=gain if expansion == 1 else 1.0)
    y = graph.silu(y, f"{path}.0.2")
    if expansion == 1:
        return y
    return graph.conv(y, f"{path}.1.0", channels, 1, gain=SILU_GAIN * gain)


def _mbconv(graph, x, path, expansion, channels, stride, gain):
    hidden = x.shape[1] * expansion
    y = graph.silu(graph.conv(x, f"{path}.0.0", hidden, 1, gain=1.0), f"{path}.0.2")
    y = graph.conv(y, f"{path}.1.0", hidden, 3, stride, 1, groups=hidden, gain=SILU_GAIN)
    y = graph.silu(y, f"{path}.1.2")
    y = _squeeze_excite(graph, y, f"{path}.2", x.shape[1] // 4)
    return graph.conv(y, f"{path}.3.0", channels, 1, gain=SILU_GAIN * GATE_GAIN * gain)


def _squeeze_excite(graph, x, path, squeezed):
    gate = graph.global_average_pool(x, f"{path}.avgpool")
    gate = graph.conv(gate, f"{path}.fc1", squeezed, 1, bias="own")
    gate = graph.silu(gate, f"{path}.activation")
    gate = graph.conv(gate, f"{path}.fc2", x.shape[1], 1, bias="own")
    gate = graph.sigmoid(gate, f"{path}.scale")
    return graph.op("Mul", path, [gate, x], x.shape)
