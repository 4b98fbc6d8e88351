"""SqueezeNet 1.0 (Iandola et al., 2016), without its pre-training extras."""

# squeeze, expand to each of 1x1 and 3x3, by the number the fire module has in torchvision
FIRES = {3: (16, 64), 4: (16, 64), 5: (32, 128), 7: (32, 128), 8: (48, 192), 9: (48, 192),
         10: (64, 256), 12: (64, 256)}
POOLS = (2, 6, 11)


def squeezenet(graph, x):
    x = graph.relu(graph.conv(x, "features.0", 96, 7, 2, bias="own"), "features.1")
    for number in range(2, 13):
        path = f"features.{number}"
        if number in POOLS:
            x = graph.max_pool(x, path, 3, 2, ceil=True)
        else:
            x = _fire(graph, x, path, *FIRES[number])
    x = graph.relu(graph.conv(x, "classifier.1", 1000, 1, bias="own"), "classifier.2")
    graph.output(graph.flatten(graph.global_average_pool(x, "classifier.3"), "flatten"), "output")


def _fire(graph, x, path, squeeze, expand):
    x = graph.relu(graph.conv(x, f"{path}.squeeze", squeeze, 1, bias="own"),
                   f"{path}.squeeze")
    one, three = (graph.relu(graph.conv(x, f"{path}.expand{size}x{size}", expand, size, 1,
                                        size // 2, bias="own"), f"{path}.expand{size}x{size}")
                  for size in (1, 3))
    return graph.concat([one, three], path)
