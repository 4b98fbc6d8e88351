"""MobileNetV2 (Sandler et al., 2018), width 1.0."""

# expansion, channels, repeats, stride of the first
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
          (6, 160, 3, 2), (6, 320, 1, 1))


def mobilenet_v2(graph, x):
    x = graph.relu6(graph.conv(x, "features.0.0", 32, 3, 2, 1), "features.0.2")
    number = 1
    for expansion, channels, repeats, stride in STAGES:
        for index in range(repeats):
            x = inverted_residual(graph, x, f"features.{number}", expansion, channels, 3,
                                  stride if index == 0 else 1)
            number += 1
    x = graph.relu6(graph.conv(x, f"features.{number}.0", 1280, 1, gain=1.0), "features.18.2")
    x = graph.flatten(graph.global_average_pool(x, "pool"), "flatten")
    graph.output(graph.linear(x, "classifier.1", 1000), "output")


def inverted_residual(graph, x, path, expansion, channels, kernel, stride, padding=None):
    """Expand, filter depthwise, project; the projection is linear. `padding` is the depthwise
    convolution's, half the kernel unless given."""
    hidden = x.shape[1] * expansion
    padding = kernel // 2 if padding is None else padding
    residual = stride == 1 and x.shape[1] == channels
    y = x
    if expansion != 1:
        y = graph.relu6(graph.conv(y, f"{path}.expand", hidden, 1, gain=1.0), f"{path}.expand")
    y = graph.relu6(graph.conv(y, f"{path}.depthwise", hidden, kernel, stride, padding,
                               groups=hidden), f"{path}.depthwise")
    y = graph.conv(y, f"{path}.project", channels, 1, gain=0.5 if residual else 2.0)
    return graph.add(x, y, path) if residual else y
