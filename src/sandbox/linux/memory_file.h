#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "sandbox/linux/descriptor.h"
#include "secret/private_memory.h"

namespace cloister {

/// Memory that may be shared with another process, mapped here; unmapped in the destructor.
class Mapping {
 public:
  /// `none`: addresses alone, until somebody permits more.
  enum class Access { none, read, read_write };
  Mapping() = default;
  /// `size` bytes of `file` from `offset`, which is a whole page's. Fails: `corrupt` (the file is
  /// shorter, or its size is not sealed, so that whoever shares it could take pages away), `io`.
  static Result<Mapping> map(int file, std::uint64_t size, Access access,
                             std::uint64_t offset = 0);
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();
  MutableBytes bytes() const noexcept { return {start_, size_}; }

 private:
  Mapping(std::byte* start, std::size_t size) noexcept : start_(start), size_(size) {}
  std::byte* start_ = nullptr;
  std::size_t size_ = 0;
};

enum class Executable { no, yes };

/// Zeros, `size` bytes, that cost memory once they are touched. Fails: `too_large`, `io`.
Result<Descriptor> make_memory_file(std::uint64_t size);
/// An empty one that may grow: for one writer, who is gone before it is read.
Result<Descriptor> make_growing_file();
/// What is in `file` now, copied: at most `size_max` bytes. Fails: `too_large`, `io`, `corrupt`
/// where it is empty.
Result<PrivateMemory> read_growing_file(int file, std::uint64_t size_max);
/// A sealed copy of `content`.
Result<Descriptor> make_memory_file(Bytes content, Executable executable = Executable::no);

/// Makes `file`'s content read-only to everybody but the mappings that are there already.
/// Fails: `io`.
Status seal_against_new_writers(int file);

/// A program or library as it was read once, in memory that nobody can change any more: what is
/// hashed here is what is executed.
struct SealedFile {
  Descriptor file;
  Mapping content;
  /// The path by which this process opens or executes it.
  std::string path() const { return "/proc/self/fd/" + std::to_string(file.number()); }
};
/// Copies the file at `path`, at most 1 GiB. Fails: `not_found`, `io` (errno says why),
/// `too_large`.
Result<SealedFile> seal_file(const std::string& path);

/// Gives the pages of [offset, offset + length) back to the host; they read as zeros afterwards.
void discard(int file, std::uint64_t offset, std::uint64_t length) noexcept;
/// Bytes of memory that the file takes now.
std::uint64_t memory_of(int file) noexcept;

}  // namespace cloister
