#!/usr/bin/env python3
"""Holds the suite against the reference implementations in torchvision, timm and transformers.

The weights of a generated model are put into the reference network (without its own weights),
both get the same input, and the answers must agree, as must the number of parameters. Needs
torch, torchvision, timm, transformers, onnx and onnxruntime; made with torch 2.15.0,
torchvision 0.29.2, timm 1.0.31 and transformers 5.23.0.

  compare_reference.py --out DIR [NAME...]
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import timm
import torch
import transformers
from onnx import numpy_helper
from torch import nn
from torchvision import models

DIFFERENCE_MAX = 1e-4  # relative to the answers' standard deviation


def language_model(**settings):
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**settings))


REFERENCES = {
    "squeezenet": models.squeezenet1_0,
    "mobilenetv2": models.mobilenet_v2,
    "resnet18": models.resnet18,
    "resnet50": models.resnet50,
    "resnet101": models.resnet101,
    "resnet152": models.resnet152,
    "densenet121": models.densenet121,
    "inceptionv3": lambda: models.inception_v3(init_weights=False, transform_input=False),
    "efficientnet-lite4": lambda: timm.create_model("tf_efficientnet_lite4"),
    "efficientnetv2-l": models.efficientnet_v2_l,
    "bert-base": lambda: transformers.BertModel(transformers.BertConfig()),
    "gpt2": language_model,
    "lm-830mb": lambda: language_model(n_embd=1024, n_head=16, n_positions=4096),
    "vgg16": models.vgg16,
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all with a reference")
    parser.add_argument("--out", type=Path, required=True, help="where generate.py has written")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    agree = [compare(arguments.out, name) for name in arguments.names or REFERENCES]
    return 0 if all(agree) else 1


@torch.no_grad()
def compare(out, name):
    record = json.loads((out / f"{name}.json").read_text())
    reference = REFERENCES[name]().eval()
    tensors = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
               for tensor in onnx.load(out / f"{name}.onnx").graph.initializer
               if not tensor.name.startswith("onnx::")}
    text = isinstance(reference, transformers.PreTrainedModel)
    (fill_by_name if text else fill_in_order)(reference, tensors)
    sample = np.load(out / f"{name}.input.npy")
    session = onnxruntime.InferenceSession(str(out / f"{name}.onnx"))
    answers = session.run(None, {session.get_inputs()[0].name: sample})
    expected = reference(torch.from_numpy(sample))
    expected = list(expected.to_tuple())[:len(answers)] if text else [expected]
    difference = max(np.abs(each - wanted.numpy()).max() / each.std()
                     for each, wanted in zip(answers, expected))
    parameters = sum(each.numel() for part, each in reference.named_parameters()
                     if not part.startswith("AuxLogits"))
    good = difference < DIFFERENCE_MAX and parameters == record["architecture_parameters"]
    print(f"{name}: {parameters:,} parameters in the reference, "
          f"{record['architecture_parameters']:,} here; largest difference {difference:.1e} "
          f"standard deviations: {'agrees' if good else 'DOES NOT AGREE'}", flush=True)
    return good


def fill_by_name(reference, tensors):
    state = reference.state_dict()
    for name, tensor in tensors.items():
        # A MatMul takes its weights as [in, out], a torch linear layer as [out, in].
        turned = name.startswith("encoder.") and tensor.ndim == 2
        fill(state[name], tensor.T if turned else tensor)


def fill_in_order(reference, tensors):
    """Both sides list their layers in the order of execution. A batch norm that was folded into
    its convolution becomes a plain addition of the bias."""
    stems = iter(name.removesuffix(".weight") for name in tensors if name.endswith(".weight"))
    pending = None  # the bias of a convolution that has none in the reference
    for name, module in reference.named_modules():
        if name.startswith("AuxLogits"):
            continue
        if isinstance(module, nn.Conv2d | nn.Linear):
            stem = next(stems)
            fill(module.weight, tensors[f"{stem}.weight"])
            bias = tensors.get(f"{stem}.bias")
            if module.bias is not None:
                fill(module.bias, bias)
            pending = bias if module.bias is None else None
        elif isinstance(module, nn.BatchNorm2d) and pending is not None:
            module.eps = 0.0
            for part, value in (("weight", 1.0), ("running_mean", 0.0), ("running_var", 1.0)):
                getattr(module, part).fill_(value)
            fill(module.bias, pending)
            pending = None
        elif isinstance(module, nn.BatchNorm2d):
            stem = next(stems)
            for part in ("weight", "bias", "running_mean", "running_var"):
                fill(getattr(module, part), tensors[f"{stem}.{part}"])
    if next(stems, None) is not None:
        raise SystemExit("the reference has fewer layers")


def fill(target, source):
    """Copies without broadcasting, which would hide a wrong shape."""
    if target.shape != source.shape:
        raise SystemExit(f"shape {list(source.shape)} here, {list(target.shape)} in the reference")
    target.copy_(source)


if __name__ == "__main__":
    sys.exit(main())
