#pragma once

#include <string>
#include <vector>

#include "hostile_models/hostile_models.h"
#include "support/onnx_writer.h"

namespace cloister {

// What the hostile models are put together from.

/// A model: IR version, (domain, version) of each import, graph, and further fields as they stand.
struct ModelParts {
  OnnxMessage graph;
  std::int64_t ir_version = 8;
  std::vector<std::pair<std::string, std::int64_t>> imports{{"", 17}};
  std::vector<OnnxMessage> functions;
};
ByteVector model_bytes(const ModelParts& parts);

/// x: float32 [1,4] and y: float32, around `nodes`, which make y from x.
OnnxMessage simple_graph(const std::vector<OnnxMessage>& nodes,
                         const std::vector<OnnxMessage>& initializers = {});
/// simple_graph as a model.
ByteVector simple_model(const std::vector<OnnxMessage>& nodes,
                        const std::vector<OnnxMessage>& initializers = {});

OnnxMessage relu(std::string_view input, std::string_view output);
OnnxMessage node_of(std::string_view domain, std::string_view op,
                    const std::vector<std::string>& inputs,
                    const std::vector<std::string>& outputs,
                    const std::vector<OnnxMessage>& attributes = {});

OnnxMessage tensor_attribute_message(std::string_view name, const OnnxMessage& tensor);
OnnxMessage ints_attribute(std::string_view name, const std::vector<std::int64_t>& values);
OnnxMessage floats_attribute(std::string_view name, std::size_t count);
OnnxMessage strings_attribute(std::string_view name, const std::vector<std::string>& values);

/// float32 [4], whole or outside the file.
OnnxMessage small_tensor(std::string_view name);
OnnxMessage external_tensor(std::string_view name, std::string_view location);
/// An int64 list as an initializer.
OnnxMessage int64_tensor(std::string_view name, const std::vector<std::int64_t>& values);
/// A SparseTensorProto, [dense] with one value.
OnnxMessage sparse_tensor(const OnnxMessage& values, const OnnxMessage& indices,
                          std::int64_t dense);

// The lists, by kind; hostile_models() joins them.
std::vector<HostileModel> hostile_references();
std::vector<HostileModel> hostile_operators();
std::vector<HostileModel> hostile_structures();
std::vector<HostileModel> hostile_encodings();
std::vector<HostileModel> hostile_bombs();
std::vector<HostileModel> hostile_trees();

}  // namespace cloister
