"""Inception-V3 (Szegedy et al., 2015) as torchvision has it, without the auxiliary classifier,
which an export in evaluation mode leaves out."""


def inception_v3(graph, x):
    unit = _unit_of(graph)
    x = unit(x, "Conv2d_1a_3x3", 32, 3, 2)
    x = unit(x, "Conv2d_2a_3x3", 32, 3)
    x = unit(x, "Conv2d_2b_3x3", 64, 3, 1, 1)
    x = graph.max_pool(x, "maxpool1", 3, 2)
    x = unit(x, "Conv2d_3b_1x1", 80, 1)
    x = unit(x, "Conv2d_4a_3x3", 192, 3)
    x = graph.max_pool(x, "maxpool2", 3, 2)
    for name, channels in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
        x = _block_a(graph, unit, x, name, channels)
    x = _block_b(graph, unit, x, "Mixed_6a")
    for name, channels in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160),
                           ("Mixed_6e", 192)):
        x = _block_c(graph, unit, x, name, channels)
    x = _block_d(graph, unit, x, "Mixed_7a")
    x = _block_e(graph, unit, x, "Mixed_7b")
    x = _block_e(graph, unit, x, "Mixed_7c")
    x = graph.flatten(graph.global_average_pool(x, "avgpool"), "flatten")
    graph.output(graph.linear(x, "fc", 1000), "output")


def _unit_of(graph):
    """Convolution with its folded batch norm, then a rectifier: the only unit there is."""
    def unit(x, path, channels, kernel, stride=1, padding=0):
        return graph.relu(graph.conv(x, f"{path}.conv", channels, kernel, stride, padding), path)

    return unit


def _chain(unit, x, *layers):
    for layer in layers:
        x = unit(x, *layer)
    return x


def _block_a(graph, unit, x, path, pooled):
    one = unit(x, f"{path}.branch1x1", 64, 1)
    five = _chain(unit, x, (f"{path}.branch5x5_1", 48, 1),
                  (f"{path}.branch5x5_2", 64, 5, 1, 2))
    double = _chain(unit, x, (f"{path}.branch3x3dbl_1", 64, 1),
                    (f"{path}.branch3x3dbl_2", 96, 3, 1, 1),
                    (f"{path}.branch3x3dbl_3", 96, 3, 1, 1))
    pool = unit(graph.average_pool(x, path, 3, 1, 1), f"{path}.branch_pool", pooled, 1)
    return graph.concat([one, five, double, pool], path)


def _block_b(graph, unit, x, path):
    three = unit(x, f"{path}.branch3x3", 384, 3, 2)
    double = _chain(unit, x, (f"{path}.branch3x3dbl_1", 64, 1),
                    (f"{path}.branch3x3dbl_2", 96, 3, 1, 1),
                    (f"{path}.branch3x3dbl_3", 96, 3, 2))
    return graph.concat([three, double, graph.max_pool(x, path, 3, 2)], path)


def _block_c(graph, unit, x, path, inner):
    row, column = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))
    one = unit(x, f"{path}.branch1x1", 192, 1)
    seven = _chain(unit, x, (f"{path}.branch7x7_1", inner, 1),
                   (f"{path}.branch7x7_2", inner, *row), (f"{path}.branch7x7_3", 192, *column))
    double = _chain(unit, x, (f"{path}.branch7x7dbl_1", inner, 1),
                    (f"{path}.branch7x7dbl_2", inner, *column),
                    (f"{path}.branch7x7dbl_3", inner, *row),
                    (f"{path}.branch7x7dbl_4", inner, *column),
                    (f"{path}.branch7x7dbl_5", 192, *row))
    pool = unit(graph.average_pool(x, path, 3, 1, 1), f"{path}.branch_pool", 192, 1)
    return graph.concat([one, seven, double, pool], path)


def _block_d(graph, unit, x, path):
    three = _chain(unit, x, (f"{path}.branch3x3_1", 192, 1), (f"{path}.branch3x3_2", 320, 3, 2))
    seven = _chain(unit, x, (f"{path}.branch7x7x3_1", 192, 1),
                   (f"{path}.branch7x7x3_2", 192, (1, 7), 1, (0, 3)),
                   (f"{path}.branch7x7x3_3", 192, (7, 1), 1, (3, 0)),
                   (f"{path}.branch7x7x3_4", 192, 3, 2))
    return graph.concat([three, seven, graph.max_pool(x, path, 3, 2)], path)


def _block_e(graph, unit, x, path):
    def fork(y, name):
        return [unit(y, f"{path}.{name}a", 384, (1, 3), 1, (0, 1)),
                unit(y, f"{path}.{name}b", 384, (3, 1), 1, (1, 0))]

    one = unit(x, f"{path}.branch1x1", 320, 1)
    three = fork(unit(x, f"{path}.branch3x3_1", 384, 1), "branch3x3_2")
    double = fork(_chain(unit, x, (f"{path}.branch3x3dbl_1", 448, 1),
                         (f"{path}.branch3x3dbl_2", 384, 3, 1, 1)), "branch3x3dbl_3")
    pool = unit(graph.average_pool(x, path, 3, 1, 1), f"{path}.branch_pool", 192, 1)
    return graph.concat([one, *three, *double, pool], path)
