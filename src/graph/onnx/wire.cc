#include "graph/onnx/wire.h"

#include <utility>

#include "base/check.h"
#include "graph/limits.h"

namespace cloister {
namespace {

constexpr std::size_t kVarintBytesMax = 10;
constexpr std::uint32_t kOnceNumbers = 64;

std::uint64_t little_endian(Bytes bytes) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = (value << 8) | std::to_integer<std::uint64_t>(bytes[i]);
  }
  return value;
}

std::size_t varint_bytes(std::uint64_t value) noexcept {
  std::size_t count = 1;
  for (; value >= 0x80; value >>= 7) ++count;
  return count;
}

std::uint64_t tag_of(std::uint32_t number, WireType type) noexcept {
  return (std::uint64_t{number} << 3) | static_cast<std::uint64_t>(type);
}

}  // namespace

void WireFault::raise(const char* rule, const std::byte* at) noexcept {
  if (rule_ != nullptr) return;
  rule_ = rule;
  offset_ = static_cast<std::uint64_t>(at - start_);
}

std::optional<std::uint64_t> take_varint(Bytes& rest) noexcept {
  std::uint64_t value = 0;
  const std::size_t limit = std::min(rest.size(), kVarintBytesMax);
  for (std::size_t i = 0; i < limit; ++i) {
    const auto byte = std::to_integer<std::uint64_t>(rest[i]);
    if (i + 1 == kVarintBytesMax && byte > 1) return std::nullopt;
    value |= (byte & 0x7f) << (7 * i);
    if ((byte & 0x80) != 0) continue;
    if (byte == 0 && i > 0) return std::nullopt;
    rest = rest.subspan(i + 1);
    return value;
  }
  return std::nullopt;
}

bool is_name_text(std::string_view text) noexcept {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead == 0) return false;
    std::size_t more = 0;
    std::uint32_t point = lead;
    if (lead >= 0x80) {
      if (lead >= 0xc2 && lead <= 0xdf) more = 1;
      else if (lead >= 0xe0 && lead <= 0xef) more = 2;
      else if (lead >= 0xf0 && lead <= 0xf4) more = 3;
      else return false;
      point = lead & (0x3fU >> more);
    }
    if (more >= text.size() - i) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xc0) != 0x80) return false;
      point = (point << 6) | (next & 0x3fU);
    }
    const bool too_short = (more == 2 && point < 0x800) || (more == 3 && point < 0x10000);
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    if (too_short || surrogate || point > 0x10ffff) return false;
    i += 1 + more;
  }
  return true;
}

bool WireReader::next() noexcept {
  if (fault_->raised() || rest_.empty()) return false;
  at_ = rest_.data();
  const auto tag = take_varint(rest_);
  if (!tag) return raise("wire-varint"), false;
  if (*tag > UINT32_MAX || (*tag >> 3) == 0) return raise("wire-field-number"), false;
  number_ = static_cast<std::uint32_t>(*tag >> 3);
  type_ = static_cast<WireType>(*tag & 7);
  std::uint64_t length = 0;
  switch (type_) {
    case WireType::varint: {
      const auto value = take_varint(rest_);
      if (!value) return raise("wire-varint"), false;
      scalar_ = *value;
      return true;
    }
    case WireType::fixed64: length = 8; break;
    case WireType::fixed32: length = 4; break;
    case WireType::bytes: {
      const auto value = take_varint(rest_);
      if (!value) return raise("wire-varint"), false;
      length = *value;
      break;
    }
    default: return raise("wire-type"), false;
  }
  if (length > rest_.size()) return raise("wire-length"), false;
  bytes_ = rest_.first(length);
  rest_ = rest_.subspan(length);
  if (type_ != WireType::bytes) scalar_ = little_endian(bytes_);
  return true;
}

std::uint64_t WireReader::varint() noexcept {
  if (type_ == WireType::varint) return scalar_;
  raise("wire-type");
  return 0;
}

std::uint32_t WireReader::fixed32() noexcept {
  if (type_ == WireType::fixed32) return static_cast<std::uint32_t>(scalar_);
  raise("wire-type");
  return 0;
}

std::uint64_t WireReader::fixed64() noexcept {
  if (type_ == WireType::fixed64) return scalar_;
  raise("wire-type");
  return 0;
}

Bytes WireReader::bytes() noexcept {
  if (type_ == WireType::bytes) return bytes_;
  raise("wire-type");
  return {};
}

std::string_view WireReader::name() noexcept {
  const std::string_view text = text_of(bytes());
  if (text.size() > kNameBytesMax) return raise("limit-name-length"), std::string_view{};
  if (!is_name_text(text)) return raise("name-text"), std::string_view{};
  return text;
}

WireReader& WireReader::once() noexcept {
  CLOISTER_CHECK(number_ < kOnceNumbers);
  const std::uint64_t bit = std::uint64_t{1} << number_;
  if ((seen_ & bit) != 0) raise("wire-duplicate-field");
  seen_ |= bit;
  return *this;
}

WireWriter::WireWriter(WireWriter&& counted)
    : writing_(true), lengths_(std::move(counted.lengths_)) {
  CLOISTER_CHECK(!counted.writing_ && counted.stack_.empty());
  out_.reserve(counted.size_);
}

void WireWriter::raw_varint(std::uint64_t value) {
  if (!writing_) {
    size_ += varint_bytes(value);
    return;
  }
  for (; value >= 0x80; value >>= 7) {
    out_.push_back(static_cast<std::byte>((value & 0x7f) | 0x80));
    ++size_;
  }
  out_.push_back(static_cast<std::byte>(value));
  ++size_;
}

void WireWriter::raw_little(std::uint64_t value, std::size_t bytes) {
  size_ += bytes;
  if (!writing_) return;
  for (std::size_t i = 0; i < bytes; ++i) out_.push_back(static_cast<std::byte>(value >> (8 * i)));
}

void WireWriter::raw_bytes(Bytes value) {
  size_ += value.size();
  if (writing_) out_.insert(out_.end(), value.begin(), value.end());
}

bool WireWriter::wants(std::uint64_t size) {
  if (!writing_) size_ += size;
  return writing_;
}

void WireWriter::varint(std::uint32_t number, std::uint64_t value) {
  raw_varint(tag_of(number, WireType::varint));
  raw_varint(value);
}

void WireWriter::fixed32(std::uint32_t number, std::uint32_t value) {
  raw_varint(tag_of(number, WireType::fixed32));
  raw_little(value, 4);
}

void WireWriter::bytes(std::uint32_t number, Bytes value) {
  raw_varint(tag_of(number, WireType::bytes));
  raw_varint(value.size());
  raw_bytes(value);
}

void WireWriter::open(std::uint32_t number) {
  raw_varint(tag_of(number, WireType::bytes));
  if (writing_) {
    raw_varint(lengths_[opened_++]);
    return;
  }
  stack_.push_back({lengths_.size(), size_});
  lengths_.push_back(0);
}

void WireWriter::close() {
  if (writing_) return;
  const Open open = stack_.back();
  stack_.pop_back();
  lengths_[open.index] = size_ - open.start;
  size_ += varint_bytes(lengths_[open.index]);
}

}  // namespace cloister
