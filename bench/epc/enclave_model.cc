#include "epc/enclave_model.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "engine/ort/ort_tensors.h"
#include "epc/inside.h"

namespace cloister {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

}  // namespace

EnclaveBytes::EnclaveBytes(std::size_t count) : count_(count) {
  const Side inside(true);
  start_ = std::make_unique_for_overwrite<std::byte[]>(count);
}

EnclaveBytes read_into_enclave(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::exit(1);
  }
  const auto size = static_cast<std::size_t>(file.tellg());
  file.seekg(0);
  EnclaveBytes content(size);
  ByteVector piece(kPieceBytes);
  for (std::size_t done = 0; done < size; done += kPieceBytes) {
    const std::size_t count = std::min(kPieceBytes, size - done);
    file.read(reinterpret_cast<char*>(piece.data()), static_cast<std::streamsize>(count));
    CLOISTER_CHECK(file.gcount() == static_cast<std::streamsize>(count));
    std::memcpy(content.all().data() + done, piece.data(), count);
  }
  return content;
}

struct EnclaveModel::Parts {
  std::shared_ptr<const OrtRuntime> runtime;
  OrtSession* session = nullptr;
  Inputs inputs;
  std::vector<std::string> outputs;

  void settle(OrtOutcome outcome) const {
    CLOISTER_CHECK(runtime->settle(outcome, "epc.runtime").ok());
  }
};

std::shared_ptr<const OrtRuntime> EnclaveModel::open_runtime() {
  const Side inside(true);
  return OrtRuntime::open(CLOISTER_RUNTIME_LIBRARY).value();
}

EnclaveModel::EnclaveModel(std::shared_ptr<const OrtRuntime> runtime, const EnclaveBytes& model,
                           const Signature& signature) {
  const Side inside(true);
  parts_ = std::make_unique<Parts>();
  parts_->runtime = std::move(runtime);
  const OrtFunctions& functions = parts_->runtime->functions();
  OrtSessionOptions* options = nullptr;
  parts_->settle(functions.create_session_options(&options));
  parts_->settle(functions.set_intra_op_threads(options, 1));
  parts_->settle(functions.set_inter_op_threads(options, 1));
  parts_->settle(functions.create_session_from_array(parts_->runtime->env(), model.all().data(),
                                                     model.all().size(), options,
                                                     &parts_->session));
  functions.release_session_options(options);
  parts_->inputs = inputs_of(signature);
  for (const TensorSpec& output : signature.outputs) parts_->outputs.push_back(output.name);
}

EnclaveModel::~EnclaveModel() {
  const Side inside(true);
  parts_->runtime->functions().release_session(parts_->session);
  parts_.reset();
}

std::uint64_t EnclaveModel::run() {
  const Side inside(true);
  const OrtFunctions& functions = parts_->runtime->functions();
  std::vector<OrtInput> values;
  std::vector<const OrtValue*> pointers;
  std::vector<const char*> names;
  for (const NamedTensorView& input : parts_->inputs.views) {
    values.push_back(ort_input(*parts_->runtime, input.tensor).value());
    pointers.push_back(values.back().value.get());
    names.push_back(input.name.c_str());
  }
  std::vector<const char*> output_names;
  for (const std::string& output : parts_->outputs) output_names.push_back(output.c_str());
  std::vector<OrtValue*> outputs(output_names.size(), nullptr);
  parts_->settle(functions.run(parts_->session, nullptr, names.data(), pointers.data(),
                               pointers.size(), output_names.data(), output_names.size(),
                               outputs.data()));
  std::uint64_t sum = 0;
  for (OrtValue* const output : outputs) {
    const OrtOutput read = ort_output(*parts_->runtime, *output).value();
    for (const std::byte byte : read.tensor.data) sum = sum * 31 + std::to_integer<unsigned>(byte);
    functions.release_value(output);
  }
  return sum;
}

}  // namespace cloister
