"""DenseNet-121 (Huang et al., 2016): growth 32, bottleneck 4, compression 0.5.

A layer is norm, relu, 1x1 convolution, norm, relu, 3x3 convolution. The second norm follows a
convolution and is folded into it; the first follows a concatenation and stays a node.
"""

BLOCKS = (6, 12, 24, 16)
GROWTH = 32


def densenet121(graph, x):
    x = graph.relu(graph.conv(x, "features.conv0", 64, 7, 2, 3, gain=1.0), "features.relu0")
    x = graph.max_pool(x, "features.pool0", 3, 2, 1)
    for number, layers in enumerate(BLOCKS, start=1):
        x = _block(graph, x, f"features.denseblock{number}", layers)
        if number < len(BLOCKS):
            path = f"features.transition{number}"
            x = graph.relu(graph.batch_norm(x, f"{path}.norm"), f"{path}.relu")
            x = graph.conv(x, f"{path}.conv", x.shape[1] // 2, 1, bias=None)
            x = graph.average_pool(x, f"{path}.pool", 2, 2)
    x = graph.relu(graph.batch_norm(x, "features.norm5"), "relu")
    x = graph.flatten(graph.global_average_pool(x, "pool"), "flatten")
    graph.output(graph.linear(x, "classifier", 1000), "output")


def _block(graph, x, path, layers):
    features = [x]
    for number in range(1, layers + 1):
        layer = f"{path}.denselayer{number}"
        y = graph.concat(features, layer) if len(features) > 1 else x
        y = graph.relu(graph.batch_norm(y, f"{layer}.norm1"), f"{layer}.relu1")
        y = graph.relu(graph.conv(y, f"{layer}.conv1", 4 * GROWTH, 1), f"{layer}.relu2")
        features.append(graph.conv(y, f"{layer}.conv2", GROWTH, 3, 1, 1, bias=None))
    return graph.concat(features, path)
