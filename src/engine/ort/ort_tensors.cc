#include "engine/ort/ort_tensors.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/byte_writer.h"

namespace cloister {
namespace {

struct ElementType {
  DType ours;
  int theirs;
};
constexpr std::array<ElementType, 14> kElementTypes{{{DType::f32, 1},
                                                     {DType::u8, 2},
                                                     {DType::i8, 3},
                                                     {DType::u16, 4},
                                                     {DType::i16, 5},
                                                     {DType::i32, 6},
                                                     {DType::i64, 7},
                                                     {DType::bytes, 8},
                                                     {DType::boolean, 9},
                                                     {DType::f16, 10},
                                                     {DType::f64, 11},
                                                     {DType::u32, 12},
                                                     {DType::u64, 13},
                                                     {DType::bf16, 16}}};

Result<std::vector<std::int64_t>> ort_shape(const Shape& shape) {
  CLOISTER_TRY(element_count(shape));
  std::vector<std::int64_t> extents;
  extents.reserve(shape.size());
  for (const std::uint64_t extent : shape) {
    // Beside an extent of zero any other may be huge; the runtime multiplies them one by one.
    if (extent > kElementsMax) return Error{Code::too_large, "ort.extent"};
    extents.push_back(static_cast<std::int64_t>(extent));
  }
  return extents;
}

Result<OrtInput> text_input(const OrtRuntime& runtime, const TensorView& tensor,
                            const std::vector<std::int64_t>& shape) {
  const OrtFunctions& functions = runtime.functions();
  CLOISTER_ASSIGN(const std::uint64_t count, element_count(tensor.shape));
  CLOISTER_ASSIGN(const std::vector<Bytes> elements, bytes_elements(tensor.data, count));
  OrtAllocator* allocator = nullptr;
  CLOISTER_TRY(runtime.settle(functions.default_allocator(&allocator), "ort.allocator"));
  CLOISTER_ASSIGN(auto value, runtime.create<OrtValue>(
                                  [&](OrtValue** made) {
                                    return functions.create_tensor(
                                        allocator, shape.data(), shape.size(),
                                        ort_element_type(DType::bytes), made);
                                  },
                                  functions.release_value, "ort.create_text"));
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (elements[i].empty()) continue;
    char* room = nullptr;
    CLOISTER_TRY(runtime.settle(
        functions.string_element_memory(value.get(), i, elements[i].size(), &room), "ort.text"));
    std::memcpy(room, elements[i].data(), elements[i].size());
  }
  return OrtInput{std::move(value), {}};
}

Result<OrtOutput> text_output(const OrtRuntime& runtime, const OrtValue& value, Shape shape,
                              std::uint64_t count) {
  const OrtFunctions& functions = runtime.functions();
  std::size_t length = 0;
  CLOISTER_TRY(runtime.settle(functions.string_tensor_length(&value, &length), "ort.text_length"));
  if (length > kTensorBytesMax) return Error{Code::too_large, "ort.text_length"};
  ByteVector content(length);
  std::vector<std::size_t> offsets(count);
  if (count > 0) {
    CLOISTER_TRY(runtime.settle(functions.string_tensor_content(&value, content.data(), length,
                                                                offsets.data(), count),
                                "ort.text_content"));
  }
  ByteWriter writer;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t end = i + 1 < count ? offsets[i + 1] : length;
    if (offsets[i] > end || end > length) return Error{Code::internal, "ort.text_offsets"};
    writer.u32_le(static_cast<std::uint32_t>(end - offsets[i]));
    writer.bytes(Bytes(content).subspan(offsets[i], end - offsets[i]));
  }
  if (writer.size() > kTensorBytesMax) return Error{Code::too_large, "ort.text_size"};
  OrtOutput output;
  output.text = std::move(writer).take();
  output.tensor = {DType::bytes, std::move(shape), output.text};
  return output;
}

}  // namespace

int ort_element_type(DType type) noexcept {
  for (const ElementType& element : kElementTypes) {
    if (element.ours == type) return element.theirs;
  }
  return 0;
}

