"""Each network of `minifcn.models` as nodes of ONNX: the same lines as its `forward`.

What stands here and in `forward` must agree; so no file is written before it was run, and its
scores compared with the network's own (see check.py).
"""

from __future__ import annotations

import numpy as np

from minifcn.models import (
    FCN,
    VGG,
    VGGFCN,
    Classifier,
    EncoderDecoder,
    ScoreMaps,
    SegNet,
    efficientnet_lite,
    squeezenet,
)
from minifcn.models.decoders import DecoderStage
from minifcn.models.vgg_fcn import AT_ONCE_SCALES, DEPTHS, UPSAMPLING
from minifcn.onnx_export.graph import Graph, Name, Translation
from minifcn.onnx_export.layers import LAYERS, conv2d

# -- FCN and its backbones -----------------------------------------------------------------------


def _fcn(graph: Graph, model: FCN, images: Name) -> Name:
    maps = graph(model.backbone, graph.padded(images, 32))
    scores = graph(model.score_fr, graph(model.fc7, graph(model.fc6, maps[32])))
    if model.stride <= 16:
        scores = graph.plus(graph(model.upscore2, scores), graph(model.score_pool4, maps[16]))
    if model.stride <= 8:
        scores = graph.plus(graph(model.upscore_pool4, scores), graph(model.score_pool3, maps[8]))
    if model.stride <= 4:
        scores = graph.plus(graph(model.upscore_pool3, scores), graph(model.score_pool2, maps[4]))
    return graph.cropped(graph(model.upscore, scores), images)


def _vgg(graph: Graph, backbone: VGG, x: Name) -> dict[int, Name]:
    pool2 = graph(backbone.stage2, graph(backbone.stage1, x))
    pool3 = graph(backbone.stage3, pool2)
    pool4 = graph(backbone.stage4, pool3)
    return {4: pool2, 8: pool3, 16: pool4, 32: graph(backbone.stage5, pool4)}


def _efficientnet_maps(
    graph: Graph, backbone: efficientnet_lite.EfficientNetLite0Backbone, x: Name
) -> dict[int, Name]:
    x, maps = graph(backbone.bn0, graph(backbone.conv_stem, x)), {}
    for number, bottleneck in enumerate(backbone.blocks):
        x = graph(bottleneck, x)
        if number in efficientnet_lite.LAST:
            maps[efficientnet_lite.LAST[number]] = x
    return maps


def _bottleneck(graph: Graph, block: efficientnet_lite.Bottleneck, x: Name) -> Name:
    wide = x
    if block.expands:
        wide = graph(block.bn0, graph(block.expand_conv, x))
    filtered = graph(block.bn1, graph(block.depthwise_conv, wide))
    narrow = graph(block.bn2, graph(block.project_conv, filtered))
    return graph.plus(x, narrow) if block.adds else narrow


def _same_conv2d(graph: Graph, layer: efficientnet_lite.SameConv2d, x: Name) -> Name:
    """ONNX has TensorFlow's SAME; UPPER: the larger half of an odd number of pixels after."""
    return conv2d(graph, layer, x, auto_pad="SAME_UPPER")


def _squeezenet_maps(
    graph: Graph, backbone: squeezenet.SqueezeNetBackbone, x: Name
) -> dict[int, Name]:
    maps = _squeezenet_levels(graph, backbone, graph.pad(x, (1, 0, 1, 0)))
    return {**maps, 32: graph.max_pool2d(maps[16], 2)}


def _squeezenet_levels(
    graph: Graph, backbone: squeezenet.SqueezeNetBackbone, x: Name
) -> dict[int, Name]:
    x, maps = graph(backbone.pool, graph(backbone.conv1, x)), {}
    for number in squeezenet.FIRES:
        x = graph(getattr(backbone, f"fire{number}"), x)
        if number in squeezenet.LAST:
            maps[squeezenet.LAST[number]] = x
        x = graph(backbone.pool, x) if number in squeezenet.POOLED else x
    return maps


def _fire(graph: Graph, fire: squeezenet.Fire, x: Name) -> Name:
    x = graph(fire.squeeze1x1, x)
    return graph.cat(graph(fire.expand1x1, x), graph(fire.expand3x3, x))


# -- The paper's networks on VGG16 ---------------------------------------------------------------


