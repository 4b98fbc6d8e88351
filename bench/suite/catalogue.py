"""What the suite holds: which builder, which input, which published parameter count."""

from dataclasses import dataclass, field
from types import ModuleType

import densenet
import efficientnet
import inception
import mobilenet
import resnet
import squeezenet
import transformer
import vgg


@dataclass(frozen=True)
class Entry:
    module: ModuleType | None  # None: this one
    build: str
    shape: tuple[int, ...]  # of the one input, float32 unless `vocabulary` says token ids
    published: int | None  # parameters; None where there is no publication to hold it against
    source: str
    arguments: dict = field(default_factory=dict)

    @property
    def vocabulary(self):
        return self.arguments.get("vocabulary")


def identity(graph, x):
    """Nothing to compute: what is measured is everything else."""
    graph.output(graph.op("Identity", "identity", [x], x.shape), "output")


_TORCHVISION = "torchvision documentation, weights' num_params"
_IMAGE = (1, 3, 224, 224)
_TOKENS = (1, 128)


def _resnet(depth, published):
    return Entry(resnet, "resnet", _IMAGE, published, _TORCHVISION, {"depth": depth})


# The thirteen models of the paper's tables.
PAPER = {
    "squeezenet": Entry(squeezenet, "squeezenet", _IMAGE, 1_248_424, _TORCHVISION),
    "mobilenetv2": Entry(mobilenet, "mobilenet_v2", _IMAGE, 3_504_872, _TORCHVISION),
    "resnet18": _resnet(18, 11_689_512),
    "resnet50": _resnet(50, 25_557_032),
    "resnet101": _resnet(101, 44_549_160),
    "resnet152": _resnet(152, 60_192_808),
    "densenet121": Entry(densenet, "densenet121", _IMAGE, 7_978_856, _TORCHVISION),
    "inceptionv3": Entry(
        inception, "inception_v3", (1, 3, 299, 299), 23_834_568,
        "torchvision's num_params 27,161,264 less 3,326,696 of the auxiliary classifier"),
    "efficientnet-lite4": Entry(
        efficientnet, "efficientnet_lite4", (1, 3, 300, 300), 13_006_568,
        "timm, tf_efficientnet_lite4; the authors' table says 13.0 M, input 300 x 300"),
    "efficientnetv2-l": Entry(
        efficientnet, "efficientnet_v2_l", (1, 3, 480, 480), 118_515_272, _TORCHVISION),
    "bert-base": Entry(
        transformer, "bert", _TOKENS, 109_482_240, "transformers, bert-base-uncased",
        {"width": 768, "heads": 12, "layers": 12, "vocabulary": 30522, "context": 512}),
    "gpt2": Entry(
        transformer, "gpt2", _TOKENS, 124_439_808, "transformers, gpt2",
        {"width": 768, "heads": 12, "layers": 12, "vocabulary": 50257, "context": 1024}),
    "lm-830mb": Entry(
        transformer, "gpt2", _TOKENS, None,
        "shape of GPT-2 with the width of GPT-2 medium, 12 layers and a context of 4096",
        {"width": 1024, "heads": 16, "layers": 12, "vocabulary": 50257, "context": 4096}),
}

# Others that single benchmarks want.
EXTRA = {
    "vgg16": Entry(vgg, "vgg16", _IMAGE, 138_357_544, _TORCHVISION),
    "efficientnetv2-l-224": Entry(
        efficientnet, "efficientnet_v2_l", _IMAGE, 118_515_272,
        f"{_TORCHVISION}; smaller input than published"),
    "identity": Entry(None, "identity", (1,), 0, "one number in, the same number out"),
}

MODELS = PAPER | EXTRA
