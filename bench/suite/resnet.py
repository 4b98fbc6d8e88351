"""ResNet (He et al., 2015) with the stride on the 3x3 convolution, as torchvision has it."""

LAYERS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def resnet(graph, x, depth):
    blocks = sum(LAYERS[depth])
    x = graph.relu(graph.conv(x, "conv1", 64, 7, 2, 3), "relu")
    x = graph.max_pool(x, "maxpool", 3, 2, 1)
    block = _basic if depth == 18 else _bottleneck
    for stage, repeats in enumerate(LAYERS[depth]):
        for index in range(repeats):
            stride = 2 if stage > 0 and index == 0 else 1
            x = block(graph, x, f"layer{stage + 1}.{index}", 64 << stage, stride, 2.0 / blocks)
    x = graph.flatten(graph.global_average_pool(x, "avgpool"), "flatten")
    graph.output(graph.linear(x, "fc", 1000), "output")


def _basic(graph, x, path, width, stride, gain):
    y = graph.relu(graph.conv(x, f"{path}.conv1", width, 3, stride, 1), f"{path}.relu")
    y = graph.conv(y, f"{path}.conv2", width, 3, 1, 1, gain=gain)
    return _join(graph, x, y, path, stride)


def _bottleneck(graph, x, path, width, stride, gain):
    y = graph.relu(graph.conv(x, f"{path}.conv1", width, 1), f"{path}.relu")
    y = graph.relu(graph.conv(y, f"{path}.conv2", width, 3, stride, 1), f"{path}.relu")
    y = graph.conv(y, f"{path}.conv3", 4 * width, 1, gain=gain)
    return _join(graph, x, y, path, stride)


def _join(graph, x, y, path, stride):
    """The branch's gain is small, so that the sum over all blocks stays near unit variance."""
    if x.shape != y.shape:
        x = graph.conv(x, f"{path}.downsample.0", y.shape[1], 1, stride)
    return graph.relu(graph.add(y, x, path), f"{path}.relu")
