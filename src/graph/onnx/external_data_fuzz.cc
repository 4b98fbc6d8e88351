// Whatever the model says about other files, folding ends; what it makes can be read whole, and
// has nothing outside any more: folding it again changes nothing.

#include <memory>
#include <span>
#include <utility>

#include "base/check.h"
#include "graph/onnx/external_data.h"
#include "support/faulty_files.h"

namespace {

cloister::Result<cloister::FoldedModel> fold(cloister::ByteVector model) {
  auto files = std::make_unique<cloister::FaultyFiles>();
  files->plant("model.onnx", std::move(model));
  files->plant("weights.bin", cloister::ByteVector(64));
  auto file = files->open_for_reading("model.onnx").value();
  return cloister::fold_external_data(std::move(file), std::move(files));
}

cloister::ByteVector content_of(const cloister::File& file) {
  cloister::ByteVector content(file.size().value());
  CLOISTER_CHECK(file.read_at(0, content).ok());
  return content;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto folded = fold(cloister::copy_of(std::as_bytes(std::span(data, size))));
  if (!folded.ok()) return 0;
  const cloister::ByteVector whole = content_of(*folded.value().file);
  const auto again = fold(whole);
  CLOISTER_CHECK(again.ok() && again.value().tensors == 0);
  CLOISTER_CHECK(content_of(*again.value().file) == whole);
  return 0;
}
