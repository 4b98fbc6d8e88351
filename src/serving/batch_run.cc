#include "serving/batch_run.h"

#include <cstring>

#include "base/limits.h"

namespace cloister {
namespace {

constexpr std::uint64_t kAlignment = 64;

std::uint64_t aligned(std::uint64_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

Result<std::vector<NamedTensorView>> gather_rows(const std::vector<BatchRequest>& batch,
                                                 PrivateMemoryPool& pool, PrivateMemory& memory) {
  std::vector<NamedTensorView> gathered;
  std::uint64_t size = 0;
  for (const BatchRequest& request : batch) {
    for (const NamedTensorView& input : request.inputs) {
      CLOISTER_ASSIGN(size, checked_add(size, aligned(input.tensor.data.size()) + kAlignment));
    }
  }
  CLOISTER_ASSIGN(memory, pool.reserve(size));
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < batch.front().inputs.size(); ++i) {
    NamedTensorView whole = batch.front().inputs[i];
    whole.tensor.shape.front() = 0;
    const std::uint64_t begin = at;
    for (const BatchRequest& request : batch) {
      const TensorView& part = request.inputs[i].tensor;
      if (!part.data.empty()) {
        std::memcpy(memory.bytes().data() + at, part.data.data(), part.data.size());
      }
      at += part.data.size();
      whole.tensor.shape.front() += part.shape.front();
    }
    whole.tensor.data = Bytes(memory.bytes()).subspan(begin, at - begin);
    gathered.push_back(std::move(whole));
    at = aligned(at);
  }
  return gathered;
}

Result<std::vector<NamedTensorView>> rows_of(const std::vector<NamedTensorView>& outputs,
                                             std::uint64_t first, std::uint64_t rows,
                                             std::uint64_t total) {
  std::vector<NamedTensorView> share;
  for (const NamedTensorView& output : outputs) {
    const TensorView& tensor = output.tensor;
    if (tensor.type == DType::bytes || tensor.shape.empty() || tensor.shape.front() != total) {
      return Error{Code::internal, "batcher.rows"};
    }
    const std::uint64_t row_bytes = tensor.data.size() / total;
    NamedTensorView part = output;
    part.tensor.shape.front() = rows;
    part.tensor.data = tensor.data.subspan(first * row_bytes, rows * row_bytes);
    share.push_back(std::move(part));
  }
  return share;
}

}  // namespace cloister
