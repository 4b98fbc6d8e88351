#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/limits.h"
#include "encoding/json_writer.h"
#include "encoding/utf8.h"
#include "http/tensor_json.h"
#include "secret/secret_bytes.h"
#include "tensor/half.h"

namespace cloister {
namespace {

/// Characters that one element takes at most, its comma included.
std::uint64_t element_text_max(DType type) noexcept {
  switch (type) {
    case DType::boolean: return 6;
    case DType::u8:
    case DType::i8: return 5;
    case DType::u16:
    case DType::i16: return 7;
    case DType::u32:
    case DType::i32: return 12;
    case DType::u64:
    case DType::i64: return 21;
    case DType::f16:
    case DType::bf16:
    case DType::f32: return 17;
    case DType::f64: return 26;
    case DType::bytes: return 3;
  }
  return 0;
}

/// Appends to text whose bound was computed beforehand.
class TextOut {
 public:
  explicit TextOut(MutableBytes text) noexcept
      : begin_(reinterpret_cast<char*>(text.data())), end_(begin_ + text.size()), at_(begin_) {}

  void put(std::string_view more) noexcept {
    CLOISTER_CHECK(more.size() <= static_cast<std::size_t>(end_ - at_));
    at_ = std::copy(more.begin(), more.end(), at_);
  }
  template <class Number>
  void put_number(Number value) noexcept {
    const auto written = std::to_chars(at_, end_, value);
    CLOISTER_CHECK(written.ec == std::errc{});
    at_ = written.ptr;
  }
  std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

 private:
  char* begin_;
  char* end_;
  char* at_;
};

Error not_carried(const NamedTensorView& tensor, std::size_t index, const char* what) {
  return Error{Code::unsupported, "http.output_json",
               Detail("output \"" + tensor.name + "\", element " + std::to_string(index) + " " +
                      what + ", which JSON cannot carry; ask for binary data or for .npy")};
}

template <class Element, class Put>
Status put_elements(TextOut& out, const NamedTensorView& tensor, Put&& put) {
  const Bytes data = tensor.tensor.data;
  for (std::size_t i = 0; i < data.size() / sizeof(Element); ++i) {
    if (i > 0) out.put(",");
    Element element;
    std::memcpy(&element, data.data() + i * sizeof element, sizeof element);
    if (!put(element)) return not_carried(tensor, i, "is not finite");
  }
  return Done{};
}

template <class Integer>
Status put_integers(TextOut& out, const NamedTensorView& tensor) {
  return put_elements<Integer>(out, tensor, [&](Integer value) {
    out.put_number(value);
    return true;
  });
}

template <class Bits, class Widen>
Status put_floats(TextOut& out, const NamedTensorView& tensor, Widen&& widen) {
  return put_elements<Bits>(out, tensor, [&](Bits bits) {
    const auto value = widen(bits);
    if (!std::isfinite(value)) return false;
    out.put_number(value);
    return true;
  });
}

Status put_strings(TextOut& out, const NamedTensorView& tensor) {
  CLOISTER_ASSIGN(const std::uint64_t count, element_count(tensor.tensor.shape));
  CLOISTER_ASSIGN(const std::vector<Bytes> elements, bytes_elements(tensor.tensor.data, count));
  std::size_t longest = 0;
  for (const Bytes element : elements) longest = std::max(longest, element.size());
  // One scratch text that never grows, so that wiping it wipes the only copy.
  std::string scratch;
  scratch.reserve(6 * longest + 2);
  Status status = Done{};
  for (std::size_t i = 0; i < elements.size() && status.ok(); ++i) {
    if (i > 0) out.put(",");
    scratch.clear();
    if (!is_utf8(text_of(elements[i]))) {
      status = not_carried(tensor, i, "is not UTF-8");
      break;
    }
    append_json_text(scratch, text_of(elements[i]));
    out.put(scratch);
  }
  scratch.resize(scratch.capacity());
  wipe(std::as_writable_bytes(std::span(scratch)));
  return status;
}

Status put_data(TextOut& out, const NamedTensorView& tensor) {
  const auto as_it_is = [](auto value) { return value; };
  switch (tensor.tensor.type) {
    case DType::boolean:
      return put_elements<std::uint8_t>(out, tensor, [&](std::uint8_t value) {
        out.put(value != 0 ? "true" : "false");
        return true;
      });
    case DType::u8: return put_integers<std::uint8_t>(out, tensor);
    case DType::u16: return put_integers<std::uint16_t>(out, tensor);
    case DType::u32: return put_integers<std::uint32_t>(out, tensor);
    case DType::u64: return put_integers<std::uint64_t>(out, tensor);
    case DType::i8: return put_integers<std::int8_t>(out, tensor);
    case DType::i16: return put_integers<std::int16_t>(out, tensor);
    case DType::i32: return put_integers<std::int32_t>(out, tensor);
    case DType::i64: return put_integers<std::int64_t>(out, tensor);
    case DType::f16: return put_floats<std::uint16_t>(out, tensor, float_from_half);
    case DType::bf16: return put_floats<std::uint16_t>(out, tensor, float_from_bfloat16);
    case DType::f32: return put_floats<float>(out, tensor, as_it_is);
    case DType::f64: return put_floats<double>(out, tensor, as_it_is);
    case DType::bytes: return put_strings(out, tensor);
  }
  return Error{Code::internal, "http.output_type"};
}

}  // namespace

Result<std::uint64_t> tensor_text_bound(const TensorView& tensor) {
  CLOISTER_ASSIGN(const std::uint64_t count, element_count(tensor.shape));
  CLOISTER_ASSIGN(const std::uint64_t text,
                  checked_multiply(count, element_text_max(tensor.type)));
  // A byte of a string takes at most the six characters of \u0000.
  if (tensor.type == DType::bytes) return checked_add(text + 2, 6 * tensor.data.size());
  return text + 2;
}

Result<std::size_t> write_tensor_data(const NamedTensorView& tensor, MutableBytes text) {
  TextOut out(text);
  out.put("[");
  CLOISTER_TRY(put_data(out, tensor));
  out.put("]");
  return out.size();
}

}  // namespace cloister
