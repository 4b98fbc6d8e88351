#pragma once

#include <variant>

#include "base/bytes.h"
#include "graph/onnx/proto.h"
#include "graph/onnx/wire.h"

namespace cloister {

/// The model in `file`, a serialised ModelProto, or the first thing that is wrong with its bytes:
/// the wire format, a field that may stand once and stands twice, a name that is no text, or one of
/// the limits. Reads each byte of the structure once and none of the raw weights. Unknown fields,
/// documentation, metadata and shape hints are read past and left out. The model's views point
/// into `file`.
std::variant<Model, WireFault> decode_model(Bytes file);

}  // namespace cloister
