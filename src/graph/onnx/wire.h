#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace cloister {

/// The first thing that was wrong with a message, and where. Once raised it stays: readers that
/// share it stop at once, so that no caller has to look after every single step.
class WireFault {
 public:
  explicit WireFault(Bytes file) noexcept : start_(file.data()) {}
  bool raised() const noexcept { return rule_ != nullptr; }
  const char* rule() const noexcept { return rule_; }
  /// Bytes from the start of the file.
  std::uint64_t offset() const noexcept { return offset_; }
  void raise(const char* rule, const std::byte* at) noexcept;

 private:
  const std::byte* start_;
  const char* rule_ = nullptr;
  std::uint64_t offset_ = 0;
};

enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

/// One varint off the front of `rest`, which moves past it. Nothing when it is cut short, runs past
/// 64 bits, or is not in its shortest form.
std::optional<std::uint64_t> take_varint(Bytes& rest) noexcept;

/// Whether `text` is UTF-8 without NUL (names end up in C strings).
bool is_name_text(std::string_view text) noexcept;

/// Walks the fields of one message in the protocol buffers wire format. Refuses groups, unknown
/// wire types, field number 0, and lengths past the end. Values are views into the message.
class WireReader {
 public:
  WireReader(WireFault& fault, Bytes message) noexcept : fault_(&fault), rest_(message) {}

  /// Moves to the next field; false at the end of the message or once a fault is raised.
  bool next() noexcept;
  std::uint32_t number() const noexcept { return number_; }
  WireType type() const noexcept { return type_; }

  /// The current field's value. A field of another wire type raises `wire-type` and reads as zero.
  std::uint64_t varint() noexcept;
  std::uint32_t fixed32() noexcept;
  std::uint64_t fixed64() noexcept;
  Bytes bytes() noexcept;
  /// Bytes that must be a name: UTF-8 without NUL, at most kNameBytesMax.
  std::string_view name() noexcept;

  /// Says that the current field may stand only once in its message, or raises
  /// `wire-duplicate-field`. For field numbers below 64.
  WireReader& once() noexcept;
  void raise(const char* rule) noexcept { fault_->raise(rule, at_); }

 private:
  WireFault* fault_;
  Bytes rest_;
  const std::byte* at_ = nullptr;
  std::uint32_t number_ = 0;
  WireType type_ = WireType::varint;
  std::uint64_t scalar_ = 0;
  Bytes bytes_;
  std::uint64_t seen_ = 0;
};

/// Writes messages in the wire format. Lengths stand before what they measure, so one runs the
/// same calls twice: first on a writer that counts, then on one made from it that writes.
class WireWriter {
 public:
  WireWriter() = default;
  explicit WireWriter(WireWriter&& counted);

  void varint(std::uint32_t number, std::uint64_t value);
  void fixed32(std::uint32_t number, std::uint32_t value);
  void bytes(std::uint32_t number, Bytes value);
  void text(std::uint32_t number, std::string_view value) { bytes(number, bytes_of(value)); }
  /// Opens a length-prefixed field; what follows until `close` is its content.
  void open(std::uint32_t number);
  void close();
  /// Content of an open field, without a tag.
  void raw_varint(std::uint64_t value);
  void raw_little(std::uint64_t value, std::size_t bytes);
  void raw_bytes(Bytes value);
  /// Content whose bytes are not worth making while lengths are counted: counts `size` and returns
  /// false, or returns true, and the caller then writes exactly `size` bytes.
  bool wants(std::uint64_t size);

  std::uint64_t size() const noexcept { return size_; }
  ByteVector take() && { return std::move(out_); }

 private:
  bool writing_ = false;
  std::uint64_t size_ = 0;
  std::vector<std::uint64_t> lengths_;  // of length-prefixed fields, in the order they are opened
  std::size_t opened_ = 0;
  struct Open {
    std::size_t index;
    std::uint64_t start;
  };
  std::vector<Open> stack_;
  ByteVector out_;
};

}  // namespace cloister
