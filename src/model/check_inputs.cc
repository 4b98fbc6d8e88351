#include <algorithm>
#include <map>
#include <set>

#include "base/limits.h"
#include "model/model.h"

namespace cloister {
namespace {

std::string quoted(const std::string& name) { return "input \"" + name + "\": "; }

Error invalid(std::string text) {
  return Error{Code::invalid, "model.check_inputs", Detail(std::move(text))};
}

/// "float32 [batch,30]"; an open extent without a symbol is -1, as in the protocol.
std::string text_of(const TensorSpec& spec) {
  std::string text(numpy_name(spec.type));
  if (!spec.rank_known) return text + " of any shape";
  text += " [";
  for (std::size_t i = 0; i < spec.extents.size(); ++i) {
    const Extent& extent = spec.extents[i];
    if (i > 0) text += ',';
    text += extent.value ? std::to_string(*extent.value)
                         : (extent.symbol.empty() ? "-1" : extent.symbol);
  }
  return text + ']';
}

bool fits(const TensorSpec& spec, const TensorView& tensor) {
  if (tensor.type != spec.type) return false;
  if (!spec.rank_known) return true;
  if (tensor.shape.size() != spec.extents.size()) return false;
  for (std::size_t i = 0; i < spec.extents.size(); ++i) {
    if (spec.extents[i].value && *spec.extents[i].value != tensor.shape[i]) return false;
  }
  return true;
}

/// What a symbol stands for in this request, and the input that said so first.
struct Binding {
  std::uint64_t value;
  const std::string* input;
};
using Bindings = std::map<std::string, Binding>;

Status bind_symbols(const TensorSpec& spec, const Shape& shape, Bindings& bindings) {
  for (std::size_t i = 0; i < spec.extents.size(); ++i) {
    const Extent& extent = spec.extents[i];
    if (extent.value || extent.symbol.empty()) continue;
    const auto [place, is_new] = bindings.insert({extent.symbol, {shape[i], &spec.name}});
    if (is_new || place->second.value == shape[i]) continue;
    return invalid(quoted(spec.name) + "dimension " + std::to_string(i) + " (" + extent.symbol +
                   ") is " + std::to_string(shape[i]) + ", but " +
                   std::to_string(place->second.value) + " in input \"" + *place->second.input +
                   "\"");
  }
  return Done{};
}

/// The content that the runtime relies on: sizes, lengths of BYTES elements, booleans 0 or 1.
Status check_content(const std::string& name, const TensorView& tensor) {
  const Result<std::uint64_t> count = element_count(tensor.shape);
  if (!count.ok()) {
    return Error{Code::too_large, "model.input_elements", Detail(quoted(name) + "too large")};
  }
  if (tensor.type == DType::bytes) {
    if (bytes_elements(tensor.data, count.value()).ok()) return Done{};
    return invalid(quoted(name) + "the data does not hold " + std::to_string(count.value()) +
                   " length-prefixed elements");
  }
  const Result<std::uint64_t> expected = tensor_bytes(tensor.type, tensor.shape);
  if (!expected.ok()) {
    return Error{Code::too_large, "model.input_bytes", Detail(quoted(name) + "too large")};
  }
  if (expected.value() != tensor.data.size()) {
    return invalid(quoted(name) + "expected " + std::to_string(expected.value()) +
                   " bytes of data, got " + std::to_string(tensor.data.size()));
  }
  if (tensor.type != DType::boolean) return Done{};
  const auto is_truth = [](std::byte value) { return value <= std::byte{1}; };
  if (std::ranges::all_of(tensor.data, is_truth)) return Done{};
  return invalid(quoted(name) + "a boolean is neither 0 nor 1");
}

const TensorSpec* find_spec(const Signature& signature, const std::string& name) {
  for (const auto* list : {&signature.inputs, &signature.optional_inputs}) {
    for (const TensorSpec& spec : *list) {
      if (spec.name == name) return &spec;
    }
  }
  return nullptr;
}

Error unknown_input(const Signature& signature, const std::string& name) {
  constexpr std::size_t kNamed = 8;
  std::string text = quoted(name) + "the model has no such input; it takes";
  for (std::size_t i = 0; i < std::min(signature.inputs.size(), kNamed); ++i) {
    text += (i > 0 ? ", \"" : " \"") + signature.inputs[i].name + '"';
  }
  if (signature.inputs.size() > kNamed) text += " and more";
  return invalid(std::move(text));
}

}  // namespace

Status check_inputs(const Signature& signature, const std::vector<NamedTensorView>& inputs) {
  std::set<std::string_view> seen;
  Bindings bindings;
  for (const NamedTensorView& input : inputs) {
    const TensorSpec* spec = find_spec(signature, input.name);
    if (!spec) return unknown_input(signature, input.name);
    if (!seen.insert(input.name).second) return invalid(quoted(input.name) + "given twice");
    if (!fits(*spec, input.tensor)) {
      return invalid(quoted(input.name) + "expected " + text_of(*spec) + ", got " +
                     std::string(numpy_name(input.tensor.type)) + ' ' +
                     text_of(input.tensor.shape));
    }
    CLOISTER_TRY(check_content(input.name, input.tensor));
    if (spec->rank_known) CLOISTER_TRY(bind_symbols(*spec, input.tensor.shape, bindings));
  }
  for (const TensorSpec& spec : signature.inputs) {
    if (seen.contains(spec.name)) continue;
    return invalid(quoted(spec.name) + "missing; expected " + text_of(spec));
  }
  return Done{};
}

std::optional<std::uint64_t> input_bytes_bound(const Signature& signature) {
  std::uint64_t total = 0;
  for (const auto* list : {&signature.inputs, &signature.optional_inputs}) {
    for (const TensorSpec& spec : *list) {
      if (!spec.rank_known || spec.type == DType::bytes) return std::nullopt;
      Shape shape;
      for (const Extent& extent : spec.extents) {
        if (!extent.value) return std::nullopt;
        shape.push_back(*extent.value);
      }
      const Result<std::uint64_t> bytes = tensor_bytes(spec.type, shape);
      if (!bytes.ok()) return std::nullopt;
      const Result<std::uint64_t> sum = checked_add(total, bytes.value());
      if (!sum.ok()) return std::nullopt;
      total = sum.value();
    }
  }
  return total;
}

}  // namespace cloister
