#include "support/admitted.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "graph/admission.h"

namespace cloister {
namespace {

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

}  // namespace

Admitted admit_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) give_up("cannot read " + path);
  const auto size = static_cast<std::size_t>(file.tellg());
  PrivateMemory upload = PrivateMemory::reserve(size).value();
  file.seekg(0);
  file.read(reinterpret_cast<char*>(upload.bytes().data()), static_cast<std::streamsize>(size));
  const GraphAdmission admission(AdmissionBudget{});
  AdmissionVerdict verdict = admission.admit(upload.bytes());
  if (const auto* findings = std::get_if<std::vector<Finding>>(&verdict)) {
    give_up(path + " is refused: " + findings->front().rule + " " + findings->front().where);
  }
  const ValidatedModel& model = std::get<ValidatedModel>(verdict);
  Admitted admitted{model.bundle(), PrivateMemory::reserve(
                                        std::max<std::uint64_t>(1, model.bundle().weights_bytes))
                                        .value()};
  for (const WeightPiece& piece : model.weights()) {
    std::copy(piece.source.begin(), piece.source.end(),
              admitted.weights.bytes().begin() + static_cast<std::ptrdiff_t>(piece.offset));
  }
  return admitted;
}

Inputs inputs_of(const Signature& signature) {
  Inputs inputs;
  for (const TensorSpec& spec : signature.inputs) {
    Shape shape;
    for (const Extent& extent : spec.extents) shape.push_back(extent.value.value_or(1));
    const std::uint64_t count = element_count(shape).value();
    ByteVector bytes(tensor_bytes(spec.type, shape).value());
    for (std::uint64_t i = 0; i < count; ++i) {
      if (spec.type == DType::f32) {
        const float value = std::sin(static_cast<float>(i) * 0.7F) * 0.5F;
        std::memcpy(bytes.data() + i * sizeof(value), &value, sizeof(value));
      } else {
        bytes[i * element_bytes(spec.type)] = std::byte{1};
      }
    }
    inputs.memory.push_back(std::move(bytes));
    inputs.views.push_back({spec.name, {spec.type, shape, inputs.memory.back()}});
  }
  return inputs;
}

}  // namespace cloister
