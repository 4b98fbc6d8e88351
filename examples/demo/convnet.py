"""A small convolutional network for 8 x 8 images, trained in NumPy alone.

Image [N,1,8,8] in 0..1 -> conv 3x3 -> ReLU -> conv 3x3 -> ReLU -> max pool 2x2 -> dense -> ReLU
-> dense -> softmax. Convolutions are matrix products over windows, gradients written by hand.
"""

import numpy as np

LEVEL_MAX = 16  # the pixels' largest grey level
CHANNELS = (12, 24)
HIDDEN = 64
CLASSES = 10
EPOCHS = 40
BATCH = 50
RATE = 2e-3
DECAY = 1e-4
MOMENTS = (0.9, 0.999)


def train(images, labels, seed):
    """Adam with a cosine schedule; each image is shifted by up to one pixel, anew every epoch."""
    random = np.random.default_rng(seed)
    weights = initial_weights(random)
    first = {name: np.zeros_like(array) for name, array in weights.items()}
    second = {name: np.zeros_like(array) for name, array in weights.items()}
    steps = EPOCHS * (len(images) // BATCH)
    step = 0
    for _ in range(EPOCHS):
        order = random.permutation(len(images))[:len(images) // BATCH * BATCH]
        for batch in order.reshape(-1, BATCH):
            step += 1
            rate = RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
            gradients = backward(weights, shifted(images[batch], random), labels[batch])
            for name, gradient in gradients.items():
                first[name] += (1 - MOMENTS[0]) * (gradient - first[name])
                second[name] += (1 - MOMENTS[1]) * (gradient ** 2 - second[name])
                mean = first[name] / (1 - MOMENTS[0] ** step)
                square = second[name] / (1 - MOMENTS[1] ** step)
                weights[name] -= rate * (mean / (np.sqrt(square) + 1e-8) + DECAY * weights[name])
    return weights


def initial_weights(random):
    """He initialisation. Convolutions are [out, in, 3, 3], dense layers [in, out]."""
    shapes = {"conv1": (CHANNELS[0], 1, 3, 3), "conv2": (*CHANNELS[::-1], 3, 3),
              "hidden": (CHANNELS[1] * 16, HIDDEN), "classes": (HIDDEN, CLASSES)}
    weights = {}
    for name, shape in shapes.items():
        fan_in = int(np.prod(shape[1:])) if len(shape) == 4 else shape[0]
        outputs = shape[0] if len(shape) == 4 else shape[1]
        weights[f"{name}.weight"] = random.normal(0, np.sqrt(2 / fan_in), shape)
        weights[f"{name}.bias"] = np.zeros(outputs)
    return weights


def shifted(images, random):
    """Each image moved by -1, 0 or 1 pixel both ways; what comes in is blank."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    rows, columns = random.integers(0, 3, (2, len(images), 1))
    span = np.arange(8)
    number = np.arange(len(images))[:, None, None]
    return padded[number, 0, (rows + span)[:, :, None], (columns + span)[:, None, :]][:, None]


def backward(weights, images, labels):
    """Gradients of the mean cross-entropy over the batch."""
    size = len(images)
    windows1 = windows(images)
    maps1 = np.maximum(convolve(windows1, weights, "conv1"), 0)
    windows2 = windows(maps1)
    maps2 = np.maximum(convolve(windows2, weights, "conv2"), 0)
    cells = maps2.reshape(size, CHANNELS[1], 4, 2, 4, 2)
    pooled = cells.max(axis=(3, 5))
    flat = pooled.reshape(size, -1)
    hidden = np.maximum(flat @ weights["hidden.weight"] + weights["hidden.bias"], 0)
    scores = hidden @ weights["classes.weight"] + weights["classes.bias"]
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    slope = scores / scores.sum(axis=1, keepdims=True)
    slope[np.arange(size), labels] -= 1
    slope /= size
    gradients = dense_gradients("classes", hidden, slope)
    slope = slope @ weights["classes.weight"].T * (hidden > 0)
    gradients |= dense_gradients("hidden", flat, slope)
    slope = (slope @ weights["hidden.weight"].T).reshape(pooled.shape)
    winners = cells == pooled[:, :, :, None, :, None]
    slope = (winners * slope[:, :, :, None, :, None]).reshape(maps2.shape) * (maps2 > 0)
    gradients |= convolution_gradients("conv2", windows2, slope)
    # The gradient through a 3x3 convolution is a convolution with the kernel turned around.
    turned = weights["conv2.weight"][:, :, ::-1, ::-1].swapaxes(0, 1)
    slope = product(windows(slope), turned) * (maps1 > 0)
    gradients |= convolution_gradients("conv1", windows1, slope)
    return gradients


def windows(maps):
    """[N,C,8,8] to its 3x3 neighbourhoods, [N,8,8,C*9]."""
    padded = np.pad(maps, ((0, 0), (0, 0), (1, 1), (1, 1)))
    view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return view.transpose(0, 2, 3, 1, 4, 5).reshape(len(maps), 8, 8, -1)


def product(neighbourhoods, kernel):
    return (neighbourhoods @ kernel.reshape(len(kernel), -1).T).transpose(0, 3, 1, 2)


def convolve(neighbourhoods, weights, name):
    bias = weights[f"{name}.bias"][:, None, None]
    return product(neighbourhoods, weights[f"{name}.weight"]) + bias


def dense_gradients(name, inputs, slope):
    return {f"{name}.weight": inputs.T @ slope, f"{name}.bias": slope.sum(axis=0)}


def convolution_gradients(name, neighbourhoods, slope):
    flat = slope.transpose(0, 2, 3, 1).reshape(-1, slope.shape[1])
    weight = flat.T @ neighbourhoods.reshape(len(flat), -1)
    return {f"{name}.weight": weight.reshape(slope.shape[1], -1, 3, 3),
            f"{name}.bias": flat.sum(axis=0)}