def _vgg_fcn(graph: Graph, model: VGGFCN, images: Name) -> Name:
    pools, x = [], images
    for stage, depth in enumerate(DEPTHS, 1):
        for i in range(1, depth + 1):
            x = graph(getattr(model, f"conv{stage}_{i}"), x)
        x = graph(model.pool, x)
        pools.append(x)
    scores = graph(model.score_fr, graph(model.fc7, graph(model.fc6, x)))
    if model.stride <= 16:
        scores = _skip(graph, model, graph(model.upscore2, scores), "score_pool4", pools[3])
    if model.stride == 8:
        scores = _skip(graph, model, graph(model.upscore_pool4, scores), "score_pool3", pools[2])
    upsampled = graph(getattr(model, UPSAMPLING[model.stride]), scores)
    return graph.cropped(upsampled, images, model.crops["scores"])


def _skip(graph: Graph, model: VGGFCN, coarse: Name, name: str, features: Name) -> Name:
    if model.at_once:
        features = graph.times(features, AT_ONCE_SCALES[name])
    finer = graph.cropped(graph(getattr(model, name), features), coarse, model.crops[name])
    return graph.plus(coarse, finer)


# -- Classifiers ---------------------------------------------------------------------------------


def _classifier(graph: Graph, model: Classifier, images: Name) -> Name:
    features = graph(model.features, graph.padded(images, model.stride))
    return graph(model.classifier, graph.global_average(features))


def _score_maps(graph: Graph, model: ScoreMaps, images: Name) -> Name:
    return graph(model.score, graph(model.features, graph.padded(images, model.stride)))


def _efficientnet(graph: Graph, model: efficientnet_lite.EfficientNetLite0, images: Name) -> Name:
    x = _efficientnet_maps(graph, model, images)[32]
    x = graph(model.bn1, graph(model.conv_head, x))
    return graph(model.fc, graph.global_average(x))


def _squeezenet(graph: Graph, model: squeezenet.SqueezeNet, images: Name) -> Name:
    x = _squeezenet_levels(graph, model, images)[16]
    return graph.global_average(graph(model.conv10, x))


# -- Encoder and decoder -------------------------------------------------------------------------


def _encoder_decoder(graph: Graph, model: EncoderDecoder, images: Name) -> Name:
    x, switches = graph.padded(images, 2 ** len(model.encoder)), []
    for stage in model.encoder:
        x, indices = graph.max_pool2d_with_indices(graph(stage, x), 2)
        switches.append(indices)
    for stage, indices in zip(model.decoder, reversed(switches), strict=True):
        x = graph(stage, x, indices)
    return graph.cropped(graph(model.score, x), images)


def _decoder_stage(graph: Graph, stage: DecoderStage, x: Name, switches: Name) -> Name:
    way = stage.decoder.split("_")[0]
    if way in ("nearest", "bilinear"):
        x = graph.doubled(x, way)
    elif way == "unpooling":
        x = graph.max_unpool2d(x, switches, 2)
    elif way == "bed":
        x = _nails(graph, x, stage.learned[0].weight.shape[1])
    return graph(stage.learned, x) if "learned" in dict(stage.children()) else x


def _nails(graph: Graph, x: Name, channels: int) -> Name:
    """Each value stamps a kernel of 2x2 that is 1 at its upper left."""
    kernel = np.zeros((channels, 1, 2, 2))
    kernel[:, :, 0, 0] = 1
    kernel_name = graph.constant(kernel, np.float32)
    return graph.add("ConvTranspose", x, kernel_name, strides=[2, 2], group=channels)


TRANSLATIONS: dict[type, Translation] = {
    **LAYERS,
    FCN: _fcn,
    VGG: _vgg,
    efficientnet_lite.EfficientNetLite0Backbone: _efficientnet_maps,
    efficientnet_lite.EfficientNetLite0: _efficientnet,
    efficientnet_lite.Bottleneck: _bottleneck,
    efficientnet_lite.SameConv2d: _same_conv2d,
    squeezenet.SqueezeNetBackbone: _squeezenet_maps,
    squeezenet.SqueezeNet: _squeezenet,
    squeezenet.Fire: _fire,
    VGGFCN: _vgg_fcn,
    Classifier: _classifier,
    ScoreMaps: _score_maps,
    EncoderDecoder: _encoder_decoder,
    SegNet: _encoder_decoder,
    DecoderStage: _decoder_stage,
}
