"""VGG-16 (Simonyan and Zisserman, 2014), configuration D, without batch norm."""

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def vgg16(graph, x):
    number = 0
    for channels, repeats in STAGES:
        for _ in range(repeats):
            x = graph.conv(x, f"features.{number}", channels, 3, 1, 1, bias="own")
            x = graph.relu(x, f"features.{number + 1}")
            number += 2
        x = graph.max_pool(x, f"features.{number}", 2, 2)
        number += 1
    x = graph.flatten(x, "flatten")  # the average pool before it is an identity at 224 x 224
    x = graph.relu(graph.linear(x, "classifier.0", 4096), "classifier.1")
    x = graph.relu(graph.linear(x, "classifier.3", 4096, gain=2.0), "classifier.4")
    graph.output(graph.linear(x, "classifier.6", 1000), "output")
