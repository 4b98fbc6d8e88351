// Makes a tensor of a `.npy` array that is not one as it stands.
#include <algorithm>
#include <array>

#include "base/check.h"
#include "tensor/npy.h"

namespace cloister {
namespace {

/// Visits the elements in row-major order, whatever order the file has.
class ElementWalk {
 public:
  explicit ElementWalk(const NpyArray& array)
      : array_(array), index_(array.shape.size(), 0), strides_(array.shape.size(), 0) {
    std::uint64_t stride = 1;
    for (std::size_t i = 0; i < strides_.size(); ++i) {
      const std::size_t axis = array.fortran_order ? i : strides_.size() - 1 - i;
      strides_[axis] = stride;
      stride *= array.shape[axis];
    }
  }

  Bytes element() const noexcept {
    return array_.data.subspan(place_ * array_.item_bytes, array_.item_bytes);
  }

  void next() noexcept {
    for (std::size_t axis = index_.size(); axis-- > 0;) {
      place_ += strides_[axis];
      if (++index_[axis] < array_.shape[axis]) return;
      place_ -= strides_[axis] * array_.shape[axis];
      index_[axis] = 0;
    }
  }

 private:
  const NpyArray& array_;
  Shape index_;
  Shape strides_;
  std::uint64_t place_ = 0;
};

/// Appends to memory whose size was computed beforehand.
class Output {
 public:
  explicit Output(MutableBytes memory) noexcept : memory_(memory) {}
  void put(std::byte value) noexcept {
    CLOISTER_CHECK(used_ < memory_.size());
    memory_[used_++] = value;
  }
  void put_length(std::size_t at, std::size_t length) noexcept {
    for (std::size_t i = 0; i < 4; ++i) {
      memory_[at + i] = static_cast<std::byte>((length >> (8 * i)) & 0xFF);
    }
  }
  std::size_t used() const noexcept { return used_; }

 private:
  MutableBytes memory_;
  std::size_t used_ = 0;
};

void put_number(Output& out, Bytes element, bool big_endian) noexcept {
  for (std::size_t i = 0; i < element.size(); ++i) {
    out.put(element[big_endian ? element.size() - 1 - i : i]);
  }
}

void put_byte_string(Output& out, Bytes element) noexcept {
  std::size_t length = element.size();
  while (length > 0 && element[length - 1] == std::byte{0}) --length;
  for (const std::byte each : element.first(length)) out.put(each);
}

void put_utf8(Output& out, std::uint32_t point) noexcept {
  if (point < 0x80) return out.put(static_cast<std::byte>(point));
  const int continuations = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  const std::uint32_t lead = continuations == 1 ? 0xC0 : continuations == 2 ? 0xE0 : 0xF0;
  out.put(static_cast<std::byte>(lead | (point >> (6 * continuations))));
  for (int i = continuations - 1; i >= 0; --i) {
    out.put(static_cast<std::byte>(0x80 | ((point >> (6 * i)) & 0x3F)));
  }
}

Status put_utf32_string(Output& out, Bytes element, bool big_endian) {
  const auto point_at = [&](std::size_t index) {
    std::uint32_t point = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      point = point << 8 | std::to_integer<std::uint32_t>(
                               element[index * 4 + (big_endian ? i : 3 - i)]);
    }
    return point;
  };
  std::size_t length = element.size() / 4;
  while (length > 0 && point_at(length - 1) == 0) --length;
  for (std::size_t i = 0; i < length; ++i) {
    const std::uint32_t point = point_at(i);
    if (point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) {
      return Error{Code::invalid, "npy.code_point",
                   Detail("npy: a string holds what is no Unicode character")};
    }
    put_utf8(out, point);
  }
  return Done{};
}

}  // namespace

Result<TensorView> npy_tensor(const NpyArray& array, MutableBytes memory) {
  if (array.conversion_bytes == 0) return TensorView{array.type, array.shape, array.data};
  CLOISTER_CHECK(memory.size() >= array.conversion_bytes);
  CLOISTER_ASSIGN(const std::uint64_t count, element_count(array.shape));
  Output out(memory);
  ElementWalk walk(array);
  for (std::uint64_t i = 0; i < count; ++i, walk.next()) {
    if (array.kind == NpyKind::numeric) {
      put_number(out, walk.element(), array.big_endian);
      continue;
    }
    const std::size_t prefix_at = out.used();
    for (int k = 0; k < 4; ++k) out.put(std::byte{0});
    if (array.kind == NpyKind::byte_string) {
      put_byte_string(out, walk.element());
    } else {
      CLOISTER_TRY(put_utf32_string(out, walk.element(), array.big_endian));
    }
    out.put_length(prefix_at, out.used() - prefix_at - 4);
  }
  return TensorView{array.type, array.shape, Bytes(memory).first(out.used())};
}

}  // namespace cloister