std::optional<DType> dtype_of_ort(int element_type) noexcept {
  for (const ElementType& element : kElementTypes) {
    if (element.theirs == element_type) return element.ours;
  }
  return std::nullopt;
}

Result<OrtInput> ort_input(const OrtRuntime& runtime, const TensorView& tensor) {
  CLOISTER_ASSIGN(const std::vector<std::int64_t> shape, ort_shape(tensor.shape));
  if (tensor.type == DType::bytes) return text_input(runtime, tensor, shape);
  CLOISTER_ASSIGN(const std::uint64_t size, tensor_bytes(tensor.type, tensor.shape));
  if (size != tensor.data.size()) return Error{Code::invalid, "ort.input_size"};
  if (tensor.type == DType::boolean &&
      std::any_of(tensor.data.begin(), tensor.data.end(),
                  [](std::byte value) { return value > std::byte{1}; })) {
    return Error{Code::invalid, "ort.boolean"};
  }
  // Compiled loops of the runtime rely on the alignment of the element type, which bytes out of
  // the middle of a request need not have. An empty tensor still needs an address.
  OrtInput input{{nullptr, nullptr}, {}};
  const std::byte* start = tensor.data.data();
  const auto address = reinterpret_cast<std::uintptr_t>(start);
  if (start == nullptr || address % element_bytes(tensor.type) != 0) {
    input.aligned.resize(size / sizeof(std::uint64_t) + 1);
    if (size > 0) std::memcpy(input.aligned.data(), start, size);
    start = std::as_bytes(std::span(input.aligned)).data();
  }
  const OrtFunctions& functions = runtime.functions();
  CLOISTER_ASSIGN(input.value, runtime.create<OrtValue>(
                                   [&](OrtValue** made) {
                                     return functions.create_tensor_over(
                                         runtime.memory(), start, size, shape.data(), shape.size(),
                                         ort_element_type(tensor.type), made);
                                   },
                                   functions.release_value, "ort.create_input"));
  return input;
}

Result<OrtOutput> ort_output(const OrtRuntime& runtime, OrtValue& value) {
  const OrtFunctions& functions = runtime.functions();
  int is_tensor = 0;
  CLOISTER_TRY(runtime.settle(functions.is_tensor(&value, &is_tensor), "ort.is_tensor"));
  if (is_tensor == 0) return Error{Code::internal, "ort.output_kind"};
  CLOISTER_ASSIGN(const auto described,
                  runtime.create<OrtTensorTypeAndShapeInfo>(
                      [&](OrtTensorTypeAndShapeInfo** made) {
                        return functions.type_and_shape(&value, made);
                      },
                      functions.release_type_and_shape, "ort.describe"));
  int element_type = 0;
  std::size_t rank = 0;
  CLOISTER_TRY(runtime.settle(functions.element_type(described.get(), &element_type), "ort.type"));
  CLOISTER_TRY(runtime.settle(functions.rank(described.get(), &rank), "ort.rank"));
  const std::optional<DType> type = dtype_of_ort(element_type);
  if (!type) return Error{Code::internal, "ort.output_type"};
  if (rank > kRankMax) return Error{Code::too_large, "ort.output_rank"};
  std::vector<std::int64_t> extents(rank);
  CLOISTER_TRY(runtime.settle(functions.extents(described.get(), extents.data(), rank),
                              "ort.extents"));
  Shape shape;
  for (const std::int64_t extent : extents) {
    if (extent < 0) return Error{Code::internal, "ort.output_extent"};
    shape.push_back(static_cast<std::uint64_t>(extent));
  }
  CLOISTER_ASSIGN(const std::uint64_t count, element_count(shape));
  if (*type == DType::bytes) return text_output(runtime, value, std::move(shape), count);
  CLOISTER_ASSIGN(const std::uint64_t size, tensor_bytes(*type, shape));
  void* memory = nullptr;
  CLOISTER_TRY(runtime.settle(functions.tensor_memory(&value, &memory), "ort.tensor_memory"));
  return OrtOutput{
      {*type, std::move(shape), Bytes(static_cast<const std::byte*>(memory), size)}, {}};
}

}  // namespace cloister
