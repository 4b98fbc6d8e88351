#include <utility>

#include "graph/limits.h"
#include "graph/onnx/tensor_content.h"
#include "graph/rules/rules.h"

namespace cloister {
namespace {

void check_external(const Tensor& tensor, const Where& where, FindingList& findings) {
  std::string_view location;
  for (const auto& [key, value] : tensor.external_data) {
    if (key == "location") location = value;
  }
  if (location.starts_with("*/")) {
    findings.add("external-memory", where,
                 "the location " + quoted(location) +
                     " stands for an address in the process that loads it; export the model again "
                     "with its weights inside the file");
    return;
  }
  findings.add("external-data", where,
               "the values lie outside the file" +
                   (location.empty() ? std::string() : ", in " + quoted(location)) +
                   "; fold them into it: onnx.save_model(model, path, "
                   "save_as_external_data=False), or `cloister upload` with the data file beside "
                   "the model");
}

/// Whether each index of a sparse tensor lies inside its dense shape, and in rising order: readers
/// write to these places.
bool indices_in_range(const SparseTensor& sparse, std::uint64_t dense_count, bool flat) {
  bool fits = true;
  std::uint64_t previous = 0;
  std::uint64_t position = 0;
  std::uint64_t at = 0;
  std::size_t axis = 0;
  for_each_int64(sparse.indices, [&](std::uint64_t index) {
    const std::uint64_t extent = flat ? dense_count : sparse.dims[axis];
    fits = fits && index < extent;
    position = flat ? index : position * extent + index;
    axis = flat ? 0 : (axis + 1) % sparse.dims.size();
    if (axis != 0) return;
    fits = fits && (at++ == 0 || position > previous);
    previous = std::exchange(position, 0);
  });
  return fits;
}

}  // namespace

void check_tensor(const Tensor& tensor, const Where& where, FindingList& findings) {
  if (tensor.external) return check_external(tensor, where, findings);
  if (tensor.segmented) {
    return findings.add("tensor-segment", where, "store the tensor whole: no segments");
  }
  if (tensor.several_storages) {
    return findings.add("tensor-encodings", where,
                        "the values are there twice, in different fields; keep one of them");
  }
  if (tensor.type == ElementType::undefined) {
    return findings.add("tensor-type", where, "give the tensor an element type");
  }
  const auto count = element_count(tensor);
  if (!count) {
    return findings.add("tensor-shape", where,
                        "extents must not be negative, at most " + std::to_string(kRankMax) +
                            " of them, and at most 2^31 elements together");
  }
  const auto wanted = stored_values(tensor);
  if (!wanted) {
    return findings.add("tensor-storage", where,
                        std::string("values of ") + name_of(tensor.type) +
                            " are in a field that belongs to another type; use raw_data");
  }
  const bool raw = tensor.storage == TensorStorage::raw;
  const std::uint64_t stored = raw ? tensor.raw.size() : tensor.values.count;
  const std::uint64_t needed = tensor.storage == TensorStorage::none ? *count : *wanted;
  if (stored != needed) {
    return findings.add("tensor-size", where,
                        "type and shape need " + std::to_string(needed) +
                            (raw ? " bytes, there are " : " values, there are ") +
                            std::to_string(stored));
  }
  if (!values_in_range(tensor)) {
    findings.add("tensor-range", where,
                 std::string("a stored value is not one that ") + name_of(tensor.type) +
                     " can have");
  }
}

void check_sparse_tensor(const SparseTensor& sparse, const Where& where, FindingList& findings) {
  const Where values{&where, "values"};
  const Where indices{&where, "indices"};
  const std::uint64_t before = findings.count();
  check_tensor(sparse.values, values, findings);
  check_tensor(sparse.indices, indices, findings);
  if (findings.count() != before) return;
  Tensor dense;
  dense.dims = sparse.dims;
  dense.negative_extent = sparse.negative_extent;
  const auto dense_count = element_count(dense);
  const auto stored = element_count(sparse.values);
  const auto index_count = element_count(sparse.indices);
  const std::size_t rank = sparse.dims.size();
  const bool shaped = dense_count && stored && index_count && rank != 0 &&
                      sparse.values.dims.size() == 1 && sparse.indices.type == ElementType::i64 &&
                      (*index_count == *stored || *index_count == *stored * rank) &&
                      *stored <= *dense_count;
  if (!shaped) {
    findings.add("sparse-shape", where,
                 "a sparse tensor needs a dense shape, a list of values, and one int64 index (or "
                 "one for each dimension) for every value");
    return;
  }
  const std::uint64_t bits = element_bits(sparse.values.type);
  if (*dense_count * bits / 8 > kSparseDenseBytesMax) {
    return findings.add("limit-sparse-size", where,
                        "written out densely it has more than " +
                            std::to_string(kSparseDenseBytesMax) + " bytes");
  }
  if (!indices_in_range(sparse, *dense_count, *index_count == *stored)) {
    findings.add("sparse-index", where, "indices must lie inside the shape, in rising order");
  }
}

}  // namespace cloister
